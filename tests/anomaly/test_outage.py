"""Bands lost together: one incident, no silences under it, nothing hidden by it, and nothing said of others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.census import Census, Lost
from anomaly.outage import Outages
from schemas.alerts import NOBODY, AlertCode, Priority, Transition
from tests.anomaly.town import DAY_MIN, MINUTE_MS, Town

OPENED, UPDATED, CLEARED, RETRACTED, REOPENED = Transition
CITY = {"dongqu": "city", "xiqu": "city", "renhe": "city", "city": None}


def district(bands: int = 60) -> Town:
    return Town({"dongqu": bands}).wait(60)


def city(bands: int = 40) -> Town:
    return Town(dict.fromkeys(("dongqu", "xiqu", "renhe"), bands), CITY).wait(60)


def test_thirty_percent_of_a_district_lost_at_once_are_one_incident_and_no_silences() -> None:
    town = district().lose("dongqu", 0.3).wait(90)
    assert [told for told in town.story if told[1] != "updated"] == [("dongqu", "opened")]
    assert town.silences == []
    assert (town.evidence(OPENED)["lost"], town.evidence(OPENED)["expected"]) == (18, 60)


def test_it_is_known_within_three_minutes_and_long_before_any_silence() -> None:
    town = district().lose("dongqu", 0.3).wait(3)
    (opened,) = town.told
    assert opened.at_ms - opened.onset_ms == 3 * MINUTE_MS
    assert (opened.wearer_no, opened.device_no, opened.wearer, opened.device) == (NOBODY, NOBODY, "", "")
    assert (opened.org, opened.priority) == ("dongqu", Priority.MEDIUM)


def test_the_evidence_can_be_reckoned_again_and_lists_bands_and_silences() -> None:
    town = district().lose("dongqu", 0.3).wait(25)
    opened, updated = town.evidence(OPENED), town.evidence(UPDATED)
    assert (opened["share"], opened["usual_share"], opened["score_nats"], opened["threshold_nats"]) == (
        0.3, 0.02, 34.6, 14.0,
    )  # fmt: skip
    assert opened["silences"] == []
    assert updated["silences_listed"] == 18 == len(updated["silences"])
    assert {one["device"] for one in updated["silences"]} == set(updated["bands"]) == town.lost
    assert {one["since_ms"] for one in updated["silences"]} == {town.told[0].onset_ms}


def test_a_slow_trickle_is_no_outage_and_every_silence_is_told() -> None:
    town = district()
    for band in town.bands("dongqu")[:18]:
        town.lose_bands([band]).wait(8)
    town.wait(20)
    assert town.story == []
    assert town.silences == ["opened"] * 18


@pytest.mark.parametrize(("bands", "lost"), [(4, 4), (60, 11), (200, 39)], ids=["few bands", "under a fifth", "large"])
def test_few_bands_or_a_small_share_are_told_one_by_one(bands: int, lost: int) -> None:
    town = district(bands)
    town.lose_bands(town.bands("dongqu")[:lost]).wait(25)
    assert town.story == []
    assert town.silences == ["opened"] * lost


def test_a_band_never_heard_of_is_neither_expected_nor_lost() -> None:
    town = Town({"dongqu": 60}).lose("dongqu", 0.5).wait(60)
    assert town.told == []
    assert town.lose("dongqu", 0.7).wait(5).evidence(OPENED)["expected"] == 30


def test_when_four_of_five_are_back_it_ends_and_who_is_still_silent_is_told() -> None:
    town = district().lose("dongqu", 0.5).wait(40).forget().back("dongqu", 0.7).wait(1)
    assert town.story == []
    town.back("dongqu", 0.4).wait(1)
    assert town.story == [("dongqu", "cleared")]
    assert town.evidence(CLEARED)["still_silent"] == 5
    assert town.silences == ["opened"] * 5
    town.forget().back("dongqu").wait(1)
    assert town.silences == ["cleared"] * 5


@pytest.mark.parametrize("lost", [15, 20, 35, 55])
def test_exactly_four_of_five_are_enough(lost: int) -> None:
    town = district()
    town.lose_bands(town.bands("dongqu")[:lost]).wait(10).back("dongqu", 0.8).wait(1)
    assert town.story[-1] == ("dongqu", "cleared")


def test_who_is_back_before_the_end_is_never_told_of() -> None:
    town = district().lose("dongqu", 0.5).wait(40).back("dongqu").wait(30)
    assert town.story[-1] == ("dongqu", "cleared")
    assert town.silences == []


def test_a_silence_told_before_its_outage_was_known_is_refuted_and_comes_back_if_it_outlasts_it() -> None:
    town = district()
    early = town.bands("dongqu")[:4]
    town.lose_bands(early).wait(20)
    assert town.silences == ["opened"] * 4
    town.forget().lose("dongqu", 0.3).wait(4)
    assert town.story == [("dongqu", "opened")]
    assert town.silences == ["retracted"] * 4
    assert town.evidence(OPENED)["silences_listed"] == 4
    refuted = {e.alert_id for e in town.told if e.transition is RETRACTED}
    town.forget().back("dongqu").lose_bands(early[:2]).wait(2)
    assert town.story == [("dongqu", "cleared")]
    assert town.silences.count("reopened") == 2
    assert {e.alert_id for e in town.told if e.transition is REOPENED} < refuted


def test_who_fell_silent_an_hour_before_has_reasons_of_their_own() -> None:
    town = district()
    alone = town.bands("dongqu")[-1]
    town.lose_bands([alone]).wait(60).lose("dongqu", 0.3).wait(40)
    assert town.silences == ["opened"]
    assert alone not in town.evidence(OPENED)["bands"]


def test_after_a_day_it_explains_nothing_and_the_laws_marks_are_told() -> None:
    town = district().lose("dongqu", 0.3).wait(DAY_MIN - 5)
    assert town.silences == []
    town.forget().wait(10)
    assert town.story == [("dongqu", "cleared")]
    assert town.evidence(CLEARED)["still_silent"] == 18
    told = [e for e in town.told if e.code is AlertCode.DEVICE_SILENCE]
    assert [(e.transition, e.priority, e.evidence["law"]) for e in told] == [(OPENED, Priority.HIGH, "30")] * 18
    assert town.wait(60).story == [("dongqu", "cleared")]


def test_one_orgs_outage_says_nothing_of_another() -> None:
    town = city().lose("dongqu").wait(10)
    town.lose("xiqu", 0.05).wait(40)
    assert {site for site, _ in town.story} == {"dongqu"}
    assert town.silences == ["opened"] * 2


def test_two_orgs_without_a_common_parent_are_two_outages() -> None:
    town = Town({"a": 40, "b": 40}).wait(60).lose("a").lose("b").wait(30)
    assert [site for site, transition in town.story if transition == "opened"] == ["a", "b"]
    assert town.silences == []
    assert town.back("a").wait(1).story[-1] == ("a", "cleared")


def test_two_orgs_of_one_parent_lost_together_are_their_parents_and_the_third_has_no_part_in_it() -> None:
    town = city().lose("dongqu").lose("xiqu").lose("renhe", 0.05).wait(30)
    assert [told for told in town.story if told[1] == "opened"] == [("city", "opened")]
    assert town.evidence(OPENED)["orgs"] == ["dongqu", "xiqu"]
    assert (town.evidence(UPDATED)["lost"], town.evidence(UPDATED)["expected"]) == (80, 80)
    assert [e.org for e in town.told if e.code is AlertCode.DEVICE_SILENCE] == ["renhe"] * 2


def test_an_org_lost_after_its_sister_has_an_outage_of_its_own() -> None:
    town = city().lose("dongqu").wait(10).lose("xiqu").wait(10)
    assert [told for told in town.story if told[1] == "opened"] == [("dongqu", "opened"), ("xiqu", "opened")]


def test_an_outage_that_grows_is_told_anew_once_a_minute_at_most() -> None:
    outages = Outages()
    told = []
    for number in range(30):
        lost = tuple(Lost(f"band-{n}", "dongqu", 1_000) for n in range(20 + number))
        told += outages.look(Census(0, 200_000 + 10_000 * number, 1, {"dongqu": 60}, lost, {"dongqu": None}))
    assert [(e.transition, e.at_ms // 1000, e.evidence["lost"]) for e in told] == [
        (OPENED, 200, 20), (UPDATED, 260, 26), (UPDATED, 320, 32), (UPDATED, 380, 38), (UPDATED, 440, 44),
    ]  # fmt: skip


def test_a_network_that_fails_again_and_again_refutes_and_reopens_one_and_the_same_silence() -> None:
    town = district().lose("dongqu", 0.5).wait(21).back("dongqu")
    stays = town.bands("dongqu")[0]
    town.lose_bands([stays]).wait(1).lose("dongqu", 0.5).wait(4).back("dongqu").lose_bands([stays]).wait(1)
    assert [transition for _, transition in town.story if transition != "updated"] == ["opened", "cleared"] * 2
    assert town.silences == ["opened", "retracted", "reopened"]
    assert len({e.alert_id for e in town.told if e.device == stays}) == 1


def test_a_silence_told_before_the_census_counts_its_band_as_lost_is_refuted_then() -> None:
    town = district().lose("dongqu", 0.3).wait(5)
    seldom = town.bands("dongqu")[-1]
    silence = town.lose_bands([seldom])._silence(seldom, OPENED)
    assert town.outages.hear(silence) == [silence]
    assert town.wait(3).silences == ["retracted"]
    assert town.evidence(UPDATED)["silences"][0]["device"] == seldom


def test_an_org_that_is_often_half_lost_rings_less_easily() -> None:
    town = district(20)
    for _ in range(40):
        town.lose("dongqu", 0.19).wait(20).back("dongqu").wait(20)
    usual = town.outages.memory.usual["dongqu"]
    assert 0.04 < usual < 0.15
    assert Town({"dongqu": 20}).wait(60).lose("dongqu", 0.35).wait(5).story == [("dongqu", "opened")]
    assert town.lose("dongqu", 0.35).wait(5).story == []


def test_bands_taken_from_the_registry_are_not_lost_and_their_silences_end_unseen() -> None:
    town = district().lose("dongqu", 0.5).wait(30).forget().retire("dongqu", 0.5).wait(1)
    assert town.story == [("dongqu", "cleared")]
    assert town.evidence(CLEARED)["still_silent"] == 0
    assert town.silences == []
    assert town.outages.memory.silent == {}


def test_an_org_that_is_gone_from_the_registry_has_no_outage() -> None:
    town = Town({"dongqu": 40, "xiqu": 40}).wait(60).lose("dongqu").wait(30).forget().retire("dongqu").wait(1)
    assert town.story == [("dongqu", "cleared")]
    assert town.silences == []


def test_bands_adopted_in_an_outage_have_no_part_in_it_until_they_are_heard() -> None:
    town = district().lose("dongqu", 0.5).wait(5).adopt("dongqu", 30)
    town.lose_bands(band for band in town.bands("dongqu") if "new" in band).wait(30)
    assert (town.evidence(UPDATED)["lost"], town.silences) == (30, [])


def test_nothing_is_decided_before_every_shard_was_counted() -> None:
    outages = Outages(shards=2)
    lost = tuple(Lost(f"band-{n}", "dongqu", 1_000) for n in range(20))
    assert outages.look(Census(0, 200_000, 1, {"dongqu": 40}, lost, {"dongqu": None})) == []
    (opened,) = outages.look(Census(1, 200_000, 1, {"dongqu": 20}, (), {"dongqu": None}))
    assert (opened.evidence["lost"], opened.evidence["expected"]) == (20, 60)


def test_bands_by_the_thousand_are_counted_and_two_hundred_named() -> None:
    town = district(1_000).lose("dongqu").wait(25)
    evidence = town.evidence(UPDATED)
    assert (evidence["lost"], evidence["silences_listed"]) == (1_000, 1_000)
    assert (len(evidence["bands"]), len(evidence["silences"])) == (200, 200)


def test_a_snapshot_of_an_earlier_version_is_gone_on_from() -> None:
    town = district().lose("dongqu", 0.5).wait(5)
    older = town.outages.snapshot()
    for outage in older["open"].values():
        for name in ("orgs", "expected", "silences", "told_ms"):
            del outage[name]
        outage |= {"listed": 0}
    town.outages = Outages.restore(older, town.outages.config, 1)
    assert town.wait(30).silences == []
    assert town.back("dongqu").wait(1).story[-1] == ("dongqu", "cleared")


ORG = st.sampled_from(["dongqu", "xiqu", "renhe"])
HAPPENS = st.tuples(
    st.sampled_from(["lose", "back"]), ORG, st.sampled_from([0.02, 0.3, 0.6, 1.0]), st.sampled_from([1, 7, 25])
)


def lived(happenings: list[tuple[str, str, float, int]], *, restarts: bool = False) -> Town:
    town = Town(dict.fromkeys(("dongqu", "xiqu", "renhe"), 15), CITY).wait(30)
    town.restarts = restarts
    for what, org, share, minutes in happenings:
        getattr(town, what)(org, share).wait(minutes)
    return town


@settings(max_examples=30, deadline=None)
@given(st.lists(HAPPENS, max_size=8))
def test_a_restart_at_any_moment_changes_nothing(happenings: list[tuple[str, str, float, int]]) -> None:
    assert lived(happenings, restarts=True).told == lived(happenings).told


@settings(max_examples=60, deadline=None)
@given(st.lists(HAPPENS, max_size=8))
def test_a_silence_is_told_or_listed_and_never_lost(happenings: list[tuple[str, str, float, int]]) -> None:
    town = lived(happenings)
    holds: dict[str, bool] = {}
    for event in (e for e in town.told if e.code is AlertCode.DEVICE_SILENCE):
        begins = event.transition in {OPENED, REOPENED}
        assert begins != holds.get(event.device, False), "an alert that holds does not begin, and no other ends"
        holds[event.device] = begins
    listed = {band for outage in town.outages.memory.open.values() for band in outage.silences}
    for band in town.silent:
        assert holds.get(band, False) or band in listed


@settings(max_examples=30, deadline=None)
@given(st.lists(HAPPENS, max_size=8))
def test_when_all_are_back_no_outage_and_no_silence_is_left(happenings: list[tuple[str, str, float, int]]) -> None:
    town = lived(happenings)
    for org in ("dongqu", "xiqu", "renhe"):
        town.back(org)
    town.wait(2)
    opened, cleared = [sum(t == what for _, t in town.story) for what in ("opened", "cleared")]
    assert opened == cleared
    begun, ended = [
        sum(t in what for t in town.silences) for what in ({"opened", "reopened"}, {"cleared", "retracted"})
    ]
    assert begun == ended
    assert (town.outages.memory.open, town.outages.memory.silent) == ({}, {})
