"""When a blow and the stillness after it ask for somebody to look."""

from typing import Any

import numpy as np
import pytest

from anomaly.fall import Fall
from schemas.judging import Table, Verdict
from schemas.readings import Readings

START_MS = 1_772_380_800_000
BUSY = {"heart_rate_bpm": 74, "quality": 0.9, "steps": 30, "activity": 0.3, "peak_g": 1.4}
STILL = {**BUSY, "steps": 0, "activity": 0.01, "peak_g": 1.0}
BLOW = {**BUSY, "peak_g": 6.5}


def after(*readings: dict[str, Any]) -> list[Verdict]:
    """What a band's readings, a minute apart, ring."""
    fall = Fall(np.array([1]))
    table = Table.new(fall.keys, fall.columns)
    found: list[Verdict] = []
    for minute, reading in enumerate(readings):
        columns = {name: [value] for name, value in reading.items()}
        step = Readings.of(device=[1], event_ms=[START_MS + minute * 60_000], **columns)
        found += fall.judge(table, np.array([0]), step)
    return found


def test_a_blow_and_five_still_minutes_ring_and_motion_ends_it() -> None:
    verdicts = after(BUSY, BLOW, *[STILL] * 8, BUSY)
    assert [(verdict.transition.value, (verdict.at_ms - START_MS) // 60_000) for verdict in verdicts] == [
        ("opened", 6),
        ("cleared", 10),
    ]
    assert verdicts[0].onset_ms == START_MS + 60_000


def test_a_racing_heart_rings_sooner_but_not_before_three_minutes() -> None:
    racing = {**STILL, "heart_rate_bpm": 110}
    assert (after(BUSY, BLOW, *[racing] * 8)[0].at_ms - START_MS) // 60_000 == 4


def test_a_light_blow_needs_more_stillness() -> None:
    light = {**BUSY, "peak_g": 3.2}
    assert not after(BUSY, light, *[STILL] * 9)
    assert after(BUSY, light, *[STILL] * 12)


@pytest.mark.parametrize(
    "life",
    [
        pytest.param([BUSY, BLOW, *[BUSY] * 30], id="who goes on"),
        pytest.param([BUSY, BLOW, STILL, STILL, {**STILL, "steps": 3}, *[STILL] * 30], id="who gets up again"),
        pytest.param([BUSY, {**BUSY, "peak_g": 2.9}, *[STILL] * 60], id="a knock"),
        pytest.param([BUSY, *[STILL] * 300], id="sleep"),
        pytest.param([BUSY, BLOW, *[{**STILL, "heart_rate_bpm": np.nan, "quality": 0}] * 60], id="a dropped band"),
        pytest.param([{**BUSY, "peak_g": np.nan}, *[{**STILL, "peak_g": np.nan}] * 60], id="a firmware without peaks"),
        pytest.param([BUSY, BLOW, *[{"battery_pct": 80}] * 60], id="no vitals"),
    ],
)
def test_what_is_no_fall_does_not_ring(life: list[dict[str, Any]]) -> None:
    assert not after(*life)


def test_one_fall_rings_once() -> None:
    assert len(after(BUSY, BLOW, *[STILL] * 60)) == 1
