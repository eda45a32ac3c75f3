from pathlib import Path

import msgspec
import pytest

from schemas.registry import DEFAULT_PLANS, Registry
from store.errors import RegistryError
from store.registry_file import parse_registry, read_registry
from tests.store.build_registry import NOW, small_registry

GOOD = """
version: 3
orgs: [{id: city, name: 攀枝花}]
wearers: [{id: w-1, org: city, grade: red}]
devices: [{id: band-1, org: city}]
assignments:
  - {device: band-1, wearer: w-1, valid_from: 2026-11-23T16:00:00+08:00, valid_to: "2026-12-01T00:00:00Z"}
"""


def write(tmp_path: Path, text: str, name: str = "registry.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        read_registry(path)
    assert str(path) in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def test_times_are_read_with_and_without_quotes(tmp_path: Path) -> None:
    registry = read_registry(write(tmp_path, GOOD))
    assert registry.version == 3
    assert registry.assignments[0].valid_from == NOW
    assert registry.plans == list(DEFAULT_PLANS)


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    text = msgspec.json.encode(small_registry()).decode()
    assert read_registry(write(tmp_path, text, "registry.json")) == small_registry()
    assert read_registry(write(tmp_path, text, "json-is-yaml.yml")) == small_registry()


def test_every_shape_error_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = """
people: []
orgs: [{id: city, name: C, colour: red}, {id: ok, name: 12}]
wearers: {id: w-1}
devices: [{id: "a b", org: ok}]
orders: [{id: o-1, wearer: w-1, ground: court_prohibition, document: d, approver: a,
          valid_from: 2026-11-23, valid_to: 2026-11-24 08:00:00}]
schedules: [{id: s, windows: [{days: [mon], start: 22:00, end: "06:00"}]}]
version: yes
"""
    unknown, *others = problems_of(write(tmp_path, text))
    assert unknown.startswith("people: unknown; a registry has version, orgs, wearers, ")
    assert others == [
        "version: must be a number",
        "orgs[0].colour: unknown field; there are id, name, name_en, parent, timezone",
        "orgs[1].name: Expected `str`, got `int`; write it in quotes",
        "wearers: must be a list",
        "devices[0].id: Expected `str` matching regex '^[A-Za-z0-9._-]{1,64}$'",
        "orders[0].valid_from: Expected `datetime`, got `date`; write it like 2026-11-23T08:00:00+08:00",
        "orders[0].valid_to: Expected `datetime` with a timezone component; write it like 2026-11-23T08:00:00+08:00",
        "schedules[0].windows[0].start: Expected `str`, got `int`; write it in quotes",
    ]


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("+08:00", "")
    (problem,) = problems_of(write(tmp_path, text))
    assert problem.startswith("assignments[0].valid_from: Expected `datetime` with a timezone component; write it like")


def test_faults_of_meaning_keep_their_place_beside_faults_of_shape(tmp_path: Path) -> None:
    text = """
orgs: [{id: city, name: 1}, {id: dongqu, name: D, parent: city}, {id: xiqu, name: X, parent: nowhere}]
"""
    assert problems_of(write(tmp_path, text)) == [
        "orgs[0].name: Expected `str`, got `int`; write it in quotes",
        "orgs[2].parent: there is no nowhere in orgs",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("orgs: [", "file: is not YAML or JSON: while parsing", id="broken YAML"),
        pytest.param("just text", "file: must be a mapping", id="no mapping"),
        pytest.param("orgs: 2026-13-45", "file: is not YAML or JSON: month must be", id="impossible date"),
        pytest.param("", "file: must be a mapping", id="empty"),
    ],
)
def test_a_file_that_is_no_registry_is_one_problem(tmp_path: Path, text: str, expected: str) -> None:
    (problem,) = problems_of(write(tmp_path, text))
    assert problem.startswith(expected)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "none.yaml") == ["file: No such file or directory"]


def test_bytes_that_are_no_text_are_one_problem(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"orgs: \xff")
    (problem,) = problems_of(tmp_path / "r.yaml")
    assert "utf-8" in problem


def test_a_registry_may_have_nothing_in_it() -> None:
    assert parse_registry({}) == Registry()
    assert parse_registry({"orgs": None}) == Registry()
