import numpy as np
import pytest

from evaluation.outcome import Found
from evaluation.recording import Observed, Recording
from schemas.alerts import AlertCode, AlertState
from schemas.readings import Readings
from tests.world import HOME, START_MS, numbered

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIDNIGHT_MS = START_MS // DAY_MS * DAY_MS - 8 * HOUR_MS  # in Shanghai


def heard(*hours: float, device: int = 1, from_ms: int = MIDNIGHT_MS) -> Readings:
    event_ms = from_ms + (np.array(hours) * HOUR_MS).astype(np.int64)
    return Readings.of(device=np.full(len(hours), device), event_ms=event_ms)


def observed(*batches: Readings, bands: int = 3) -> Observed:
    watch = Observed.of(numbered(bands=bands))
    for batch in batches:
        watch.add(batch)
    return watch


def test_a_window_has_one_band_by_event_time_from_its_first_moment_to_before_its_last() -> None:
    recording = Recording()
    recording.add(Readings.of(device=[1, 2, 1], event_ms=[40, 20, 10], steps=[4, 9, 1]))
    recording.add(Readings.of(device=[1, 2, 1], event_ms=[30, 30, 20], steps=[3, 9, 2]))
    window = recording.window(1, 10, 40)
    assert (window.event_ms.tolist(), window.steps.tolist()) == ([10, 20, 30], [1, 2, 3])


@pytest.mark.parametrize(("device", "from_ms", "to_ms"), [(3, 0, 99), (1, 41, 99), (1, 0, 10)])
def test_where_nothing_was_said_a_window_is_empty(device, from_ms, to_ms) -> None:
    recording = Recording()
    assert len(recording.window(device, from_ms, to_ms)) == 0
    recording.add(Readings.of(device=[1, 4], event_ms=[10, 50]))
    assert len(recording.window(device, from_ms, to_ms)) == 0


def test_what_is_added_after_a_look_is_found_at_the_next() -> None:
    recording = Recording()
    recording.add(Readings.of(device=[1], event_ms=[20]))
    recording.window(1, 0, 99)
    recording.add(Readings.of(device=[1], event_ms=[10]))
    assert recording.window(1, 0, 99).event_ms.tolist() == [10, 20]


def test_values_come_back_as_they_were_and_absent_ones_as_absent() -> None:
    kept = Readings.of(
        device=[1], event_ms=[START_MS], ingest_ms=[START_MS + 31 * DAY_MS], lat=[HOME[0]], lon=[HOME[1]],
        accuracy_m=[8.5], heart_rate_bpm=[61], skin_temp_c=[33.25], spo2_pct=[97], steps=[12], activity=[0.5],
        peak_g=[1.25], battery_pct=[80], strap_closed=[0], case_closed=[1], sos=[1],
    )  # fmt: skip
    recording = Recording()
    recording.add(kept)
    recording.add(Readings.of(device=[2], event_ms=[START_MS]))
    window = recording.window(1, START_MS, START_MS + 1)
    near = window.replace(lat=kept.lat, lon=kept.lon)
    assert near.to_bytes() == kept.to_bytes()
    assert np.abs(window.lat - kept.lat)[0] * 111_195 < 1
    assert np.abs(window.lon - kept.lon)[0] * 111_195 < 1
    absent = recording.window(2, START_MS, START_MS + 1)
    assert absent.to_bytes() == Readings.of(device=[2], event_ms=[START_MS]).to_bytes()


@pytest.mark.parametrize(("hours", "days"), [(8, 1), (7, 0)], ids=["eight", "seven"])
def test_a_day_counts_with_readings_in_eight_of_its_hours(hours, days) -> None:
    assert observed(heard(*range(hours))).days() == {"band-1": days}


def test_many_readings_in_an_hour_are_one_hour() -> None:
    assert observed(heard(*np.linspace(0, 6.9, 500))).days() == {"band-1": 0}


def test_hours_of_a_day_add_up_over_batches_and_days_over_the_run() -> None:
    batches = [heard(n, n + 24, n + 0.5) for n in range(8)]
    assert observed(*batches).days() == {"band-1": 2}


def test_hours_of_two_days_or_two_bands_make_no_day() -> None:
    over_midnight = heard(*range(20, 28))
    two_bands = [heard(*range(4), device=2), heard(*range(4, 8), device=3)]
    assert observed(over_midnight, *two_bands).days() == {"band-1": 0, "band-2": 0, "band-3": 0}


def test_a_span_goes_from_the_first_event_to_the_last_in_whatever_order_they_came() -> None:
    watch = observed(heard(5, 3), heard(9, 4), heard(7, device=2))
    assert watch.spans() == {
        "band-1": (MIDNIGHT_MS + 3 * HOUR_MS, MIDNIGHT_MS + 9 * HOUR_MS),
        "band-2": (MIDNIGHT_MS + 7 * HOUR_MS, MIDNIGHT_MS + 7 * HOUR_MS),
    }


def test_unknown_bands_are_not_observed() -> None:
    watch = observed(heard(1, device=0), heard(1, device=2), heard(1, device=99))
    assert set(watch.spans()) == set(watch.days()) == {"band-2"}


def test_that_a_recording_ends_is_no_silence_of_its_bands() -> None:
    watch = observed(heard(1, 4), heard(2, device=2))
    while_some_spoke, after_all = (
        Found(
            "band-2", "w-2", AlertCode.DEVICE_SILENCE, "", "medium", at, at, None, AlertState.OPEN, historic=False,
            evidence={},
        )
        for at in (MIDNIGHT_MS + 3 * HOUR_MS, MIDNIGHT_MS + 4 * HOUR_MS + 1)
    )  # fmt: skip
    assert watch.in_time([while_some_spoke, after_all]) == [while_some_spoke]
