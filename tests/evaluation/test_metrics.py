from collections.abc import Sequence
from time import process_time
from typing import Any

import numpy as np
import pytest

from evaluation.intervals import resample
from evaluation.matching import Matching, explanations, match
from evaluation.metrics import (
    Judged,
    code_report,
    context_reports,
    figures,
    judge_codes,
    merge,
    precision,
    settle,
    variants,
    worst_decile,
)
from evaluation.outcome import Context, CurvePoint, Event, Figures, Found, Interval
from schemas.alerts import AlertCode, AlertState

MINUTE = 60_000
DAY_MIN = 1_440
EXIT, SILENCE, OUTAGE = AlertCode.ZONE_EXIT, AlertCode.DEVICE_SILENCE, AlertCode.SITE_OUTAGE


def event(
    start_min: float, device: str = "band-0", code: AlertCode = EXIT, lasts_min: float = 10, **more: Any
) -> Event:
    return Event(device, code, round(start_min * MINUTE), round((start_min + lasts_min) * MINUTE), more)


def alert(at_min: float, device: str = "band-0", code: AlertCode = EXIT) -> Found:
    at_ms = round(at_min * MINUTE)
    return Found(device, f"w-{device}", code, "", "high", at_ms, at_ms, at_ms, AlertState.CLEARED, False, {})


def fleet(bands: int, days: float = 30.0) -> dict[str, float]:
    return {f"band-{n}": days for n in range(bands)}


def judged_by(
    events: list[Event], alerts: list[Found], observed: dict[str, float], others: Sequence[Event] = (), **more: Any
) -> Figures:
    return figures(EXIT, events, alerts, observed, every_event=[*events, *others], seed=1, **more)


class TestFigures:
    def test_count_what_was_found_and_what_rang_for_nothing(self):
        events = [event(0), event(100), event(200, "band-1")]
        alerts = [alert(2), alert(4), alert(203, "band-1"), alert(500), alert(600, "band-3")]
        result = judged_by(events, alerts, fleet(4))
        assert (result.events, result.found, result.alerts, result.false_alerts) == (3, 2, 5, 2)
        assert result.recall.value == 2 / 3
        assert result.false_per_wearer_day.value == 2 / 120
        assert result.alerts_per_event.value == 3 / 2

    def test_count_only_their_own_code(self):
        result = judged_by([event(0), event(0, code=OUTAGE)], [alert(2), alert(99, code=SILENCE)], fleet(1))
        assert (result.events, result.alerts, result.false_alerts) == (1, 1, 0)

    def test_time_to_detect_counts_misses_too(self):
        events = [event(100 * n) for n in range(20)]
        alerts = [alert(100 * n + 1) for n in range(18)]
        result = judged_by(events, alerts, fleet(1))
        assert result.detect_p50_s.value == 60
        assert result.detect_p95_s.value == 14 * 60

    def test_time_to_detect_of_a_few_found_among_many_missed_is_that_of_a_miss(self):
        events = [event(100 * n) for n in range(10)]
        assert judged_by(events, [alert(0)], fleet(1)).detect_p50_s.value == 14 * 60

    def test_what_another_event_explains_is_neither_true_nor_false(self):
        spoof = event(0, code=AlertCode.DEVICE_SPOOF)
        result = judged_by([event(100)], [alert(5), alert(101), alert(50)], fleet(1), others=[spoof])
        assert (result.explained, result.false_alerts, result.found) == (1, 1, 1)

    def test_what_belongs_to_an_event_is_not_explained_by_another(self):
        spoof = event(0, code=AlertCode.DEVICE_SPOOF)
        assert judged_by([event(0)], [alert(5)], fleet(1), others=[spoof]).explained == 0

    def test_without_events_say_nothing_of_recall(self):
        result = judged_by([], [alert(5)], fleet(2))
        assert result.recall == result.detect_p50_s == result.alerts_per_event == Interval()
        assert result.precision == {"0.01": None, "0.001": None}
        assert result.false_per_wearer_day.value == 1 / 60

    def test_without_observed_days_say_nothing_of_rates(self):
        result = judged_by([event(0)], [alert(50)], {"band-0": 0.0})
        assert result.false_per_wearer_day == Interval()
        assert result.worst_decile_per_wearer_day == 0.0
        assert result.false_alerts == result.events == 1

    def test_of_nothing_at_all_are_empty(self):
        result = judged_by([], [], {})
        assert (result.events, result.alerts, result.recall) == (0, 0, Interval())

    def test_are_the_same_for_the_same_seed_whatever_the_order(self):
        rng = np.random.default_rng(3)
        events = [event(day * DAY_MIN, f"band-{n}") for n in range(20) for day in range(5)]
        alerts = [alert(day * DAY_MIN + rng.uniform(-60, 60), f"band-{n}") for n in range(20) for day in range(5)]
        observed = fleet(40)
        one = judged_by(events, alerts, observed)
        assert one == judged_by(events[::-1], alerts[::-1], dict(reversed(observed.items())))
        assert one != figures(EXIT, events, alerts, observed, every_event=events, seed=2)

    def test_precision_is_stated_at_each_event_rate(self):
        result = judged_by([event(0), event(500)], [alert(1), alert(5_000)], fleet(10, 10))
        assert result.precision == {"0.01": pytest.approx(0.005 / 0.015), "0.001": pytest.approx(0.0005 / 0.0105)}

    def test_no_false_alert_seen_is_not_none_at_all(self):
        result = judged_by([event(0), event(500)], [alert(1), alert(501)], fleet(10, 10))
        assert result.precision["0.01"] == 1.0
        assert result.precision_at_least["0.01"] == pytest.approx(
            result.recall.low * 0.01 / (result.recall.low * 0.01 + 3 / 100)
        )

    def test_intervals_of_delays_follow_the_wearers(self):
        events = [event(100 * n, f"band-{b}") for b in range(20) for n in range(5)]
        alerts = [alert(100 * n + b / 2, f"band-{b}") for b in range(20) for n in range(5)]
        p50 = judged_by(events, alerts, fleet(20)).detect_p50_s
        assert p50.value == 9 * 30
        assert 4 * 30 <= p50.low < p50.value < p50.high <= 15 * 30


class TestMerging:
    @pytest.mark.parametrize(
        ("minutes", "counted"),
        [
            pytest.param([0, 14.9], 1, id="closer than a quarter of an hour"),
            pytest.param([0, 15], 2, id="a quarter of an hour"),
            pytest.param([20, 0, 10], 2, id="in any order"),
        ],
    )
    def test_close_alerts_count_once(self, minutes, counted):
        assert len(merge([alert(at) for at in minutes])) == counted

    def test_does_not_let_a_chatterer_count_once(self):
        assert len(merge([alert(10 * n) for n in range(144)])) == 72

    def test_joins_one_band_and_code_only(self):
        assert len(merge([alert(0), alert(1, "band-1"), alert(2, code=SILENCE)])) == 3

    def test_comes_before_counting_per_day(self):
        result = judged_by([], [alert(100), alert(105), alert(110)], fleet(1, 1))
        assert (result.alerts, result.false_alerts, result.false_per_wearer_day.value) == (3, 1, 1.0)

    def test_leaves_true_alerts_out(self):
        assert judged_by([event(100)], [alert(95), alert(101)], fleet(1)).false_alerts == 1


def test_precision_needs_something_that_rings():
    assert precision(0.0, 0.0, 0.01) is None
    assert precision(None, 0.1, 0.01) is None
    assert precision(0.9, None, 0.01) is None
    assert precision(0.9, 0.00078, 0.01) == pytest.approx(0.92, abs=1e-3)


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        pytest.param(10, 3.0, id="a tenth of ten is one"),
        pytest.param(11, 2.5, id="rounded up"),
        pytest.param(30, 2.0, id="three of thirty"),
        pytest.param(60, 1.0, id="those without any count as none"),
    ],
)
def test_the_worst_decile_are_those_with_the_highest_rates(bands, expected):
    counts = {"band-0": 30, "band-1": 90, "band-2": 60}
    observed = {**fleet(bands), "mute": 0.0}
    assert worst_decile({**counts, "mute": 9}, resample(observed, counts, seed=1)) == pytest.approx(expected)


class TestVariants:
    def matching(self) -> Matching:
        events = [event(0, kind="slow"), event(100, kind="fast"), event(200, kind="fast"), event(300)]
        return match(events, [alert(3), alert(101), alert(302)])

    def test_are_told_apart_by_kind_in_order_of_its_name(self):
        result = variants(self.matching(), resample(fleet(3), {"band-0"}, seed=1))
        assert [(v.kind, v.events, v.found, v.recall.value, v.detect_p50_s) for v in result] == [
            ("fast", 2, 1, 0.5, 60.0),
            ("slow", 1, 1, 1.0, 180.0),
            ("—", 1, 1, 1.0, 120.0),
        ]

    def test_have_intervals_that_do_not_claim_certainty(self):
        slow = variants(self.matching(), resample(fleet(3), {"band-0"}, seed=1))[1]
        assert slow.recall.low == pytest.approx(0.207, abs=1e-3)


def test_settling_keeps_the_false_ones_themselves():
    events = [event(0)]
    settled = settle(EXIT, events, [alert(1), alert(70), alert(50)], explanations(events))
    assert [found.found_ms for found in settled.false] == [50 * MINUTE, 70 * MINUTE]
    assert settled.missed == []


def test_a_code_report_sets_each_baseline_beside_ours():
    events = [event(0), event(500, "band-1")]
    curve = {"margin": [CurvePoint("50 m", 0.1, 0.9)]}
    report = code_report(
        EXIT,
        events=events,
        ours=[alert(1), alert(501, "band-1")],
        baselines={"never": [], "often": [alert(60 * n) for n in range(10)]},
        observed=fleet(5),
        every_event=events,
        has_detector=True,
        curves=curve,
        seed=1,
    )
    assert (report.code, report.has_detector, report.curves) == (EXIT, True, curve)
    assert report.ours.recall.value == 1.0
    assert {name: (f.found, f.false_alerts) for name, f in report.baselines.items()} == {
        "never": (0, 0),
        "often": (1, 9),
    }
    assert [variant.kind for variant in report.variants] == ["—"]


class TestContexts:
    def test_count_what_rang_falsely_while_they_lasted_or_shortly_after(self):
        contexts = [
            Context("band-0", "cycling", 100 * MINUTE, 120 * MINUTE),
            Context("band-1", "cycling", 100 * MINUTE, 120 * MINUTE),
            Context("band-0", "bath", 500 * MINUTE, 520 * MINUTE),
        ]
        false = [
            alert(99.9),
            alert(100),
            alert(135, code=SILENCE),
            alert(135.1),
            alert(110, "band-1"),
            alert(110, "band-2"),
        ]
        bath, cycling = context_reports(contexts, false)
        assert (bath.context, bath.occurrences, bath.false_alerts) == ("bath", 1, {})
        assert (cycling.context, cycling.occurrences) == ("cycling", 2)
        assert cycling.false_alerts == {"device.silence": 1, "zone.exit": 2}


class TestJudging:
    OUTAGE_EVENT = event(0, code=OUTAGE, lasts_min=100)
    MISSED = event(5_000)
    EVENTS = (MISSED, OUTAGE_EVENT, event(0), event(100, "band-1"))
    ALERTS = (alert(50, code=SILENCE), alert(2), alert(1_000), alert(101, "band-1"), alert(1_005))

    def judged(self, **more: Any) -> Judged:
        return judge_codes(self.EVENTS, self.ALERTS, {"never": []}, fleet(4), frozenset({EXIT}), seed=1, **more)

    def test_reports_every_code_that_has_events_or_alerts_in_order(self):
        reports = self.judged().reports
        assert [(r.code, r.has_detector) for r in reports] == [(EXIT, True), (SILENCE, False), (OUTAGE, False)]
        assert all(set(report.baselines) == {"never"} for report in reports)

    def test_reports_a_code_of_which_only_a_baseline_rang(self):
        judged = judge_codes([], [], {"random": [alert(1)]}, fleet(4), frozenset(), seed=1)
        assert [(r.code, r.ours.alerts, r.baselines["random"].false_alerts) for r in judged.reports] == [(EXIT, 0, 1)]

    def test_says_of_each_alert_in_its_place_what_became_of_it(self):
        judged = self.judged()
        assert judged.belongs == [None, self.EVENTS[2], None, self.EVENTS[3], None]
        assert judged.explained == [self.OUTAGE_EVENT, None, None, None, None]
        assert judged.belongs_or_explained == [self.OUTAGE_EVENT, self.EVENTS[2], None, self.EVENTS[3], None]

    def test_shows_what_was_missed_and_what_rang_falsely_as_it_is_counted(self):
        judged = self.judged()
        assert judged.missed == [self.MISSED, self.OUTAGE_EVENT]
        assert judged.false == [self.ALERTS[2]]
        assert len(judged.false) == sum(report.ours.false_alerts for report in judged.reports)

    def test_says_the_same_of_one_code_as_when_asked_for_it_alone(self):
        alone = figures(EXIT, self.EVENTS, self.ALERTS, fleet(4), every_event=self.EVENTS, seed=1)
        ours = self.judged().reports[0].ours
        assert (ours.found, ours.false_alerts, ours.recall.value) == (
            alone.found,
            alone.false_alerts,
            alone.recall.value,
        )
        assert (ours.detect_p50_s.value, ours.precision) == (alone.detect_p50_s.value, alone.precision)

    def test_puts_curves_where_they_belong(self):
        curve = {"margin": [CurvePoint("50 m", 0.1, 0.9)]}
        reports = self.judged(curves={EXIT: curve}).reports
        assert [report.curves for report in reports] == [curve, {}, {}]


def test_a_million_wearer_days_are_judged_in_seconds():
    rng = np.random.default_rng(1)
    observed = fleet(33_334, 30.0)
    codes = list(AlertCode)
    events = [
        event(at, f"band-{n}", codes[n % len(codes)])
        for n, at in zip(rng.integers(0, 33_334, 5_000).tolist(), rng.uniform(0, 30 * DAY_MIN, 5_000), strict=True)
    ]
    hits = [alert(e.start_ms / MINUTE + 1, e.device, e.code) for e in events[:4_000]]
    noise = [
        alert(at, f"band-{n}", codes[k % len(codes)])
        for k, (n, at) in enumerate(
            zip(rng.integers(0, 33_334, 16_000).tolist(), rng.uniform(0, 30 * DAY_MIN, 16_000), strict=True)
        )
    ]
    began = process_time()
    judged = judge_codes(events, [*hits, *noise], {"hits": hits}, observed, frozenset(), seed=1)
    assert process_time() - began < 20.0
    assert len(judged.reports) == len(codes)
