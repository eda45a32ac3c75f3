from typing import Any

import pytest

from evaluation.outcome import Event, Found, Interval, Load
from evaluation.workload import CLOSES_AFTER_S, Met, load, met
from schemas.alerts import KINDS, AlertCode, AlertState, Priority

MINUTE = 60_000
EXIT, BATTERY, STRAP = AlertCode.ZONE_EXIT, AlertCode.DEVICE_BATTERY, AlertCode.DEVICE_STRAP
SOS, PROTECTED, GATHERING = AlertCode.DEVICE_SOS, AlertCode.PROXIMITY_PROTECTED, AlertCode.GATHERING
SILENCE, NO_FIX, APPROACH = AlertCode.DEVICE_SILENCE, AlertCode.DEVICE_NO_FIX, AlertCode.ZONE_APPROACH
TRUE = Event("band-1", EXIT, 0, 10 * MINUTE, {})


def alert(
    at_min: float,
    ended_min: float | None,
    code: AlertCode,
    band: int = 1,
    *,
    wearer: int | None = None,
    priority: Priority | None = None,
) -> Found:
    at_ms = round(at_min * MINUTE)
    return Found(
        device=f"band-{band}",
        wearer=f"wearer-{band if wearer is None else wearer}",
        code=code,
        subject="",
        priority=(KINDS[code].priority if priority is None else priority).label,
        found_ms=at_ms,
        known_ms=at_ms,
        ended_ms=None if ended_min is None else round(ended_min * MINUTE),
        state=AlertState.OPEN if ended_min is None else AlertState.CLEARED,
        historic=False,
        evidence={},
    )


def incidents(*alerts: Found) -> list[Met]:
    return met(alerts, [None] * len(alerts))


def loaded(alerts: list[Found], accounts: list[Event | None] | None = None, **more: Any) -> Load:
    observed = {f"band-{n}": 10.0 for n in range(1, 11)}
    given: dict[str, Any] = {"events": [], "observed": observed, "seed": 1, **more}
    return load(alerts, belongs_or_explained=accounts or [None] * len(alerts), **given)


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        pytest.param(alert(0, 30, SILENCE), alert(20, 40, NO_FIX), 1, id="one cause, at one time"),
        pytest.param(alert(0, 30, SILENCE), alert(31, 40, NO_FIX), 2, id="the first had ended"),
        pytest.param(alert(0, None, SILENCE), alert(9_000, 9_001, NO_FIX), 1, id="the first never ended"),
        pytest.param(alert(20, 40, NO_FIX), alert(0, 30, SILENCE), 1, id="in any order"),
        pytest.param(alert(0, 30, SILENCE), alert(20, 40, BATTERY), 2, id="two causes"),
        pytest.param(alert(0, 30, SILENCE), alert(20, 40, SILENCE, 2), 2, id="two wearers"),
        pytest.param(alert(0, 30, SILENCE), alert(20, 40, SILENCE, 2, wearer=1), 1, id="two bands of one wearer"),
        pytest.param(alert(0, 5, EXIT), alert(64, 70, EXIT), 1, id="high: nobody has closed it yet"),
        pytest.param(alert(0, 5, EXIT), alert(66, 70, EXIT), 2, id="high: closed an hour after it ended"),
        pytest.param(alert(0, None, STRAP), alert(59, None, STRAP), 1, id="latched: nobody has closed it yet"),
        pytest.param(alert(0, None, STRAP), alert(61, None, STRAP), 2, id="latched: closed an hour after it opened"),
        pytest.param(
            alert(0, 5, SOS, priority=Priority.LOW), alert(30, 31, SOS), 1, id="latched, whatever its priority"
        ),
        pytest.param(alert(0, 5, BATTERY), alert(30, 40, BATTERY), 2, id="low: closed itself"),
        pytest.param(alert(0, 5, BATTERY, priority=Priority.HIGH), alert(30, 40, BATTERY), 1, id="raised to high"),
    ],
)
def test_alerts_of_one_wearer_and_cause_are_one_incident_while_it_is_open(first, second, count):
    assert len(incidents(first, second)) == count


def test_an_incident_grows_with_each_alert():
    chain = [alert(0, 30, SILENCE), alert(20, 50, NO_FIX), alert(40, 60, SILENCE), alert(61, 62, SILENCE)]
    assert len(incidents(*chain)) == 2


def test_a_high_alert_keeps_the_incident_open_that_a_low_one_began():
    assert len(incidents(alert(0, 30, APPROACH), alert(10, 20, EXIT), alert(80, 85, APPROACH))) == 1


def test_what_is_latched_keeps_the_incident_open_that_others_join():
    latched = alert(0, 5, PROTECTED, priority=Priority.LOW)
    assert len(incidents(latched, alert(3, 6, GATHERING), alert(30, 40, GATHERING))) == 1


def test_a_person_takes_an_hour_from_the_last_alert_not_from_the_first():
    assert len(incidents(alert(0, 5, EXIT), alert(60, 61, EXIT), alert(100, 101, EXIT), alert(162, 163, EXIT))) == 2


def test_a_short_alert_does_not_end_the_incident_of_a_longer_one():
    assert len(incidents(alert(0, 60, SILENCE), alert(5, 10, NO_FIX), alert(50, 55, NO_FIX))) == 1


def test_a_person_takes_an_hour():
    [incident] = incidents(alert(0, 5, EXIT))
    assert incident.ends_ms == 5 * MINUTE + 1_000 * CLOSES_AFTER_S == 65 * MINUTE


def test_an_incident_counts_by_the_highest_priority_it_reached():
    load = loaded([alert(0, 30, APPROACH), alert(10, 20, EXIT), alert(0, 1, BATTERY)])
    assert load.incidents == 2
    assert load.by_priority == {"highest": 0, "high": 1, "medium": 0, "low": 1, "welfare": 0}
    assert list(load.by_priority) == ["highest", "high", "medium", "low", "welfare"]


def test_an_incident_with_one_alert_that_an_event_accounts_for_is_not_without_event():
    alerts = [alert(0, 30, APPROACH), alert(10, 20, EXIT), alert(0, 1, BATTERY)]
    load = loaded(alerts, [None, TRUE, None])
    assert load.per_wearer_day.value == 0.02
    assert load.without_event_per_wearer_day.value == 0.01


def test_wearers_to_whom_something_true_happened_are_no_measure_of_peace():
    alerts = [alert(0, 1, BATTERY), alert(100, 101, BATTERY), alert(0, 1, BATTERY, 2)]
    load = loaded(alerts, events=[TRUE])
    assert load.per_wearer_day.value == 0.03
    assert load.undisturbed_per_wearer_day.value == pytest.approx(1 / 90)


def test_where_nobody_was_undisturbed_there_is_no_figure():
    load = loaded([alert(0, 1, BATTERY)], events=[TRUE], observed={"band-1": 10.0})
    assert load.undisturbed_per_wearer_day == Interval()


def test_no_incident_at_all_is_no_proof_of_none_ever():
    assert loaded([]).per_wearer_day == Interval(0.0, 0.0, 0.03)


def test_each_alert_needs_its_account():
    with pytest.raises(ValueError, match="zip"):
        met([alert(0, 1, BATTERY)], [])
