"""Blood oxygen: low for anybody and for this person, more than once, from a quiet wrist."""

from typing import Any

import numpy as np
import pytest

from anomaly.spo2 import Oxygen
from schemas.judging import Verdict
from tests.anomaly.body import KEYS, fresh, opened, told

OXYGEN = Oxygen(KEYS)
HOURS = np.arange(180)
QUIET = {"steps": 0.0, "activity": 0.05, "quality": 0.9}


def judged(percent: Any, at: Any = HOURS, **columns: Any) -> list[Verdict]:
    return told(OXYGEN, fresh(OXYGEN), at, spo2_pct=percent, **{**QUIET, **columns})


def dip(to: float, minutes: int = 20, usual: float = 97.0) -> np.ndarray:
    return np.where((HOURS >= 60) & (60 + minutes > HOURS), to, usual)


def test_a_quarter_of_an_hour_at_86_rings_once_and_ends() -> None:
    rang, ended = judged(dip(86, 15))
    assert (rang.transition, ended.transition) == ("opened", "cleared")
    assert (rang.at_ms - rang.onset_ms) / 60_000 <= 5
    assert rang.evidence["readings"] >= 2
    assert rang.evidence["spo2_pct"] < rang.evidence["floor_pct"]


@pytest.mark.parametrize("to", [50, 70, 85])
def test_one_low_reading_rings_nothing_however_low(to: float) -> None:
    assert judged(dip(to, 1)) == []


def test_92_is_nobodys_emergency() -> None:
    assert judged(dip(92, 60)) == []


@pytest.mark.parametrize("gate", [{"activity": 0.6}, {"steps": 90.0}, {"quality": 0.3}])
def test_a_moving_wrist_and_a_sensor_in_doubt_say_nothing(gate: dict[str, float]) -> None:
    assert judged(dip(84), **gate) == []


def test_a_lung_patient_at_90_is_left_alone_until_it_falls() -> None:
    patient = np.arange(600)
    assert judged(90.0, at=patient) == []
    (fallen,) = opened(judged(np.where(patient < 500, 90.0, 82.0), at=patient))
    assert fallen.evidence["floor_pct"] == pytest.approx(86, abs=0.2)


def test_a_band_that_reports_every_five_minutes_rings_by_the_third_low_reading() -> None:
    at = np.arange(0, 300, 5)
    (rang,) = opened(judged(np.where(at >= 100, 85.0, 97.0), at=at))
    assert (rang.at_ms - rang.onset_ms) / 60_000 <= 10
