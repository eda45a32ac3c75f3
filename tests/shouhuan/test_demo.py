"""``shouhuan demo`` as a newcomer runs it: embedded services only, and the worker killed in the middle."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from shouhuan.settings import WEB_DIR
from tests.services.missing import unavailable
from tests.services.ports import wait_until

DURATION_S = 25
SCREENSHOTS = Path(os.environ.get("SHOUHUAN_SCREENSHOT_DIR", "build/screenshots"))


def signed_in(browser: Browser, welcome: str) -> Page:
    """The console as somebody sees it who has read what the demo printed."""
    told = re.search(r"Console: (\S+)\s+user (\S+)\s+password (\S+)", welcome)
    assert told is not None, welcome
    page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN").new_page()
    page.goto(told[1])
    page.fill("[name=name]", told[2])
    page.fill("[name=password]", told[3])
    page.click("button.primary")
    expect(page.locator(".queue")).to_be_visible()
    return page


@pytest.mark.timeout(150)
def test_an_unattended_run_takes_a_stranger_survives_kill_9_and_loses_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, browser: Browser
) -> None:
    if shutil.which("mosquitto_pub") is None:
        unavailable(request.config, "mosquitto_pub", "not on this machine")
    assert (WEB_DIR / "index.html").exists(), "the front end is not built: run `make setup`"
    report, output = tmp_path / "report.json", tmp_path / "output"
    arguments = [f"--duration={DURATION_S}", f"--report={report}", f"--data-dir={tmp_path / 'd'}", "--wearers=40"]
    with output.open("wb") as written:
        demo = subprocess.Popen([sys.executable, "-m", "shouhuan", "demo", *arguments], stdout=written, stderr=written)
    wait_until(lambda: "Console:" in output.read_text(), "the console's address", 60)
    wait_until(lambda: "push" in output.read_text(), f"a push; output:\n{output.read_text()}", 60)
    page = signed_in(browser, output.read_text())
    visitor = page.locator(".queue .incident").filter(has_text="演示访客").filter(has_text="越界")
    expect(visitor).to_have_count(0)
    command = next(line for line in output.read_text().splitlines() if line.startswith("mosquitto_pub"))
    for _ in range(2):
        subprocess.run(["bash", "-c", command], check=True, timeout=20)
        time.sleep(1.1)  # the printed command numbers its messages by the second
    wait_until(lambda: "越界" in output.read_text(), f"the push about the visitor; output:\n{output.read_text()}")
    expect(visitor).to_have_count(1)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "demo.png")
    page.context.close()
    stream = next(p for p in psutil.Process(demo.pid).children() if "stream" in p.cmdline())
    os.kill(stream.pid, signal.SIGKILL)
    assert demo.wait(90) == 0, output.read_text()
    told = json.loads(report.read_text())
    assert told["restarts"] == {"stream": 1}
    assert told["readings"]["sent"] > 40 * DURATION_S / 5 * 0.7
    assert told["readings"]["stored"] == told["readings"]["sent"] + 2
    assert told["alerts"]["by_code"]["zone.exit"] >= 1
    assert told["readings"]["dead_lettered"] == 0
    assert told["alerts"]["by_code"]["device.strap"] >= 1
    assert told["first_alert_after_s"] <= 30
    assert told["pages_delivered"] >= 1
    assert told["latency_ms"]["p50"] > 0
