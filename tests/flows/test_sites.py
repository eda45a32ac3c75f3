"""From eight shards' judges through the one step that sees all of them: what people are told of many lost bands."""

import pickle
from collections.abc import Collection
from datetime import timedelta

import numpy as np
import pytest

from flows.dataflow import (
    JudgeConfig,
    Judged,
    ShardItem,
    ShardLogic,
    alert_only,
    by_band_again,
    for_sites,
    split_by_shard,
)
from flows.rules import SHARDS, rules_by_shard
from flows.sites import SitesLogic, concerns_sites
from schemas.alerts import NOBODY, AlertCode, AlertEvent, Transition
from schemas.judging import Heartbeat
from schemas.readings import Readings
from tests.world import HOME, START, START_MS, alert_of_band_1, numbered

BANDS = 40
FOUR = range(1, 5)
HALF = range(1, BANDS // 2 + 1)
NUMBERED = numbered(bands=BANDS, silence_after_s=1200)
OPENED, UPDATED, CLEARED, RETRACTED, REOPENED = Transition


class Platform:
    """The dataflow's steps from shards to people, handed on from one to the next as its wiring does."""

    def __init__(self) -> None:
        rules = rules_by_shard(NUMBERED)
        self._judging = JudgeConfig(lambda: rules, frozenset({"mqtt-0"}), lambda: START + timedelta(days=1))
        self._shards = {str(shard): ShardLogic(self._judging, None) for shard in range(SHARDS)}
        self._sites = SitesLogic(None)
        self._minute = 0
        self.told: list[tuple[str, AlertEvent]] = []

    def restart(self) -> None:
        """The process dies after a snapshot and comes back with nothing but that."""
        states = pickle.loads(pickle.dumps({key: step.snapshot() for key, step in self._shards.items()}))  # noqa: S301
        self._shards = {key: ShardLogic(self._judging, state) for key, state in states.items()}
        self._sites = SitesLogic(pickle.loads(pickle.dumps(self._sites.snapshot())))  # noqa: S301

    def pass_minutes(self, minutes: int, *, lost: Collection[int] = (), cut: Collection[int] = ()) -> "Platform":
        """Every band but the lost ones speaks once a minute; those ``cut`` say that their strap is open."""
        for _ in range(minutes):
            self._minute += 1
            now_ms = START_MS + self._minute * 60_000
            speaking = np.array([band for band in range(1, BANDS + 1) if band not in lost])
            at = {"lat": HOME[0], "lon": HOME[1], "accuracy_m": 8.0, "age_s": 0.0, "event_ms": now_ms}
            readings = Readings.of(
                device=speaking,
                wearer=speaking,
                seq=np.full(len(speaking), self._minute),
                strap_closed=[band not in cut for band in speaking],
                **{name: np.full(len(speaking), value) for name, value in (at | {"ingest_ms": now_ms}).items()},
            )
            for key, item in split_by_shard(readings) + split_by_shard(Heartbeat("mqtt-0", now_ms, START_MS)):
                self._give(key, item)
            for key, shard in self._shards.items():
                self._route([(key, judged) for judged in shard.on_notify()[0]])
        return self

    def of(self, code: AlertCode) -> list[str]:
        return [event.transition.value for _, event in self.told if event.code is code]

    def _give(self, key: str, item: ShardItem) -> None:
        self._route([(key, judged) for judged in self._shards[key].on_batch([item])[0]])

    def _route(self, judged: list[tuple[str, Judged]]) -> None:
        self.told += filter(None, map(alert_only, judged))
        for _, concerns in filter(None, map(for_sites, judged)):
            self.told += [by_band_again(("sites", event)) for event in self._sites.on_batch([concerns])[0]]


def test_half_of_all_bands_lost_are_one_outage_and_their_silences_are_listed_not_told() -> None:
    platform = Platform().pass_minutes(30).pass_minutes(40, lost=HALF)
    outage = [event for _, event in platform.told if event.code is AlertCode.SITE_OUTAGE]
    assert [event.transition for event in outage][:1] == [OPENED]
    assert {event.transition for event in outage[1:]} == {UPDATED}
    assert outage[-1].evidence["silences_listed"] == len(HALF)
    assert {one["device"] for one in outage[-1].evidence["silences"]} == {f"band-{n}" for n in HALF}
    assert platform.of(AlertCode.DEVICE_SILENCE) == []


def test_without_an_outage_every_silence_is_told_and_goes_to_its_bands_writer() -> None:
    platform = Platform().pass_minutes(30).pass_minutes(40, lost=FOUR)
    assert platform.of(AlertCode.SITE_OUTAGE) == []
    assert [(key, event.device) for key, event in platform.told] == [(str(n % SHARDS), f"band-{n}") for n in FOUR]


def test_silences_held_back_are_released_when_the_outage_is_over_without_them() -> None:
    platform = Platform().pass_minutes(30).pass_minutes(40, lost=HALF).pass_minutes(3, lost=FOUR)
    assert platform.of(AlertCode.SITE_OUTAGE)[-1] == "cleared"
    assert platform.of(AlertCode.DEVICE_SILENCE) == ["opened"] * len(FOUR)
    platform.pass_minutes(3)
    assert sorted(platform.of(AlertCode.DEVICE_SILENCE)) == ["cleared"] * len(FOUR) + ["opened"] * len(FOUR)


def test_a_cut_strap_in_an_outage_is_told_at_once() -> None:
    platform = Platform().pass_minutes(30).pass_minutes(10, lost=HALF)
    assert platform.of(AlertCode.SITE_OUTAGE) == ["opened"]
    platform.pass_minutes(1, lost=HALF[1:], cut=HALF[:1])
    assert platform.of(AlertCode.DEVICE_STRAP) == ["opened"]


def test_a_strap_cut_just_before_an_outage_stays_told() -> None:
    platform = Platform().pass_minutes(30).pass_minutes(1, cut=HALF[:1]).pass_minutes(40, lost=HALF)
    assert platform.of(AlertCode.DEVICE_STRAP) == ["opened"]


@pytest.mark.parametrize("at", [5, 25, 39])
def test_a_restart_in_an_outage_tells_nothing_twice_and_forgets_nothing(at: int) -> None:
    unbroken = Platform().pass_minutes(30).pass_minutes(40, lost=HALF).pass_minutes(3, lost=FOUR)
    broken = Platform().pass_minutes(30).pass_minutes(at, lost=HALF)
    broken.restart()
    broken.pass_minutes(40 - at, lost=HALF).pass_minutes(3, lost=FOUR)
    alerts = {(event.alert_id, event.transition) for _, event in unbroken.told}
    assert {(event.alert_id, event.transition) for _, event in broken.told} == alerts
    assert broken.of(AlertCode.DEVICE_SILENCE) == unbroken.of(AlertCode.DEVICE_SILENCE)


def test_while_the_platform_was_deaf_nobody_was_lost() -> None:
    platform = Platform().pass_minutes(30)
    platform._minute += 60
    for key, item in split_by_shard(Heartbeat("mqtt-0", START_MS + 90 * 60_000, START_MS + 90 * 60_000)):
        platform._give(key, item)
    platform.pass_minutes(30)
    assert platform.told == []


@pytest.mark.parametrize("code", list(AlertCode), ids=lambda code: code.value)
def test_nothing_but_silences_waits_for_sites(code: AlertCode) -> None:
    event = alert_of_band_1(code, onset_ms=0, at_ms=0)
    assert concerns_sites(event) == (code is AlertCode.DEVICE_SILENCE)
    assert (alert_only(("1", event)) is None) == concerns_sites(event) == (for_sites(("1", event)) is not None)


def test_an_outage_has_a_writer_though_it_has_no_band() -> None:
    platform = Platform().pass_minutes(30).pass_minutes(5, lost=HALF)
    ((writer, opened),) = platform.told
    assert (writer, opened.device_no, opened.wearer_no) == ("0", NOBODY, NOBODY)
