import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.outcome import Context, Event
from evaluation.truth_file import TruthError, contexts_of, events_of, read_contexts, read_truth
from schemas.alerts import AlertCode
from schemas.truth import ContextLine, TruthLine, moment

LINE = {
    "device": "band-1",
    "code": "zone.exit",
    "start": "2026-11-23T02:00:00Z",
    "end": "2026-11-23T02:30:00Z",
    "parameters": {"zone": "home"},
}


def written(path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    content = "".join(text + "\n" for text in texts).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def problems(path: Path, *lines: dict[str, Any] | str, devices: set[str] | None = None) -> list[str]:
    with pytest.raises(TruthError) as caught:
        read_truth(written(path / "truth.jsonl", *lines), devices)
    return caught.value.problems


def at(hour_minute: str) -> str:
    return f"2026-11-23T{hour_minute}:00Z"


@pytest.mark.parametrize("name", ["truth.jsonl", "truth.jsonl.gz"])
def test_lines_become_events_in_their_order(tmp_path, name):
    later = LINE | {"start": at("05:00"), "end": at("06:00"), "parameters": {}}
    path = written(tmp_path / name, later, "", LINE)
    assert read_truth(path) == [
        Event("band-1", AlertCode.ZONE_EXIT, 1_795_410_000_000, 1_795_413_600_000, {}),
        Event("band-1", AlertCode.ZONE_EXIT, 1_795_399_200_000, 1_795_401_000_000, {"zone": "home"}),
    ]


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("2026-11-23T02:00:00.5Z", id="utc"),
        pytest.param("2026-11-23T10:00:00.500+08:00", id="china"),
        pytest.param("2026-11-22T22:30:00.500000-03:30", id="half an hour"),
        pytest.param("2026-11-23t02:00:00.500z", id="small letters"),
        pytest.param("2026-11-23 02:00:00.500999999+00:00", id="blank and nanoseconds"),
    ],
)
def test_a_time_may_have_any_offset(tmp_path, start):
    [event] = read_truth(written(tmp_path / "truth.jsonl", LINE | {"start": start}))
    assert event.start_ms == 1_795_399_200_500


def test_an_empty_file_holds_no_event(tmp_path):
    assert read_truth(written(tmp_path / "truth.jsonl")) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("{", "line 1: no JSON object", id="no json"),
        pytest.param("[" * 100_000, "line 1: no JSON object", id="deep"),
        pytest.param('"band-1"', "line 1: no JSON object", id="no object"),
        pytest.param({k: v for k, v in LINE.items() if k != "device"}, "line 1: device is missing", id="missing"),
        pytest.param({k: v for k, v in LINE.items() if k != "parameters"}, "parameters is missing", id="no parameters"),
        pytest.param(LINE | {"device": 7}, "line 1: device is 7; write a text", id="number for text"),
        pytest.param(LINE | {"device": ""}, 'line 1: device is ""; write a text', id="empty text"),
        pytest.param(LINE | {"start": 1_795_399_200}, "start is 1795399200; write a text", id="number for time"),
        pytest.param(LINE | {"parameters": []}, "line 1: parameters is []; write an object", id="list for object"),
        pytest.param(LINE | {"parameters": {"zone": 3}}, "line 1: parameters.zone is no text", id="zone number"),
        pytest.param(LINE | {"parameters": {"kind": None}}, "line 1: parameters.kind is no text", id="kind null"),
        pytest.param(LINE | {"ende": 1}, "line 1: unknown field ende (did you mean end?)", id="unknown field"),
        pytest.param(LINE | {"code": "zone.exits"}, "unknown code zone.exits (did you mean zone.exit?)", id="code"),
        pytest.param(LINE | {"code": "qqq"}, "line 1: unknown code qqq; write a code", id="code like none"),
        pytest.param(LINE | {"start": "soon"}, "line 1: start soon is no time", id="no time"),
        pytest.param(
            LINE | {"end": "2026-11-23T02:30:00"}, "line 1: end 2026-11-23T02:30:00 has no offset", id="no offset"
        ),
        pytest.param(LINE | {"end": "2026-11-23T02:30:00"}, "add Z", id="what to do"),
        pytest.param(LINE | {"end": at("01:59")}, "is before start 2026-11-23T02:00:00Z", id="reversed"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(tmp_path, line, told):
    [problem] = problems(tmp_path, line)
    assert problem.startswith("line 1: ")
    assert told in problem


def test_every_problem_of_every_line_is_told_in_order(tmp_path):
    bad = {"device": "band-9", "code": "zone.exti", "start": "x", "end": "y", "colour": 1}
    found = problems(tmp_path, "nonsense", LINE, bad, devices={"band-1"})
    assert [problem.split(":")[0] for problem in found] == ["line 1"] + ["line 3"] * 6
    for told in ("unknown field colour", "zone.exti", "start x", "end y", "parameters is missing", "no band band-9"):
        assert sum(told in problem for problem in found) == 1


def test_overlaps_stand_among_the_other_problems_by_line(tmp_path):
    found = problems(tmp_path, LINE, LINE, "nonsense")
    assert [problem[:17] for problem in found] == ["line 2: overlaps ", "line 3: no JSON o"]


def test_the_error_reads_as_a_list(tmp_path):
    with pytest.raises(TruthError) as caught:
        read_truth(written(tmp_path / "truth.jsonl", "a", LINE, "b", "c"))
    first, *others = str(caught.value).splitlines()
    assert first == "truth.jsonl: 3 problems; nothing was judged"
    assert [line.split(":")[0] for line in others] == ["  line 1", "  line 3", "  line 4"]


@pytest.mark.parametrize(
    ("change", "overlaps"),
    [
        pytest.param({}, True, id="the same twice"),
        pytest.param({"start": at("02:29"), "end": at("03:00")}, True, id="part"),
        pytest.param({"start": at("02:10"), "end": at("02:11")}, True, id="within"),
        pytest.param({"start": at("02:30"), "end": at("03:00")}, False, id="touching"),
        pytest.param({"parameters": {"zone": "work"}}, False, id="another zone"),
        pytest.param({"parameters": {}}, False, id="no zone"),
        pytest.param({"device": "band-2"}, False, id="another band"),
        pytest.param({"code": "zone.enter"}, False, id="another code"),
    ],
)
def test_events_of_one_band_code_and_zone_do_not_overlap(tmp_path, change, overlaps):
    lines = (LINE, LINE | change)
    if overlaps:
        assert "line 2: overlaps line 1 (band-1 zone.exit home)" in problems(tmp_path, *lines)[0]
    else:
        assert len(read_truth(written(tmp_path / "truth.jsonl", *lines))) == 2


def test_an_overlap_with_a_long_earlier_event_is_seen_past_a_short_one(tmp_path):
    long, short, third = (
        LINE | {"start": at(start), "end": at(end)}
        for start, end in (("02:00", "06:00"), ("03:00", "03:10"), ("04:00", "05:00"))
    )
    found = problems(tmp_path, third, short, long)
    assert {problem.split(" (")[0] for problem in found} == {"line 3: overlaps line 1", "line 3: overlaps line 2"}


def test_a_moment_told_twice_overlaps_itself(tmp_path):
    fall = LINE | {"code": "vitals.fall", "end": LINE["start"], "parameters": {}}
    assert "line 2: overlaps line 1 (band-1 vitals.fall)" in problems(tmp_path, fall, fall)[0]


def test_bands_are_asked_for_only_where_they_are_known(tmp_path):
    path = written(tmp_path / "truth.jsonl", LINE)
    assert len(read_truth(path)) == len(read_truth(path, {"band-1"})) == 1
    with pytest.raises(TruthError, match="line 1: the capture has no band band-1"):
        read_truth(path, {"band-2"})
    with pytest.raises(TruthError, match="no band band-1"):
        read_truth(path, set())


@pytest.mark.parametrize("name", ["absent.jsonl", "absent.jsonl.gz"])
def test_a_file_that_is_not_there_is_the_same_error(tmp_path, name):
    with pytest.raises(TruthError, match=rf"{name}: 1 problem(.|\n)*No such file") as caught:
        read_truth(tmp_path / name)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "damage", [pytest.param(lambda data: data[:-9], id="cut"), pytest.param(lambda _: b"x", id="no gz")]
)
def test_a_damaged_archive_is_the_same_error(tmp_path, damage):
    path = written(tmp_path / "truth.jsonl.gz", LINE)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TruthError, match="cannot be read"):
        read_truth(path)


def test_what_was_written_is_read_as_it_was_meant(tmp_path):
    line = TruthLine(
        device="band-1", code=AlertCode.DEVICE_SOS, start=moment(1_001), end=moment(2_999), parameters={"kind": "x"}
    )
    [event] = events_of([line])
    assert event == Event("band-1", AlertCode.DEVICE_SOS, 1_001, 2_999, {"kind": "x"})
    asdict = {name: getattr(line, name) for name in TruthLine.__struct_fields__}
    assert read_truth(written(tmp_path / "truth.jsonl", asdict)) == [event]


def test_hard_negatives_are_read_alike(tmp_path):
    asdict = {"device": "band-1", "context": "cycling", "start": moment(0), "end": moment(5_000), "parameters": {}}
    expected = [Context("band-1", "cycling", 0, 5_000)]
    assert read_contexts(written(tmp_path / "contexts.jsonl", asdict)) == expected
    assert contexts_of([ContextLine(**asdict)]) == expected


def test_bad_hard_negatives_are_refused_alike(tmp_path):
    path = written(tmp_path / "contexts.jsonl", "?", {"device": "band-1", "contxt": "cycling"})
    with pytest.raises(TruthError) as caught:
        read_contexts(path)
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "line 1: no JSON object",
        "line 2: unknown field contxt (did you mean context?)",
        "line 2: context is missing",
        "line 2: start is missing",
        "line 2: end is missing",
        "line 2: parameters is missing",
    ]
