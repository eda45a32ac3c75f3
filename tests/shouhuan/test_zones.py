"""``shouhuan zones`` as its user meets it."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from schemas.registry import Datum, LeavePlace
from shouhuan.cli import app
from shouhuan.zones import show
from store.registry_datum import round_trip_m
from store.registry_file import read_registry

BOW_TIE = [[101, 26], [101.01, 26.01], [101.01, 26], [101, 26.01], [101, 26]]


def zone(name: str, geometry: dict[str, Any], **more: Any) -> dict[str, Any]:
    facts = {"id": name, "org": "city", "name": f"[b]{name}[/b]", "kind": "keep_out", "datum": "GCJ-02"}
    return facts | {"geometry": geometry} | more


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


SOUND = [
    zone("school", point(101.71, 26.58), radius_m=200),
    zone("yard", point(101.71, 26.58), radius_m=20, datum="WGS-84"),
    zone("road", {"type": "LineString", "coordinates": [[101, 26], [101, 26.1]]}, width_m=100, schedule="night"),
    zone(
        "block",
        {"type": "Polygon", "coordinates": [[[101, 26], [101.01, 26], [101.01, 26.01], [101, 26]]]},
        datum="WGS-84",
    ),
]


def write(folder: Path, *zones: dict[str, Any], **more: Any) -> Path:
    night = {"id": "night", "windows": [{"days": ["mon"], "start": "22:00", "end": "06:00"}]}
    content = {"orgs": [{"id": "city", "name": "攀枝花"}], "schedules": [night], "zones": list(zones), **more}
    path = folder / "registry.json"
    path.write_bytes(msgspec.json.encode(content))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["zones", *map(str, arguments)])


def shown(path: Path) -> tuple[int, str]:
    out = Console(width=220, record=True, file=StringIO())
    return show(path, out), out.export_text()


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"│ {name} "))


def test_every_zone_is_shown_with_its_shape_size_hours_and_warnings(tmp_path: Path) -> None:
    code, text = shown(write(tmp_path, *SOUND))
    assert code == 0
    # Areas by hand: π r²; 11,119.5 m by a hundredth of a degree; half of 999.4 m by 1,111.9 m.
    for name, facts in {
        "school": ["keep_out", "circle of 200 m", "0.126 km²", "always"],
        "yard": ["circle of 20 m", "0.001 km²", "only 20.0 m from its middle to its line"],
        "road": ["corridor 100 m wide", "11.12 km", "night"],
        "block": ["Polygon, 4 positions", "0.556 km²"],
    }.items():
        assert all(fact in row(text, name) for fact in facts), (row(text, name), facts)
    assert "only" not in row(text, "school")
    assert "[b]school[/b]" in text


def test_a_fence_drawn_on_a_chinese_map_is_converted_to_well_under_half_a_metre_and_it_says_so(tmp_path: Path) -> None:
    code, text = shown(write(tmp_path, *SOUND))
    assert code == 0
    assert "GCJ-02 → WGS-84 → GCJ-02: at most 0.0000" in text
    assert "m (shapes: 2; allowed: 0.5 m)" in text
    assert "GCJ-02 →" not in shown(write(tmp_path, SOUND[1]))[1]


def test_the_places_of_leaves_are_converted_too(tmp_path: Path) -> None:
    place = {"name": "p", "datum": "GCJ-02", "geometry": point(104.08, 30.66), "radius_m": 500}
    times = {"recorded_at": "2026-11-20T09:00:00Z", "valid_from": "2026-11-21T09:00:00Z"}
    leave = {"id": "l", "wearer": "w", "document": "d", "approver": "a", "valid_to": "2026-11-22T09:00:00Z", **times}
    more = {"wearers": [{"id": "w", "org": "city"}], "leaves": [leave | {"places": [place]}]}
    assert "(shapes: 1;" in shown(write(tmp_path, SOUND[1], **more))[1]


def test_gcj02_where_there_is_none_is_not_converted_silently(tmp_path: Path) -> None:
    code, text = shown(write(tmp_path, zone("pole", point(101.71, 89.9999), radius_m=200)))
    assert code == 1
    assert "more than 0.5 m: GCJ-02 is a frame of mainland China; check the datum" in text


def test_the_round_trip_is_measured_in_metres(monkeypatch: pytest.MonkeyPatch) -> None:
    degree_m = 111_195
    monkeypatch.setattr("store.registry_datum.gcj02_to_wgs84", lambda lat, lon: (lat, lon))
    monkeypatch.setattr(
        "store.registry_datum.wgs84_to_gcj02", lambda lat, lon: (lat + 3 / degree_m, lon + 8 / degree_m)
    )
    # At 60 degrees north a degree of longitude is half as long: 3 m and 4 m, so 5 m.
    assert round_trip_m(LeavePlace(name="p", datum=Datum.GCJ02, geometry=point(104, 60))) == pytest.approx(5, 1e-3)


def test_an_import_says_what_to_think_over_and_imports_it(
    tmp_path: Path, embedded_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOUHUAN_DATABASE_URL", embedded_database)
    outcome = CliRunner().invoke(app, ["import", str(write(tmp_path, *SOUND))])
    assert outcome.exit_code == 0
    assert "added" in outcome.stdout
    assert outcome.stderr.startswith("warning: zones[1].radius_m: only 20.0 m from its middle to its line")
    assert outcome.stderr.count("warning:") == 1


def test_a_file_with_problems_is_refused_with_all_of_them(tmp_path: Path) -> None:
    bad = zone("bow", {"type": "Polygon", "coordinates": [BOW_TIE]}, org="nowhere")
    outcome = run(write(tmp_path, bad))
    assert outcome.exit_code == 1
    assert "zones[0].org: there is no nowhere in orgs" in outcome.output
    assert "zones[0].geometry: not a valid shape: self-intersection at [101.005, 26.005]" in outcome.output
    assert "`shouhuan zones FILE --repair` prints a repaired version" in outcome.output


def test_the_repaired_version_can_be_pasted_back(tmp_path: Path) -> None:
    bad = zone("bow", {"type": "Polygon", "coordinates": [BOW_TIE]})
    outcome = run(write(tmp_path, SOUND[0], bad), "--repair")
    assert outcome.exit_code == 0
    assert "zones[1].geometry: self-intersection at [101.005, 26.005]; 1 part, 0 holes, 4 corners → " in outcome.stderr
    (feature,) = json.loads(outcome.stdout)["features"]
    assert feature["properties"]["zone"] == "bow"
    (mended,) = read_registry(write(tmp_path, bad | {"geometry": feature["geometry"]})).zones
    assert mended.geometry["type"] == "MultiPolygon"


def test_the_repaired_areas_can_be_read_as_areas(tmp_path: Path) -> None:
    feature = {"type": "Feature", "properties": {"code": "51", "name": "区"},
               "geometry": {"type": "Polygon", "coordinates": [BOW_TIE]}}  # fmt: skip
    (tmp_path / "areas.json").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    named = [{"id": name, "org": "city", "name": "区", "kind": "keep_in", "area": "51"} for name in "ab"]
    areas = {"file": "areas.json", "datum": "GCJ-02"}
    path = write(tmp_path, *named, areas=areas)
    assert "zones[1].area: 51 区: not a valid shape" in run(path).output
    (tmp_path / "mended.json").write_text(run(path, "--repair").stdout)
    again = write(tmp_path, *named, areas=areas | {"file": "mended.json"})
    assert [zone.datum for zone in read_registry(again).zones] == [Datum.GCJ02] * 2


def test_what_is_empty_after_repair_is_not_printed_as_a_shape(tmp_path: Path) -> None:
    flat = zone("flat", {"type": "Polygon", "coordinates": [[[101, 26], [102, 27], [103, 28], [101, 26]]]})
    outcome = run(write(tmp_path, flat), "--repair")
    assert json.loads(outcome.stdout)["features"] == []
    assert "nothing with an area is left; draw it anew" in outcome.stderr


def test_a_file_without_invalid_polygons_says_so(tmp_path: Path) -> None:
    outcome = run(write(tmp_path, *SOUND), "--repair")
    assert outcome.exit_code == 0
    assert "no polygon needs repair" in outcome.stderr


@pytest.mark.parametrize("option", [[], ["--repair"]], ids=["show", "repair"])
@pytest.mark.parametrize(
    ("areas", "words"),
    [(None, "No such file"), ({"file": "none.geojson", "datum": "GCJ-02"}, "areas.file: none.geojson: No such file")],
    ids=["no registry", "no areas"],
)
def test_a_file_that_is_not_there_is_said_in_one_line(
    tmp_path: Path, option: list[str], areas: Any, words: str
) -> None:
    path = write(tmp_path, *SOUND, areas=areas) if areas else tmp_path / "none.yaml"
    outcome = run(path, *option)
    assert outcome.exit_code == 1
    assert words in outcome.output
