"""Two runs of one world compared: what each code gained or lost by the sampling loop, and what it cost."""

import pytest

from evaluation.outcome import Event, Found, Sampling
from evaluation.sampling import ALL_CROSSINGS, Run, Spent, checks, sampling
from evaluation.sampling_table import costs, rows
from schemas.alerts import AlertCode, AlertState

EXIT, SOS = AlertCode.ZONE_EXIT, AlertCode.DEVICE_SOS
HOUR_MS = 3_600_000
BANDS = [f"band-{n}" for n in range(10)]
OBSERVED = dict.fromkeys(BANDS, 5.0)
SPENT = Spent(
    asked={"near": 30, "released": 20},
    expired=1,
    fast_s=dict.fromkeys(BANDS, 4_320.0),
    powered_s=dict.fromkeys(BANDS, 86_400.0),
    battery_pct={band: 10.0 * (band == "band-3") for band in BANDS},
)
EVENTS = [Event(band, EXIT, HOUR_MS, 2 * HOUR_MS, {"zone": "z"}) for band in BANDS]


def alert(band: str, after_s: float, code: AlertCode = EXIT) -> Found:
    at_ms = HOUR_MS + round(after_s * 1000)
    return Found(
        band, band, code, "z", "high", at_ms, at_ms, at_ms + 60_000, AlertState.CLEARED, historic=False, evidence={}
    )


def compared(without: list[Found], closed: list[Found]) -> tuple[Sampling, Run, Run]:
    before, after = Run(EVENTS, without, 1_000), Run(EVENTS, closed, 1_250)
    return sampling(before, after, SPENT, OBSERVED, {EXIT, SOS}, seed=1), before, after


def test_the_same_events_are_found_sooner() -> None:
    without = [alert(band, 100.0 + n) for n, band in enumerate(BANDS)]
    closed = [alert(band, 40.0 + n) for n, band in enumerate(BANDS)]
    figures, before, after = compared(without, closed)
    assert [pair.code for pair in figures.codes] == [ALL_CROSSINGS, "zone.exit"]
    crossings = figures.codes[0]
    assert (crossings.without.p50_s, crossings.closed.p50_s) == (104.0, 44.0)
    assert (crossings.p50_change_s.value, crossings.sooner, crossings.later) == (-60.0, 10, 0)
    assert crossings.p50_change_s.high is not None
    assert crossings.p50_change_s.high < 0
    assert all(check.passed for check in checks(figures, before, after))


def test_what_it_cost_is_stated_a_wearer_day() -> None:
    figures, _, _ = compared([], [])
    assert figures.per_wearer_day == 1.0
    assert figures.fast_share == pytest.approx(0.05)
    assert figures.readings_more_pct == pytest.approx(25.0)
    assert (figures.battery_pct, figures.battery_worst_tenth_pct) == (0.2, 2.0)
    said = dict(costs(figures))
    assert said["time on the fast plan"] == "5.0 %"
    assert said["commands"] == "1.00 a wearer-day: near 30, released 20"


def test_few_false_alerts_are_within_the_budget_and_one_on_every_band_is_not() -> None:
    found = [alert(band, 60.0) for band in BANDS]
    false = [alert(band, -1_800.0) for band in BANDS]
    for more, passes in (([], True), (false[:1], True), (false, False)):
        figures, before, after = compared(found, [*found, *more])
        (_, less, check) = checks(figures, before, after)
        assert less.passed
        assert check.passed == passes, check.detail


def test_finding_less_fails() -> None:
    found = [alert(band, 60.0) for band in BANDS]
    figures, before, after = compared(found, [])
    (_, check, _) = checks(figures, before, after)
    assert not check.passed
    assert "zone.exit" in check.detail


def test_a_world_that_differs_is_no_pair() -> None:
    figures, before, after = compared([], [])
    (check, *_) = checks(figures, before._replace(events=EVENTS[1:]), after)
    assert not check.passed


def test_a_row_says_both_figures_and_how_sure_the_change_is() -> None:
    found = [alert(band, 100.0) for band in BANDS]
    figures, _, _ = compared(found[:5], found)
    cells = next(iter(rows(figures)))
    assert cells[0] == "10"
    assert cells[5].startswith("0.500 → 1.000 (+0.")
