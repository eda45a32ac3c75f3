from time import process_time
from typing import Any

import numpy as np
import pytest

from evaluation.matching import EXPLAINS, GRACE_S, Matching, explained, explanations, grace_ms, match
from evaluation.outcome import Event, Found
from schemas.alerts import AlertCode, AlertState

MINUTE = 60_000
HOUR = 60 * MINUTE
EXIT = AlertCode.ZONE_EXIT
"""A code whose grace is 4 minutes."""


def event(start_min: float, end_min: float, code: AlertCode = EXIT, device: str = "band-1", **parameters: Any) -> Event:
    return Event(device, code, round(start_min * MINUTE), round(end_min * MINUTE), parameters)


def alert(
    at_min: float,
    ended_min: float | None = None,
    code: AlertCode = EXIT,
    device: str = "band-1",
    *,
    subject: str = "",
    known_min: float | None = None,
) -> Found:
    """Rings at a minute; ends at another, without one at once."""
    return Found(
        device=device,
        wearer=device.replace("band", "wearer"),
        code=code,
        subject=subject,
        priority="high",
        found_ms=round(at_min * MINUTE),
        known_ms=round((at_min if known_min is None else known_min) * MINUTE),
        ended_ms=round((at_min if ended_min is None else ended_min) * MINUTE),
        state=AlertState.CLEARED,
        historic=False,
        evidence={},
    )


def still_open(at_min: float, code: AlertCode = EXIT, **more: Any) -> Found:
    return alert(at_min, code=code, **more)._replace(ended_ms=None, state=AlertState.OPEN)


def found(matching: Matching) -> list[list[int]]:
    return [list(places) for places in matching.found_by]


@pytest.mark.parametrize(
    ("at_min", "is_found"),
    [
        pytest.param(9.99, False, id="before"),
        pytest.param(10, True, id="at its start"),
        pytest.param(15, True, id="within"),
        pytest.param(20, True, id="at its end"),
        pytest.param(24, True, id="at the end of grace"),
        pytest.param(24.01, False, id="after grace"),
    ],
)
def test_an_alert_finds_an_event_from_its_start_to_the_end_of_its_grace(at_min, is_found):
    matching = match([event(10, 20)], [alert(at_min)])
    assert matching.found == [is_found]
    assert list(matching.belongs) == [0 if is_found else None]


def test_an_alert_open_since_before_an_event_does_not_find_it():
    assert match([event(10, 20)], [still_open(9)]).found == [False]


def test_another_bands_alert_finds_nothing():
    assert match([event(10, 20)], [alert(12, device="band-2")]).found == [False]


@pytest.mark.parametrize(
    ("zone", "subject", "is_found"),
    [
        pytest.param({"zone": "home"}, "home", True, id="the same"),
        pytest.param({"zone": "home"}, "work", False, id="another"),
        pytest.param({"zone": "home"}, "", True, id="alert names none"),
        pytest.param({}, "home", True, id="event names none"),
    ],
)
def test_where_both_name_a_zone_it_is_the_same(zone, subject, is_found):
    assert match([event(10, 20, **zone)], [alert(12, subject=subject)]).found == [is_found]


def test_an_event_may_have_several_alerts():
    matching = match([event(10, 20)], [alert(12), alert(18), alert(30)])
    assert found(matching) == [[0, 1]]
    assert list(matching.belongs) == [0, 0, None]


def test_an_alert_belongs_to_what_still_runs_rather_than_to_what_has_ended():
    matching = match([event(10, 12), event(13, 20)], [alert(14)])
    assert found(matching) == [[], [0]]


def test_of_running_events_the_earliest_takes_the_alert():
    assert found(match([event(11, 30, zone="b"), event(10, 30, zone="a")], [alert(14)])) == [[], [0]]


def test_an_alert_belongs_to_one_event_and_the_next_alert_to_the_next():
    matching = match([event(10, 11), event(12, 13)], [alert(14), alert(14.5), alert(15.5)])
    assert found(matching) == [[0], [1, 2]]


def test_the_order_of_events_and_alerts_does_not_matter():
    events, alerts = [event(10, 20), event(40, 50)], [alert(12), alert(41), alert(80)]
    backwards = match(events[::-1], alerts[::-1])
    assert list(backwards.belongs) == [None, 0, 1]
    assert found(backwards) == [[1], [2]]


def test_illness_may_be_found_two_days_after():
    heart = AlertCode.VITALS_HEART_RATE
    late = alert(20 + 47 * 60, code=heart)
    assert match([event(10, 20, heart, kind="illness")], [late]).found == [True]
    assert match([event(10, 20, heart, kind="fast")], [late]).found == [False]


def test_every_code_has_a_grace():
    assert GRACE_S.keys() == set(AlertCode)
    assert grace_ms(event(0, 1, AlertCode.ROUTINE_DEVIATION)) == 6 * HOUR


class TestStandingAlerts:
    """An alert that is open already when the next event begins."""

    def test_finds_the_next_event_with_no_delay(self):
        matching = match([event(10, 20), event(22, 40)], [alert(11, 30)])
        assert found(matching) == [[0], [0]]
        assert matching.delays_s.tolist() == [60, 0]
        assert list(matching.belongs) == [0]

    @pytest.mark.parametrize(
        ("alerts", "second"),
        [
            pytest.param([alert(11, 21)], False, id="it ended before"),
            pytest.param([still_open(9)], False, id="it was false itself"),
            pytest.param([still_open(11, subject="home")], True, id="its zone"),
            pytest.param([], False, id="there is none"),
        ],
    )
    def test_only_if_it_is_open_and_was_true(self, alerts, second):
        assert match([event(10, 20, zone="home"), event(22, 40, zone="home")], alerts).found[1] == second

    def test_does_not_find_an_event_of_another_zone(self):
        assert match([event(10, 20, zone="home"), event(15, 40, zone="work")], [still_open(11)]).found == [True, False]

    def test_does_not_find_an_event_of_another_band(self):
        assert match([event(10, 20), event(12, 40, device="band-2")], [still_open(11)]).found == [True, False]

    def test_that_never_ends_does_not_find_all_that_follows(self):
        events = [event(start, start + 10) for start in range(0, 600, 30)]
        assert sum(match(events, [still_open(1)]).found) == 1

    def test_may_stand_through_a_condition_interrupted_again_and_again(self):
        events = [event(start, start + 10) for start in range(0, 60, 12)]
        matching = match(events, [alert(1, 45)])
        assert matching.found == [True, True, True, True, False]

    @pytest.mark.parametrize(
        ("start_min", "second"),
        [
            pytest.param(60, True, id="before a person closes it"),
            pytest.param(71, True, id="when a person closes it"),
            pytest.param(72, False, id="after a person has closed it"),
        ],
    )
    @pytest.mark.parametrize("first_ends_min", [20, 59])
    def test_if_latched_stands_until_a_person_would_have_closed_it(self, first_ends_min, start_min, second):
        strap = AlertCode.DEVICE_STRAP
        events = [event(10, first_ends_min, strap), event(start_min, 200, strap)]
        assert match(events, [still_open(11, strap)]).found == [True, second]

    def test_if_latched_in_a_backlog_stands_since_it_was_known(self):
        strap = AlertCode.DEVICE_STRAP
        events = [event(10, 20, strap), event(150, 200, strap)]
        assert match(events, [still_open(11, strap, known_min=100)]).found == [True, True]

    def test_needs_no_new_alert_but_takes_one(self):
        matching = match([event(10, 20), event(22, 40)], [alert(11, 30), alert(31)])
        assert found(matching) == [[0], [0, 1]]


@pytest.mark.parametrize(
    ("alerts", "delay_s"),
    [
        pytest.param([alert(13)], 180, id="from its start"),
        pytest.param([alert(13), alert(12)], 120, id="by the first"),
        pytest.param([alert(13, known_min=300)], 290 * 60, id="in a backlog, beyond the grace"),
        pytest.param([alert(13, known_min=9)], 0, id="never less than none"),
        pytest.param([], 14 * 60, id="a miss has its whole duration and grace"),
    ],
)
def test_the_time_to_detect_an_event(alerts, delay_s):
    assert match([event(10, 20)], alerts).delays_s.tolist() == [delay_s]


def test_nothing_matches_nothing():
    matching = match([], [])
    assert matching.delays_s.tolist() == matching.found == []


SILENCE, NO_FIX, OUTAGE = AlertCode.DEVICE_SILENCE, AlertCode.DEVICE_NO_FIX, AlertCode.SITE_OUTAGE


@pytest.mark.parametrize(
    ("cause", "ringing", "is_explained"),
    [
        pytest.param(event(10, 20, OUTAGE), alert(15, code=SILENCE), True, id="outage: silent"),
        pytest.param(event(10, 20, OUTAGE), alert(79, code=SILENCE), True, id="within the alert's grace"),
        pytest.param(event(10, 20, OUTAGE), alert(81, code=SILENCE), False, id="after it"),
        pytest.param(event(10, 20, OUTAGE), alert(9, code=SILENCE), False, id="before its cause"),
        pytest.param(event(10, 20, OUTAGE), alert(15, code=SILENCE, device="band-2"), False, id="another band"),
        pytest.param(event(10, 20, OUTAGE), alert(15, code=AlertCode.DEVICE_SOS), False, id="no consequence"),
        pytest.param(event(10, 20, SILENCE, kind="jamming"), alert(15, code=NO_FIX), True, id="jammed: no fix"),
        pytest.param(event(10, 20, NO_FIX), alert(15, code=SILENCE), False, id="no fix: still talking"),
        pytest.param(
            event(10, 20, AlertCode.DEVICE_STRAP), alert(15, code=AlertCode.DEVICE_OFF_BODY), True, id="strap: off"
        ),
        pytest.param(event(10, 20, AlertCode.DEVICE_SPOOF), alert(15, subject="home"), True, id="spoofed: out of zone"),
        pytest.param(
            event(10, 20, AlertCode.DEVICE_BATTERY, kind="dead_battery"), alert(15, code=SILENCE), True, id="dead"
        ),
        pytest.param(event(10, 20, AlertCode.DEVICE_BATTERY, kind="low"), alert(15, code=SILENCE), False, id="low"),
        pytest.param(
            event(10, 20, zone="home"),
            alert(7, code=AlertCode.ZONE_APPROACH, subject="home"),
            True,
            id="nearing a wall",
        ),
        pytest.param(
            event(10, 20, zone="home"), alert(7, code=AlertCode.ZONE_APPROACH, subject="work"), False, id="another wall"
        ),
        pytest.param(
            event(10, 20, zone="home"), alert(5, code=AlertCode.ZONE_APPROACH, subject="home"), False, id="long before"
        ),
    ],
)
def test_another_kind_of_event_explains_its_consequences(cause, ringing, is_explained):
    assert (explained(ringing, [cause]) is cause) == is_explained


def test_no_event_explains_alerts_of_its_own_code():
    assert all(code not in consequences for code, consequences in EXPLAINS.items())


def test_what_may_explain_is_found_by_band_and_alert():
    outage, silence = event(10, 20, OUTAGE), event(5, 8, SILENCE)
    assert explanations([outage, silence]) == {
        ("band-1", SILENCE): [outage],
        ("band-1", NO_FIX): [silence, outage],
    }


def test_a_busy_fleet_is_matched_in_time_that_grows_with_its_size_not_its_square():
    rng = np.random.default_rng(1)
    events = [event(day * 1440, day * 1440 + 20, device=f"band-{n}") for n in range(200) for day in range(25)]
    alerts = [
        alert(at, device=f"band-{n}")
        for at, n in zip(rng.uniform(0, 25 * 1440, 20_000), rng.integers(0, 200, 20_000).tolist(), strict=True)
    ]
    began = process_time()
    matching = match(events, alerts)
    assert process_time() - began < 1.0
    assert 0 < sum(matching.found) < len(events)
