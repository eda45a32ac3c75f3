"""The page in a real browser: an alert appears by itself, is acknowledged and closed; nothing comes from elsewhere."""

import os
from collections.abc import Iterator
from datetime import timedelta
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
    expect(page.locator(".queue .incident")).to_have_count(WAITING, timeout=20_000)
    yield page
    context.close()
    # Blobs of the map's own making have no host.
    assert hosts - {""} == {urlsplit(console.url).netloc}
    # Who has not signed in yet is told so, the first question of every page; and so is who draws an impossible zone.
    expected = ("401", "422", "GPU stall")
    assert [text for text in complaints if not any(one in text for one in expected)] == []


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
    expect(page.locator(".queue .incident").first).to_contain_text("Strap opened or cut", timeout=20_000)
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


def click_map(page: Page, *spots: tuple[float, float]) -> None:
    """Click on the map, each spot as shares of its width and height."""
    box = page.locator("#map").bounding_box()
    assert box is not None
    for x, y in spots:
        at = box["x"] + x * box["width"], box["y"] + y * box["height"]
        page.mouse.move(*at)
        page.mouse.click(*at)


def begin_zone(page: Page, name: str, shape: str, kind: str) -> None:
    """Open the panel and fill in what it needs."""
    expect(page.locator("#map[data-drawn]")).to_be_visible(timeout=20_000)
    page.click("#draw-zone")
    page.fill("#zone-name", name)
    page.select_option("#zone-kind", kind)
    page.select_option("#zone-org", "dongqu")
    page.click(f"[data-shape={shape}]")


def test_a_polygon_is_drawn_checked_and_put_in_force(page: Page, console: Console) -> None:
    begin_zone(page, "江边集市", "polygon", "keep_out")
    expect(page.locator("#check-zone")).to_be_disabled()
    click_map(page, (0.4, 0.4), (0.6, 0.42), (0.58, 0.6), (0.42, 0.58), (0.4, 0.4))
    page.fill("#zone-approach_m", "400")
    expect(page.locator("#save-zone")).to_be_disabled()
    page.click("#check-zone")
    expect(page.locator(".verdict.warned, .verdict.sound")).to_be_visible()
    picture(page, "zone-drawn-zh")
    page.click("#save-zone")
    expect(page.locator(".panel.drawing")).to_have_count(0)
    expect(page.locator(".map-name.zone.keep_out", has_text="江边集市")).to_have_count(1)
    saved = "SELECT kind, datum, geometry ->> 'type', approach_m, wearers FROM zone WHERE name = '江边集市'"
    assert console.rows(saved) == [("keep_out", "WGS-84", "Polygon", 400.0, None)]


def test_a_zone_says_what_it_asks_and_is_ended_by_who_is_sure(page: Page, console: Console) -> None:
    begin_zone(page, "旧市场", "circle", "keep_out")
    click_map(page, (0.3, 0.3), (0.3, 0.4))
    page.click("#check-zone")
    page.click("#save-zone")
    expect(page.locator(".map-name.zone", has_text="旧市场")).to_have_count(1)
    picture(page, "zone-saved-zh")
    click_map(page, (0.32, 0.32))
    facts = page.locator(".zone-facts")
    expect(facts).to_contain_text("旧市场")
    expect(facts).to_contain_text("全体佩戴者")
    page.click("#end-zone")
    picture(page, "zone-facts-zh")
    console.clock.advance(minutes=1)
    page.click("#end-zone-now")
    expect(facts).to_have_count(0)
    expect(page.locator(".map-name.zone", has_text="旧市场")).to_have_count(0)
    current = "SELECT upper(validity) FROM zone WHERE name = '旧市场' AND upper_inf(recorded)"
    assert console.rows(current) == [(NOW + timedelta(minutes=1),)]


def test_a_line_that_crosses_itself_is_refused_in_chinese_and_its_repair_can_be_taken(
    page: Page, console: Console
) -> None:
    begin_zone(page, "交叉", "polygon", "interest")
    click_map(page, (0.4, 0.4), (0.6, 0.6), (0.6, 0.4), (0.4, 0.6), (0.4, 0.4))
    page.click("#check-zone")
    expect(page.locator(".verdict.refused")).to_contain_text("图形无效：边界自相交")
    picture(page, "zone-refused-zh")
    page.click("#take-repair")
    page.click("#check-zone")
    expect(page.locator(".verdict.refused")).to_have_count(0)
    page.click("#save-zone")
    expect(page.locator(".panel.drawing")).to_have_count(0)
    assert console.rows("SELECT geometry ->> 'type' FROM zone WHERE name = '交叉'") == [("MultiPolygon",)]


def test_a_corridor_and_a_circle_for_one_person_are_drawn_in_english(page: Page, console: Console) -> None:
    page.click("#language")
    begin_zone(page, "River bank", "corridor", "interest")
    click_map(page, (0.35, 0.5), (0.5, 0.45), (0.65, 0.5), (0.65, 0.5))
    page.fill("#zone-width_m", "500")
    page.click("#check-zone")
    expect(page.locator(".verdict.sound")).to_have_text("Nothing is wrong with it; it can be saved.")
    picture(page, "zone-corridor-en")
    page.click("#save-zone")
    expect(page.locator(".panel.drawing")).to_have_count(0)

    begin_zone(page, "Workplace", "circle", "keep_in")
    click_map(page, (0.5, 0.5), (0.5, 0.503))
    page.fill("#zone-radius_m", "30")
    page.fill("#zone-wearer", "w-0031 演示031")
    page.click("#check-zone")
    expect(page.locator(".verdict.warned")).to_contain_text("only 30.0 m from its middle to its line")
    picture(page, "zone-circle-en")
    page.click("#save-zone")
    expect(page.locator(".panel.drawing")).to_have_count(0)
    saved = "SELECT radius_m, width_m, wearers FROM zone WHERE name IN ('River bank', 'Workplace') ORDER BY name"
    assert console.rows(saved) == [(None, 500.0, None), (30.0, None, ["w-0031"])]


def test_every_kind_of_zone_is_drawn_as_the_ground_that_it_covers(page: Page, console: Console) -> None:
    def square(east: float, north: float, half: float) -> list[list[float]]:
        lon, lat = 101.70 + east, 26.75 + north
        return [[lon + x * half, lat + y * half] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]

    ring = {"type": "MultiPolygon", "coordinates": [
        [square(0, 0, 0.03), square(0.008, 0.008, 0.012)], [square(0.06, 0.015, 0.012)]]}  # fmt: skip
    bend = {"type": "LineString", "coordinates": [[101.62, 26.70], [101.70, 26.69], [101.78, 26.71]]}
    spot = {"type": "Point", "coordinates": [101.82, 26.76]}
    zones = [("城区", "keep_in", ring, {"approach_m": 600}), ("江岸", "interest", bend, {"width_m": 800}),
             ("沿江路", "keep_out", bend | {"coordinates": [[101.64, 26.80], [101.75, 26.81], [101.80, 26.80]]},
              {"width_m": 900, "approach_m": 700}),
             ("矿区", "keep_out", spot, {"radius_m": 1500, "approach_m": 800, "datum": "GCJ-02"}),
             ("宿舍", "curfew", spot | {"coordinates": [101.86, 26.70]}, {"radius_m": 1200})]  # fmt: skip
    browser = console.sign_in()
    for name, kind, geometry, more in zones:
        properties = {"org": "panzhihua", "name": name, "kind": kind, "datum": "WGS-84"} | more
        sent = {"type": "Feature", "geometry": geometry, "properties": properties}
        assert browser.post("/api/zones", json=sent).status_code == 201
    page.reload()
    expect(page.locator(".map-name.zone", has_text="江岸")).to_have_count(1)
    expect(page.locator(".legend .zone")).to_have_text(["活动范围", "禁入区域", "宵禁地点", "关注地点", "临近提醒线"])
    map_box = page.locator("#map").bounding_box()
    assert map_box is not None
    page.mouse.move(map_box["x"] + 0.42 * map_box["width"], map_box["y"] + 0.4 * map_box["height"])
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(800)  # for the wheel's own glide, which has no end to ask for
    picture(page, "zones-zh")


def test_who_only_watches_has_no_pen(browser: Browser, console: Console) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(console.url)
    page.fill("[name=name]", "xi")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    expect(page.locator(".legend")).to_be_visible()
    expect(page.locator("#draw-zone")).to_have_count(0)
    page.close()
