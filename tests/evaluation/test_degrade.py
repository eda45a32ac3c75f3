from collections.abc import Sequence

import numpy as np
import pytest

from evaluation.degrade import FORGET_MS, Degradation, Door, degraded
from schemas.readings import Readings
from tests.world import START_MS

MINUTE_MS = 60_000
DAY_MS = 86_400_000
COUNT = 4_000


def stream(count: int = COUNT, bands: int = 20, every_ms: int = 3_000) -> Readings:
    number = np.arange(count)
    event_ms = START_MS + number * every_ms
    return Readings.of(
        device=number % bands + 1, seq=number // bands, event_ms=event_ms, ingest_ms=event_ms + 200, peak_g=number
    )


def cut(readings: Readings, size: int) -> list[Readings]:
    return [readings.take(np.arange(n, min(n + size, len(readings)))) for n in range(0, len(readings), size)]


def after(degradation: Degradation, readings: Readings | None = None, size: int = 500) -> Readings:
    return Readings.concat(list(degraded(cut(stream() if readings is None else readings, size), degradation)))


def numbers(readings: Readings) -> list[float]:
    """Which readings of the stream these are."""
    return readings.peak_g.tolist()


def same(one: Readings, other: Readings) -> bool:
    return one.to_bytes() == other.to_bytes()


EVERYTHING = Degradation(loss=0.1, reorder=0.3, duplicates=0.2, clock_s=120, seed=4)


def test_without_degradation_the_batches_are_passed_on_as_they_are() -> None:
    batches = [*cut(stream(100), 30), Readings.empty()]
    passed = list(degraded(batches, Degradation(reorder_s=60, seed=3)))
    assert all(one is other for one, other in zip(passed, batches, strict=True))


def test_the_share_lost_is_lost_and_the_rest_unchanged() -> None:
    arrived = after(Degradation(loss=0.2))
    assert len(arrived) == pytest.approx(0.8 * COUNT, rel=0.03)
    assert same(arrived, stream().take(arrived.peak_g.astype(np.intp)))


def test_everything_may_be_lost() -> None:
    assert not list(degraded(cut(stream(50), 10), Degradation(loss=1.0)))


def test_the_share_reordered_comes_later_by_up_to_the_bound_and_nothing_is_lost() -> None:
    arrived = after(Degradation(reorder=0.25, reorder_s=300))
    delay_s = (arrived.ingest_ms - arrived.event_ms - 200) / 1000
    assert sorted(numbers(arrived)) == numbers(stream())
    assert np.mean(delay_s > 0) == pytest.approx(0.25, abs=0.03)
    assert delay_s.min() == 0
    assert 290 < delay_s.max() <= 300
    assert np.median(delay_s[delay_s > 0]) == pytest.approx(150, abs=20)


@pytest.mark.parametrize("size", [1, 7, 500, COUNT], ids=lambda size: f"batches-of-{size}")
def test_readings_come_in_the_order_of_receipt_within_and_across_batches(size) -> None:
    assert np.all(np.diff(after(EVERYTHING, stream(1_000), size).ingest_ms) >= 0)


@pytest.mark.parametrize("size", [1, 7, 500], ids=lambda size: f"batches-of-{size}")
def test_the_same_seed_gives_the_same_readings_however_they_are_cut(size) -> None:
    assert same(after(EVERYTHING, stream(1_000), size), after(EVERYTHING, stream(1_000), 1_000))


def test_another_seed_gives_others() -> None:
    assert numbers(after(Degradation(loss=0.5, seed=1))) != numbers(after(Degradation(loss=0.5, seed=2)))


def test_what_is_sent_twice_is_let_in_once() -> None:
    assert same(after(Degradation(duplicates=1.0)), stream())


def test_of_a_delayed_reading_and_its_copy_the_first_to_arrive_is_let_in() -> None:
    alone, with_copies = (after(Degradation(reorder=1.0, duplicates=share, seed=6)) for share in (0.0, 1.0))
    order = np.argsort(alone.peak_g), np.argsort(with_copies.peak_g)
    sooner = alone.ingest_ms[order[0]] - with_copies.ingest_ms[order[1]]
    assert len(with_copies) == COUNT
    assert sooner.min() == 0
    assert np.mean(sooner > 0) == pytest.approx(0.5, abs=0.05)


def test_what_came_twice_in_the_first_place_is_let_in_once_too() -> None:
    twice = Readings.concat([stream(100), stream(100).replace(ingest_ms=stream(100).ingest_ms + DAY_MS)])
    assert numbers(after(Degradation(clock_s=1), twice)) == numbers(stream(100))


def test_a_clock_is_off_by_a_constant_of_its_band() -> None:
    arrived = after(Degradation(clock_s=120), stream(bands=200))
    off_s = (arrived.event_ms - stream().event_ms) / 1000
    by_band = [set(off_s[arrived.device == band]) for band in range(1, 201)]
    assert all(len(offsets) == 1 for offsets in by_band)
    constants = [offset for offsets in by_band for offset in offsets]
    assert -120 <= min(constants) < -100
    assert 100 < max(constants) <= 120
    assert np.array_equal(arrived.ingest_ms, stream().ingest_ms)


def test_a_cold_start_hears_nothing_of_the_first_days() -> None:
    slow = stream(100, every_ms=DAY_MS // 10)
    cold = Degradation(cold_start_days=3)
    assert numbers(after(cold, slow, size=7)) == list(range(30, 100))
    assert cold.counts_from_ms(START_MS) == START_MS + 3 * DAY_MS


def test_no_more_is_held_back_than_the_longest_delay() -> None:
    behind = []
    sent = 0
    arrived = 0

    def sending() -> Sequence[Readings]:
        nonlocal sent
        for batch in cut(stream(), 100):
            behind.append(sent - arrived)
            sent += len(batch)
            yield batch

    for batch in degraded(sending(), Degradation(reorder=1.0, reorder_s=60)):
        arrived += len(batch)
    assert max(behind) <= 100 + 60_000 // 3_000
    assert arrived == COUNT


def test_the_door_tells_readings_apart_by_band_time_and_sequence_number() -> None:
    same_but_one = Readings.of(
        device=[1, 2, 1, 1, 1], seq=[7, 7, 8, 7, 7], event_ms=[5, 5, 5, 6, 5 + 3_600_000], ingest_ms=[9] * 5
    )
    door = Door()
    assert len(door.admit(same_but_one)) == 5
    assert len(door.admit(same_but_one)) == 0


def test_the_door_forgets_after_thirty_one_days() -> None:
    door = Door()
    one = Readings.of(device=[1], seq=[1], event_ms=[START_MS], ingest_ms=[START_MS])
    later = one.replace(seq=one.seq + 1, event_ms=one.event_ms + FORGET_MS)
    door.admit(one)
    assert len(door.admit(one)) == 0
    door.admit(later.replace(ingest_ms=later.event_ms + 3_600_000))
    assert len(door.admit(one)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("loss", -0.1),
        ("loss", 1.5),
        ("reorder", 20),
        ("duplicates", float("nan")),
        ("reorder_s", -1),
        ("clock_s", float("inf")),
        ("cold_start_days", -3),
        ("seed", -1),
    ],
    ids=["negative-share", "above-one", "percent", "nan", "negative-delay", "endless", "negative-days", "seed"],
)
def test_a_setting_out_of_range_is_refused_by_its_name(field, value) -> None:
    with pytest.raises(ValueError, match=f"^{field} is {value}"):
        Degradation(**{field: value})


def test_a_report_reads_what_was_done_and_nothing_else() -> None:
    everything = Degradation(loss=0.05, reorder=0.2, reorder_s=300, duplicates=0.1, clock_s=120, cold_start_days=3)
    assert everything.describe() == [
        "5 % of readings lost",
        "20 % of readings delayed by up to 300 s",
        "10 % of readings sent again within 600 s",
        "clocks off by up to ±120 s, each band by a constant",
        "the judge starts cold after 3 days",
    ]
    assert Degradation().describe() == []
