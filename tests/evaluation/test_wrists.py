"""Recorded wrists as readings, and pulses lost on bands that are worn."""

import numpy as np

from evaluation.backgrounds import Band, background
from evaluation.wrists import LOST_MIN, SETTLED_MIN, lost_pulses, wrist_minutes
from schemas.readings import Readings
from tests.recordings import DATA, needs

MINUTE_MS = 60_000


def test_lost_pulses_change_nothing_else_and_are_told_as_a_context():
    columns = {
        "event_ms": np.arange(60) * MINUTE_MS,
        "heart_rate_bpm": np.full(60, 70.0),
        "skin_temp_c": np.full(60, 33.0),
    }
    made = background("still", [Band("band-1", "w-1", columns)], [])
    case = lost_pulses(made, np.random.default_rng(1))
    after = Readings.concat(list(case.batches()))
    lost = np.flatnonzero(np.isnan(after.heart_rate_bpm))
    (context,) = case.contexts()
    assert LOST_MIN[0] <= len(lost) <= LOST_MIN[1]
    assert lost[0] >= SETTLED_MIN
    assert (context.name, context.start_ms, context.end_ms) == (
        "pulse_lost",
        lost[0] * MINUTE_MS,
        lost[-1] * MINUTE_MS,
    )
    assert (after.skin_temp_c == np.float32(33.0)).all()
    assert not np.isnan(made.readings.heart_rate_bpm).any()


@needs("stress_predict")
def test_wrists_are_those_of_people_nothing_was_calibrated_on():
    made = wrist_minutes(DATA)
    assert set(made.numbered.device_no) == {f"wrist-S{n:02d}.1" for n in range(2, 23, 2)}
    assert np.isfinite(made.readings.skin_temp_c).all()
    assert np.isnan(made.readings.steps).all()
    assert np.isnan(made.readings.peak_g).all()
    assert (np.diff(made.readings.event_ms[made.readings.device == 1]) == MINUTE_MS).all()
    assert ((made.readings.activity >= 0) & (made.readings.activity <= 1)).all()
