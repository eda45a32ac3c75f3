"""Bands that are lost together: one alert of the place, none of each, and both told again when it is over."""

from typing import Any
from uuid import UUID

import msgspec

from anomaly.outage import Census, Lost, OutageConfig, Outages
from schemas.alerts import NOBODY, AlertCode, AlertEvent, Priority, Transition, alert_id

MINUTE_MS = 60_000
ORGS = {"dongqu": "panzhihua", "xiqu": "panzhihua", "miyi": None, "panzhihua": None}


def lost(*numbers: int, org: str = "dongqu", heard_min: float = 0.0) -> tuple[Lost, ...]:
    return tuple(Lost(f"{org}-{n}", org, round(heard_min * MINUTE_MS)) for n in numbers)


def look(outages: Outages, at_min: float, *bands: Lost, of: dict[str, int] | None = None) -> list[AlertEvent]:
    census = Census(0, round(at_min * MINUTE_MS), 1, of or {"dongqu": 60, "xiqu": 60, "miyi": 60}, bands, ORGS)
    return outages.look(census)


def silence(
    number: int, transition: Transition = Transition.OPENED, *, since_min: float = 0.0, at_min: float = 20.0
) -> AlertEvent:
    onset_ms, band = round(since_min * MINUTE_MS), f"dongqu-{number}"
    return AlertEvent(
        alert_id=alert_id("dongqu", band, AlertCode.DEVICE_SILENCE, "", onset_ms),
        transition=transition,
        code=AlertCode.DEVICE_SILENCE,
        priority=Priority.MEDIUM,
        subject="",
        org="dongqu",
        device=band,
        wearer=f"w-{number}",
        device_no=number,
        wearer_no=number,
        onset_ms=onset_ms,
        at_ms=round(at_min * MINUTE_MS),
        seq=None,
        rule_version=1,
        historic=False,
        evidence={},
    )


def brief(events: list[AlertEvent]) -> list[tuple[str, str, str]]:
    return [(event.code.value, event.transition.value, event.device or event.org) for event in events]


def outage_of(bands: int = 18) -> tuple[Outages, list[AlertEvent]]:
    outages = Outages()
    return outages, look(outages, 4, *lost(*range(bands)))


def test_thirty_per_cent_of_a_district_lost_at_once_is_one_alert_that_belongs_to_no_wearer() -> None:
    _, events = outage_of()
    (event,) = events
    assert brief(events) == [("site.outage", "opened", "dongqu")]
    assert (event.wearer_no, event.device_no, event.wearer, event.subject) == (NOBODY, NOBODY, "", "dongqu")
    assert event.evidence["lost"] == 18
    assert event.evidence["expected"] == 60
    assert event.evidence["score_nats"] > event.evidence["threshold_nats"]
    assert len(event.evidence["bands"]) == 18


def test_few_bands_or_few_of_many_are_no_outage() -> None:
    assert outage_of(4)[1] == []
    assert look(Outages(), 4, *lost(*range(11))) == []  # of sixty, less than a fifth


def test_a_trickle_over_hours_is_no_outage() -> None:
    outages = Outages()
    told = [look(outages, 10.0 * n, *(lost(k, heard_min=10.0 * k)[0] for k in range(n))) for n in range(1, 30)]
    assert [event for events in told for event in events] == []


def test_bands_that_are_lost_every_night_are_usual() -> None:
    outages = Outages(OutageConfig(usual_ms=30 * MINUTE_MS))
    few = [look(outages, 10.0 * n, *lost(*range(11), heard_min=10.0 * n - 4)) for n in range(1, 12)]
    assert [event for events in few for event in events] == []
    assert look(outages, 120.0, *lost(*range(14), heard_min=116.0)) == []
    assert look(Outages(), 120.0, *lost(*range(14), heard_min=116.0)) != []


def test_one_org_s_outage_says_nothing_of_another_and_two_of_one_parent_are_the_parent_s() -> None:
    bands = lost(*range(18))
    assert brief(look(Outages(), 4, *bands, *lost(*range(18), org="miyi"))) == [
        ("site.outage", "opened", "dongqu"),
        ("site.outage", "opened", "miyi"),
    ]
    (event,) = look(Outages(), 4, *bands, *lost(*range(18), org="xiqu"))
    assert (event.org, event.evidence["orgs"], event.evidence["lost"]) == ("panzhihua", ["dongqu", "xiqu"], 36)


def test_silences_of_its_bands_are_listed_and_not_told_and_others_are_told() -> None:
    outages, _ = outage_of()
    assert outages.hear(silence(3)) == []
    assert brief(outages.hear(silence(40))) == [("device.silence", "opened", "dongqu-40")]
    assert outages.memory.open["dongqu"].listed == 1


def test_a_silence_told_before_is_retracted_into_the_outage() -> None:
    outages = Outages()
    outages.hear(silence(3, at_min=2))
    events = look(outages, 4, *lost(*range(18)))
    assert brief(events) == [("site.outage", "opened", "dongqu"), ("device.silence", "retracted", "dongqu-3")]
    assert events[1].evidence["part_of_outage"] == "dongqu"


def test_when_most_are_back_it_ends_and_who_is_still_silent_is_told_then() -> None:
    outages, _ = outage_of()
    outages.hear(silence(3))
    outages.hear(silence(4))
    assert outages.hear(silence(4, Transition.CLEARED, at_min=25)) == []
    assert look(outages, 30, *lost(*range(9))) == []
    assert brief(look(outages, 31, *lost(3, 7))) == [
        ("site.outage", "cleared", "dongqu"),
        ("device.silence", "opened", "dongqu-3"),
    ]


def test_a_silence_that_began_long_before_is_no_part_of_it() -> None:
    outages = Outages()
    look(outages, 180, *lost(*range(18), heard_min=176))
    assert brief(outages.hear(silence(3, since_min=100, at_min=181))) == [("device.silence", "opened", "dongqu-3")]


def test_who_joins_makes_it_grow_and_it_is_told_again_by_tenths() -> None:
    outages, _ = outage_of()
    assert look(outages, 5, *lost(*range(19))) == []
    (event,) = look(outages, 6, *lost(*range(25)))
    assert (event.transition, event.evidence["lost"]) == (Transition.UPDATED, 25)


def test_it_waits_for_every_shard_and_a_restart_changes_nothing() -> None:
    bands = lost(*range(18))

    def census(shard: int, at_min: int, some: tuple[Lost, ...]) -> Census:
        return Census(shard, at_min * MINUTE_MS, 1, {"dongqu": 30}, some, ORGS)

    def run(*, restarts: bool) -> list[tuple[str, str, UUID]]:
        outages, told = Outages(shards=2), []
        for at_min in (4, 20, 40):
            some = bands if at_min < 40 else ()
            items: list[Any] = [
                census(0, at_min, some[:9]),
                *([silence(3)] if at_min == 20 else []),
                census(1, at_min, some[9:]),
            ]
            for item in items:
                told += [(e.code.value, e.transition.value, e.alert_id) for e in outages.take(item)]
                if restarts and item is items[-1]:
                    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(outages.snapshot()))
                    outages = Outages.restore(kept, OutageConfig(), 2)
        return told

    told = run(restarts=False)
    assert [one[:2] for one in told] == [
        ("site.outage", "opened"), ("site.outage", "cleared"), ("device.silence", "opened"),
    ]  # fmt: skip
    assert run(restarts=True) == told
