"""What ``make demo`` needs: something of every kind within half a minute, and readings that show it."""

from collections.abc import Callable

import numpy as np
import pytest

from schemas.alerts import AlertCode
from schemas.registry import Datum, Registry, ZoneKind
from schemas.truth import TruthLine
from schemas.wire import DeviceStatus, Fix, Reading, Vitals
from simulator.fences import Fences
from simulator.roster import Roster
from tests.simulator.conftest import NOON_MS, Run
from tests.simulator.watched import ms


def _during(run: Run, event: TruthLine) -> list[Reading]:
    return [r for r in run.readings[event.device] if ms(event.start) <= r.time_ms < ms(event.end)]


def _outside(run: Run, event: TruthLine) -> list[Reading]:
    return [r for r in run.readings[event.device] if not ms(event.start) <= r.time_ms < ms(event.end)]


def _status(reading: Reading) -> DeviceStatus:
    assert isinstance(reading.device, DeviceStatus)
    return reading.device


SIGNS: dict[AlertCode, Callable[[Reading], bool]] = {
    AlertCode.DEVICE_STRAP: lambda reading: _status(reading).strap_closed is False,
    AlertCode.DEVICE_CASE: lambda reading: _status(reading).case_closed is False,
    AlertCode.DEVICE_SOS: lambda reading: _status(reading).sos is True,
    AlertCode.DEVICE_BATTERY: lambda reading: _status(reading).battery_pct < 18,
}


@pytest.mark.parametrize("code", SIGNS)
def test_what_is_true_of_a_band_shows_in_its_readings_and_only_then(run: Run, code: AlertCode) -> None:
    events = [event for event in run.truth if event.code is code]
    assert events
    affected = {event.device for event in events}
    for event in events:
        assert len(_during(run, event)) >= 3
        assert all(SIGNS[code](reading) for reading in _during(run, event))
        assert not any(SIGNS[code](reading) for reading in _outside(run, event))
    for device in run.readings.keys() - affected:
        assert not any(SIGNS[code](reading) for reading in run.readings[device])


def test_a_silent_band_says_nothing_until_its_silence_ends(run: Run) -> None:
    event = next(event for event in run.truth if event.code is AlertCode.DEVICE_SILENCE)
    assert ms(event.end) - ms(event.start) >= 40_000
    assert _during(run, event) == []
    assert any(reading.time_ms < ms(event.start) for reading in _outside(run, event))
    comes_back = ms(event.end) < NOON_MS + 235_000
    assert any(reading.time_ms >= ms(event.end) for reading in _outside(run, event)) == comes_back


def test_a_fast_heart_beats_fast_while_its_wearer_rests(run: Run) -> None:
    event = next(event for event in run.truth if event.code is AlertCode.VITALS_HEART_RATE)
    settled = [r for r in _during(run, event) if ms(event.start) + 150_000 < r.time_ms < ms(event.end) - 10_000]
    assert settled
    for reading in settled:
        assert isinstance(reading.vitals, Vitals)
        assert reading.vitals.heart_rate_bpm > 105
        assert reading.vitals.activity < 0.3


@pytest.mark.parametrize("code", [AlertCode.ZONE_EXIT, AlertCode.ZONE_ENTER, AlertCode.ZONE_CURFEW])
def test_fixes_of_a_breach_lie_on_the_wrong_side_and_those_before_on_the_right_one(
    run: Run, registry: Registry, code: AlertCode
) -> None:
    roster = Roster.of(registry, NOON_MS)
    fences = Fences.of(roster, registry.schedules, NOON_MS)
    events = [event for event in run.truth if event.code is code]
    assert events
    for event in events:
        row = roster.device.index(event.device)
        pair = next(n for n, p in enumerate(fences.pairs) if p.row == row and p.zone.id == event.parameters["zone"])
        sign = 1 if fences.keeps_in[pair] else -1
        # 35 m beside the wall the receiver's error may put a fix on either side.
        assert all(sign * _distance_m(fences, roster, pair, r) > -35 for r in _during(run, event))
        before = [r for r in run.readings[event.device] if r.time_ms < ms(event.start)]
        assert all(sign * _distance_m(fences, roster, pair, r) < 35 for r in before)


def _distance_m(fences: Fences, roster: Roster, pair: int, reading: Reading) -> float:
    assert isinstance(reading.fix, Fix)
    here = roster.plane.to_metres(fences.pairs[pair].row, np.array([reading.fix.lat]), np.array([reading.fix.lon]))
    return float(fences.distance_of_m(np.array([pair]), here)[0])


def test_the_demo_shows_something_of_every_kind_within_half_a_minute(run: Run) -> None:
    first_s = {event.code: (ms(event.start) - NOON_MS) / 1000 for event in reversed(run.truth)}
    assert first_s[AlertCode.DEVICE_STRAP] <= 8
    assert first_s[AlertCode.DEVICE_SOS] <= 8
    assert first_s[AlertCode.DEVICE_BATTERY] <= 10
    assert first_s[AlertCode.DEVICE_SILENCE] == 12
    assert first_s[AlertCode.ZONE_EXIT] <= 20
    assert max(first_s.values()) <= 30
    assert len(first_s) == 9


def test_whoever_leaves_is_well_outside_within_25_seconds(run: Run, registry: Registry) -> None:
    roster = Roster.of(registry, NOON_MS)
    fences = Fences.of(roster, registry.schedules, NOON_MS)
    event = next(event for event in run.truth if event.code is AlertCode.ZONE_EXIT)
    pair = fences.find(roster.device.index(event.device), ZoneKind.KEEP_IN)
    assert pair is not None
    for second, beyond_m in ((20, 60), (25, 100)):
        later = next(r for r in run.readings[event.device] if r.time_ms >= NOON_MS + second * 1000)
        assert _distance_m(fences, roster, pair, later) > beyond_m


def test_truth_is_ordered_and_no_event_is_reversed(run: Run) -> None:
    assert sorted(run.truth, key=TruthLine.order) == run.truth
    assert all(event.start < event.end for event in run.truth)
    assert all(ms(event.end) <= NOON_MS + 240_000 for event in run.truth)


def test_everything_in_the_demo_was_meant_to_happen(run: Run) -> None:
    assert "life" not in {event.parameters["kind"] for event in run.truth}


def test_the_demo_knows_only_the_datum_it_lives_in(registry: Registry) -> None:
    assert {zone.datum for zone in registry.zones} == {Datum.WGS84}
