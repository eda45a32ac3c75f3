import numpy as np
import pytest

from evaluation.intervals import per_day, ratio, resample, share
from evaluation.outcome import Interval


def fleet(bands: int, days: float = 30.0) -> dict[str, float]:
    return {f"band-{n}": days for n in range(bands)}


class TestIntervals:
    def test_hold_the_truth_about_nineteen_times_in_twenty(self):
        rng = np.random.default_rng(5)
        held = 0
        for seed in range(200):
            found = {f"band-{n}": int(k) for n, k in enumerate(rng.binomial(10, 0.8, 60))}
            interval = share(found, dict.fromkeys(found, 10), resample(fleet(60), found, seed=seed, resamples=400))
            held += interval.low <= 0.8 <= interval.high
        assert 180 <= held <= 198

    def test_are_wider_where_few_wearers_have_all_the_events(self):
        many = {f"band-{n}": 1 for n in range(100)}
        few = {f"band-{n}": 25 for n in range(4)}
        spread = share({b: n % 2 for n, b in enumerate(many)}, many, resample(fleet(100), many, seed=1))
        clustered = share({"band-0": 25, "band-1": 25}, few, resample(fleet(100), few, seed=1))
        assert spread.value == clustered.value == 0.5
        assert clustered.high - clustered.low > 3 * (spread.high - spread.low)

    @pytest.mark.parametrize(
        ("found", "low", "high"),
        [
            pytest.param(20, 0.839, 1.0, id="all"),
            pytest.param(0, 0.0, 0.161, id="none"),
            pytest.param(10, 0.299, 0.701, id="half, on one band"),
        ],
    )
    def test_of_recall_are_wilsons_where_the_bootstrap_cannot_vary(self, found, low, high):
        drawn = resample(fleet(10), {"band-0"}, seed=1)
        interval = share({"band-0": found}, {"band-0": 20}, drawn)
        assert (interval.value, interval.low, interval.high) == (
            found / 20,
            pytest.approx(low, abs=1e-3),
            pytest.approx(high, abs=1e-3),
        )

    def test_of_no_false_alert_end_at_the_rule_of_three(self):
        assert per_day({}, resample(fleet(10), {}, seed=1)) == Interval(0.0, 0.0, 3 / 300)

    def test_of_one_wearers_false_alerts_are_poissons(self):
        interval = per_day({"band-0": 10}, resample(fleet(1, 10), {"band-0"}, seed=1))
        assert (interval.value, interval.low, interval.high) == (
            1.0,
            pytest.approx(0.4795, abs=2e-3),
            pytest.approx(1.839, abs=2e-3),
        )

    def test_of_rates_are_wider_where_one_wearer_has_all_false_alerts(self):
        all_on_one = per_day({"band-0": 50}, resample(fleet(100), {"band-0"}, seed=1))
        spread = {f"band-{n}": 1 for n in range(50)}
        assert all_on_one.low == 0.0
        assert all_on_one.high > 2 * per_day(spread, resample(fleet(100), spread, seed=1)).high

    def test_a_ratio_of_nothing_is_none(self):
        assert ratio({}, {}, resample(fleet(2), {}, seed=1)) == Interval()


class TestResampling:
    def test_idle_wearers_are_drawn_as_if_each_had_been_named(self):
        observed = {f"band-{n}": float(n % 7) for n in range(200)}
        counts = {f"band-{n}": 1.0 for n in range(0, 200, 10)}
        brief = per_day(counts, resample(observed, counts, seed=1, resamples=20_000))
        whole = per_day(counts, resample(observed, observed, seed=2, resamples=20_000))
        assert brief.value == whole.value
        assert brief.low == pytest.approx(whole.low, rel=0.03)
        assert brief.high == pytest.approx(whole.high, rel=0.03)

    def test_draws_as_many_wearers_as_there_are(self):
        drawn = resample(fleet(9, 1.0), fleet(3), seed=1, resamples=50)
        assert drawn.days.tolist() == [9.0] * 50
        assert drawn.totals(fleet(3, 1.0)).mean() == pytest.approx(3, abs=0.8)

    def test_draws_the_same_in_whatever_order_bands_are_named(self):
        one, other = (resample(fleet(9), bands, seed=1) for bands in (["band-1", "band-5"], ["band-5", "band-1"]))
        assert one.totals({"band-1": 1.0}).tolist() == other.totals({"band-1": 1.0}).tolist()

    def test_a_band_without_days_dilutes_nothing(self):
        with_mute = {**fleet(5), **{f"mute-{n}": 0.0 for n in range(50)}}
        counts = {"band-0": 1.0}
        assert per_day(counts, resample(with_mute, counts, seed=1)) == per_day(
            counts, resample(fleet(5), counts, seed=1)
        )

    def test_what_rings_on_a_band_without_days_counts(self):
        assert per_day({"mute": 3.0}, resample({**fleet(1, 10), "mute": 0.0}, {"mute"}, seed=1)).value == 0.3
