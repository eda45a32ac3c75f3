from pathlib import Path
from typing import Any

import msgspec
import pytest

from simulator import KINDS, Kind, Mix, Options, ScenarioError, read_scenario, shipped
from simulator.kinds import DAY
from simulator.scenario import parse_scenario
from tests.simulator.watched import MONDAY_MS

GOOD: dict[str, Any] = {"name": "x", "start": "2026-03-02T00:00:00+08:00", "days": 1, "wearers": 20}


def _problems(content: Any) -> list[str]:
    with pytest.raises(ScenarioError) as raised:
        parse_scenario(content)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_is_one(name: str) -> None:
    scenario = read_scenario(name)
    assert scenario.name == name
    assert scenario.options().duration_s == scenario.days * DAY
    assert all(KINDS[kind].code is not None for kind in scenario.events)
    assert all(KINDS[kind].code is None for kind in scenario.hard_negatives)


def test_standard_and_small_hold_every_kind_between_them() -> None:
    kinds = {kind for name in ("small", "standard") for kind in read_scenario(name).options().mix}
    assert kinds == set(Kind)


def test_a_scenario_becomes_a_run() -> None:
    scenario = parse_scenario(
        GOOD | {"seed": 5, "step_s": 30, "events": {"sos": 0.5, "fever": {"per_wearer_day": 0.1, "at_s": [60]}},
                "hard_negatives": {"cycling": 1}, "faults": {"duplicates": 0.25}}
    )  # fmt: skip
    options = scenario.options()
    assert (options.seed, options.step, options.interval_s, options.duration_s) == (5, 30, None, DAY)
    assert options.in_the_field
    assert options.mix == {
        Kind.SOS: Mix(per_wearer_day=0.5),
        Kind.FEVER: Mix(per_wearer_day=0.1, at_s=[60.0]),
        Kind.CYCLING: Mix(per_wearer_day=1.0),
    }
    assert options.faults.duplicates == 0.25
    assert scenario.start_ms == MONDAY_MS
    assert len(scenario.registry().wearers) == 20


def test_the_registry_of_a_scenario_is_a_function_of_it() -> None:
    scenario = parse_scenario(GOOD)
    assert scenario.registry() == scenario.registry()
    assert scenario.registry() != msgspec.structs.replace(scenario, seed=2).registry()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"wearer": 3}, "wearer: unknown field; there are name, start"),
        ({"faults": {"duplicate": 0.1}}, "faults.duplicate: unknown field; there are duplicates"),
        ({"people": {"night_shifts": 0.1}}, "people.night_shifts: unknown field"),
        ({"events": {"sos": {"rate": 1}}}, "events.sos"),
        ({"events": {"earthquake": 1}}, "events.earthquake: Invalid enum value 'earthquake'"),
        ({"events": {"cycling": 1}}, "events.cycling: belongs under hard_negatives"),
        ({"hard_negatives": {"sos": 1}}, "hard_negatives.sos: belongs under events"),
        ({"events": {"sos": -1}}, "events.sos: a rate is 0 or more, not -1"),
        ({"events": {"sos": {"per_wearer_day": -1}}}, "events.sos"),
        ({"events": {"fever": {"ranges": {"above_c": [3, 1]}}}}, "events.fever.ranges.above_c: runs backwards: 3 to 1"),
        ({"events": {"fever": {"ranges": {"above_c": [-3, 1]}}}}, "events.fever.ranges.above_c: must not be negative"),
        ({"events": {"fever": {"ranges": {"above_k": [1, 3]}}}}, "events.fever.ranges.above_k: unknown; fever has"),
        ({"days": "two"}, "days: Expected `float`, got `str`"),
        ({"days": 0}, "days: Expected `float` > 0"),
        ({"days": 61}, "days: Expected `float` <= 60"),
        ({"wearers": 4}, "wearers: Expected `int` >= 5"),
        ({"wearers": True}, "wearers: Expected `int`, got `bool`"),
        ({"name": 7}, "name: Expected `str`, got `int`; write it in quotes"),
        ({"start": "2026-03-02"}, "start: "),
        ({"start": "2026-03-02T00:00:00"}, "start: "),
        ({"consents": 1.1}, "consents: Expected `float` <= 1"),
        ({"faults": {"outage_s": [1]}}, "faults.outage_s: Expected `array` of length 2"),
        ({"events": ["sos"]}, "events: Expected `object`, got `array`"),
        ({"events": {"sos": None}}, "events.sos: "),
        ({"interval_s": 60, "step_s": 25}, "step_s: 25 s does not divide an interval of 60 s"),
        ({"step_s": 120}, "step_s: 120 s does not divide an interval of 60 s"),
        ({"interval_s": 0}, "interval_s: Expected `float` > 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_with_a_scenario_is_said_with_its_place(wrong: dict[str, Any], said: str) -> None:
    problems = _problems(GOOD | wrong)
    assert len([problem for problem in problems if problem.startswith(said)]) == 1, problems


def test_all_that_is_wrong_is_listed_at_once() -> None:
    problems = _problems(
        {"name": "x", "days": -1, "wearers": "many", "colour": "red", "events": {"sos": -1, "cycling": 1, "flood": 2},
         "hard_negatives": {"fever": {"ranges": {"above_c": [2, 1]}}}, "step_s": 7}
    )  # fmt: skip
    places = {problem.split(":")[0] for problem in problems}
    assert places == {
        "start", "days", "wearers", "colour", "events.sos", "events.cycling", "events.flood", "hard_negatives.fever",
        "hard_negatives.fever.ranges.above_c", "step_s",
    }  # fmt: skip


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_what_is_missing_is_named(missing: str) -> None:
    assert _problems({name: value for name, value in GOOD.items() if name != missing}) == [f"{missing}: is missing"]


@pytest.mark.parametrize("content", [None, [], "small", 3], ids=["nothing", "a list", "a word", "a number"])
def test_what_is_no_mapping_is_no_scenario(content: object) -> None:
    (problem,) = _problems(content)
    assert problem.startswith("file: must be a mapping")


def test_a_file_that_is_not_yaml_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: [x\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="is not YAML or JSON") as raised:
        read_scenario(str(path))
    assert str(raised.value).startswith(f"{path}: 1 problem; nothing was played")


@pytest.mark.parametrize("name", ["missing", "missing.yaml"])
def test_a_name_that_is_none_is_answered_with_those_that_are(name: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        read_scenario(name)
    assert name == "missing.yaml" or all(known in str(raised.value) for known in shipped())
    assert len(raised.value.problems) == 1


def test_a_scenario_may_lie_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(msgspec.yaml.encode(GOOD))
    assert read_scenario(str(path)).wearers == 20


@pytest.mark.parametrize(("name", "value"), [("interval_s", 0.0), ("duration_s", -1.0), ("step_s", 0.0)])
def test_options_without_sense_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Options(**{name: value})  # type: ignore[arg-type]
