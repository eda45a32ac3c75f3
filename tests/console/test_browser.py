"""The page in a real browser: an alert appears by itself, is acknowledged and closed; nothing comes from elsewhere."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from console.settings import ConsoleSettings
from schemas.alerts import AlertCode
from tests.console.build import PASSWORD, event, raise_alerts
from tests.console.conftest import NOW, Clock, Console, console_over
from tests.console.scene import found, stage
from tests.services.missing import unavailable

WEB_DIR = Path(__file__).parents[2] / "console" / "web" / "dist"
SCREENSHOTS = Path(os.environ.get("SHOUHUAN_SCREENSHOT_DIR", "build/screenshots"))
WAITING = len(found(NOW))


@pytest.fixture
def console(request: pytest.FixtureRequest, embedded_database: str, clock: Clock, tmp_path: Path) -> Iterator[Console]:
    """A console with its page, 200 wearers and some incidents."""
    missing = ConsoleSettings(database_url="", session_secret="", web_dir=WEB_DIR, now=clock).missing_page()
    if missing is not None:
        unavailable(request.config, "the console's page", missing)
    with console_over(embedded_database, clock, WEB_DIR, wearers=200) as console:
        stage(console.database_url, console.people, clock())
        yield console


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    """A signed-in page; at the end nothing may have been asked of another host, and nothing complained."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    page = context.new_page()
    hosts: set[str] = set()
    complaints: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(console.url)
    page.fill("[name=name]", "chief")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    expect(page.locator(".queue .incident")).to_have_count(WAITING)
    yield page
    context.close()
    # Blobs of the map's own making have no host.
    assert hosts - {""} == {urlsplit(console.url).netloc}
    # Who has not signed in yet is told so: the first question of every page.
    assert [text for text in complaints if "401" not in text and "GPU stall" not in text] == []


def picture(page: Page, name: str) -> None:
    """Keep what is on the screen, once the map has come to rest."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    expect(page.locator("#map:not([data-drawn])")).to_have_count(0)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_an_alert_appears_by_itself_and_is_handled(page: Page, console: Console) -> None:
    expect(page.locator("canvas.maplibregl-canvas")).to_be_visible()
    expect(page.locator(".live.on")).to_be_visible()
    page.evaluate("window.neverReloaded = true")

    raise_alerts(console.database_url, event(console.people, "w-0042", AlertCode.DEVICE_SOS, NOW))

    newest = page.locator(".queue .incident").first
    expect(newest).to_contain_text("求助")
    expect(newest).to_contain_text("演示042")
    expect(page.locator(".map-name.person.sos")).to_have_text("演示042")
    picture(page, "queue-zh")
    newest.click()
    page.click("#acknowledge")
    page.select_option("#cause", "welfare_checked")
    expect(page.locator("#close")).to_be_disabled()
    page.fill("#note", "已电话联系本人，系误触。")
    page.click("#close")
    expect(page.locator(".queue .incident")).to_have_count(WAITING)
    expect(page.locator(".detail")).to_contain_text("系误触")
    assert page.evaluate("window.neverReloaded") is True
    closed = console.rows("SELECT close_cause, closed_by FROM incident WHERE state = 'closed'")
    assert closed == [("welfare_checked", "chief")]


def test_an_incident_explains_itself_in_either_language(page: Page) -> None:
    page.click("text=演示031")
    detail = page.locator(".detail")
    expect(detail).to_contain_text("184.2 米")
    expect(detail).to_contain_text("11月23日 14:21:00")
    page.click("#acknowledge")
    expect(detail.locator(".log")).to_contain_text("确认接手")
    picture(page, "console-zh")
    page.click("#language")
    expect(detail).to_contain_text("Left a keep-in zone")
    expect(detail).to_contain_text("184.2 m")
    picture(page, "console-en")
    page.reload()
    expect(page.locator(".queue .incident").first).to_contain_text("Strap opened or cut")
    assert page.evaluate("document.documentElement.lang") == "en-GB"


def test_the_queue_can_be_walked_with_the_keyboard(page: Page) -> None:
    page.locator(".queue .incident").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".detail h2")).to_have_text("越界")
    page.keyboard.press("Escape")
    expect(page.locator(".detail")).to_have_count(0)


def test_a_wrong_password_says_so_and_a_right_one_lets_in(browser: Browser, console: Console) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(console.url)
    page.fill("[name=name]", "chief")
    page.fill("[name=password]", "guess")
    page.click("button.primary")
    expect(page.locator(".problem")).to_have_text("账号或密码错误")
    picture(page, "sign-in-zh")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    expect(page.locator(".clock b")).to_contain_text("14:30")
    page.click("#sign-out")
    expect(page.locator(".sign-in")).to_be_visible()
    page.close()
