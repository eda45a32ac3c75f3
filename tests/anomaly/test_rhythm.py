"""A person's usual day."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.rhythm import Rhythm, phase_of
from schemas.judging import Table

RHYTHM = Rhythm(level=68.0, cosine=-3.0, sine=-3.0, prior_min=120.0, memory_min=4_000.0)
ROW = np.array([0])
AHEAD_S = np.array([8 * 3600], np.int32)


def usual_at(table: Table, hour: float) -> float:
    return float(RHYTHM.usual(table, ROW, phase_of(np.array([round((hour - 8) * 3_600_000)]), AHEAD_S))[0])


@settings(max_examples=25, deadline=None)
@given(st.floats(40, 110), st.floats(0, 8), st.floats(0, 23.9))
def test_whatever_the_day_it_is_learnt(level: float, wave: float, top: float) -> None:
    table = Table.new(np.array([1]), RHYTHM.columns)

    def truly(hour: float) -> float:
        return float(level + wave * np.cos((hour - top) * np.pi / 12))

    for at_min in range(0, 30 * 1_440, 60):
        hour = (at_min / 60) % 24
        residual = np.clip(np.array([truly(hour) - usual_at(table, hour)], np.float32), -16, 16)
        phase = phase_of(np.array([at_min * 60_000 - 8 * 3_600_000]), AHEAD_S)
        RHYTHM.learn(table, ROW, phase, residual, np.array([60.0], np.float32))
    assert abs(usual_at(table, 4.0) - truly(4.0)) < 2.0
    assert abs(usual_at(table, 16.0) - truly(16.0)) < 2.0


def test_half_an_hour_of_another_rate_leaves_hardly_a_trace() -> None:
    table = Table.new(np.array([1]), RHYTHM.columns)
    table["weight_min"][0] = RHYTHM.memory_min
    before = usual_at(table, 12.0)
    for minute in range(30):
        phase = phase_of(np.array([4 * 3_600_000 + minute * 60_000]), AHEAD_S)
        RHYTHM.learn(table, ROW, phase, np.array([16.0], np.float32), np.array([1.0], np.float32))
    assert usual_at(table, 12.0) - before < 0.3
