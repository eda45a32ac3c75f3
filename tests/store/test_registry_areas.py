"""Zones that name an administrative area instead of drawing it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.registry import Datum, Registry, Zone
from store.errors import RegistryError
from store.registry_areas import read_areas
from store.registry_file import parse_registry
from store.registry_repair import repairs
from tests.store.build_registry import SQUARE

ROOT = Path(__file__).parents[2]
DISTRICTS = ROOT.parent / "shared/data/panzhihua_boundary/districts_gcj02.geojson"
BOW_TIE = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]


def feature(name: str, ring: list[Any] = SQUARE, kind: str = "Polygon", **more: Any) -> dict[str, Any]:
    properties = {"name": name, **more.pop("properties", {})}
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": [ring]}, **more}


FEATURES = [
    feature("东区", properties={"adcode": 510402}),
    feature("西区", properties={"code": "510403"}),
    feature("仁和区", id="510411"),
    feature("城区", properties={"id": "1"}),
    feature("城区", properties={"id": "2"}),
    feature("盐边县", BOW_TIE),
    feature("车站", kind="MultiPoint"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    collection = {"type": "FeatureCollection", "features": FEATURES}
    (tmp_path / "areas.geojson").write_text(json.dumps(collection), encoding="utf-8")
    return tmp_path


def content(*zones: dict[str, Any], areas: object = None, **more: Any) -> dict[str, Any]:
    facts = [
        {"id": f"z-{number}", "org": "city", "name": "区", "kind": "keep_in", **z} for number, z in enumerate(zones)
    ]
    areas = {"file": "areas.geojson", "datum": "GCJ-02"} if areas is None else areas
    return {"orgs": [{"id": "city", "name": "攀枝花"}], "zones": facts, "areas": areas, **more}


def read(folder: Path, *zones: dict[str, Any], **more: Any) -> list[Zone]:
    return parse_registry(content(*zones, **more), folder=folder).zones


def problems(folder: Path, *zones: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        read(folder, *zones, **more)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["510402", 510402, "东区", "510403", "510411", "仁和区"])
def test_an_area_gives_its_zone_a_shape_and_the_datum_of_its_file(folder: Path, name: object) -> None:
    (zone,) = read(folder, {"area": name, "approach_m": 200})
    assert (zone.datum, zone.geometry) == (Datum.GCJ02, {"type": "Polygon", "coordinates": [SQUARE]})
    assert zone.approach_m == 200


def test_zones_with_and_without_areas_stand_side_by_side(folder: Path) -> None:
    drawn = {"datum": "WGS-84", "geometry": {"type": "Point", "coordinates": [101, 26]}, "radius_m": 80}
    assert [zone.radius_m for zone in read(folder, drawn, {"area": "东区"}, drawn)] == [80, None, 80]


def test_an_area_nobody_knows_is_told_with_those_that_are_meant_perhaps(folder: Path) -> None:
    unknown, other = problems(folder, {"area": "510401"}, {"area": "xyz"})
    assert unknown.startswith("zones[0].area: there is no 510401 in areas.geojson; did you mean ")
    assert "510402 东区" in unknown
    assert other == "zones[1].area: there is no xyz in areas.geojson"


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        pytest.param({"area": "城区"}, "城区 is 2 areas in areas.geojson; give the code (1, 2)", id="a name of two"),
        pytest.param({"area": "车站"}, "车站 车站 is a MultiPoint, an area is a polygon", id="no polygon"),
        pytest.param(
            {"area": "盐边县"},
            "盐边县 盐边县: not a valid shape: self-intersection at [0.5, 0.5]; "
            "`shouhuan zones FILE --repair` prints a repaired version",
            id="an invalid shape",
        ),
        pytest.param(
            {"area": "东区", "datum": "WGS-84", "radius_m": 3},
            "an area brings its own shape and datum; leave out datum, radius_m",
            id="beside a datum of its own",
        ),
    ],
)
def test_what_is_wrong_with_an_area_is_one_problem(folder: Path, zone: dict[str, Any], expected: str) -> None:
    assert problems(folder, zone) == [f"zones[0].area: {expected}"]


def test_the_rest_of_such_a_zone_is_looked_at_too(folder: Path) -> None:
    assert problems(
        folder, {"area": "510402", "org": "nowhere", "dwell_s": 5}, {"area": "?", "org": "x", "size": 3}
    ) == [
        "zones[1].area: there is no ? in areas.geojson",
        (
            "zones[1].size: unknown field; there are id, org, name, kind, datum, geometry, radius_m, width_m, "
            "approach_m, dwell_s, wearers, schedule, valid_from, valid_to, version"
        ),
        "zones[0].org: there is no nowhere in orgs",
        "zones[0].dwell_s: only keep_out and interest zones ring on lingering; this one is keep_in",
    ]


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        pytest.param({"file": "no.json", "datum": "GCJ-02"}, "areas.file: no.json: No such file", id="no file"),
        pytest.param(
            {"file": "bad.json", "datum": "GCJ-02"}, "areas.file: bad.json is no GeoJSON Feature", id="no JSON"
        ),
        pytest.param({"file": "areas.geojson"}, "areas.datum: is missing", id="no datum"),
        pytest.param("areas.geojson", "areas: Expected `object`, got `str`", id="no mapping"),
    ],
)
def test_areas_that_cannot_be_read_are_told_once(folder: Path, areas: object, expected: str) -> None:
    (folder / "bad.json").write_text("{")
    (found,) = problems(folder, {"area": "东区"}, {"area": "西区"}, areas=areas)
    assert found.startswith(expected)


def test_a_zone_with_an_area_asks_for_a_file_of_areas() -> None:
    without = {name: value for name, value in content({"area": "东区"}).items() if name != "areas"}
    with pytest.raises(RegistryError, match=r"zones\[0\]\.area: write where areas are: a top-level areas:"):
        parse_registry(without)


def test_the_documented_areas_are_read(tmp_path: Path) -> None:
    text = (ROOT / "docs/registry.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "boundaries").mkdir()
    collection = {"type": "FeatureCollection", "features": [feature("东区", properties={"code": "510402"})]}
    (tmp_path / "boundaries/panzhihua.geojson").write_text(json.dumps(collection), encoding="utf-8")
    (tmp_path / "registry.yaml").write_text("orgs: [{id: dongqu, name: 东区司法局}]\n" + block, encoding="utf-8")
    from store.registry_file import read_registry  # noqa: PLC0415 - only this test reads a path

    assert isinstance(registry := read_registry(tmp_path / "registry.yaml"), Registry)
    assert registry.zones[0].geometry["coordinates"] == [SQUARE]


@pytest.mark.skipif(not DISTRICTS.exists(), reason="the boundaries of Panzhihua are not on this machine")
def test_the_districts_of_panzhihua_are_invalid_as_published_and_read_once_repaired(tmp_path: Path) -> None:
    names = {"510402": "东区", "510403": "西区", "510411": "仁和区", "510421": "米易县", "510422": "盐边县"}
    zones = [{"area": code} for code in names]
    published = {"file": str(DISTRICTS), "datum": "GCJ-02"}
    for found, name in zip(problems(tmp_path, *zones, areas=published), names.values(), strict=True):
        assert re.search(rf"{name}: not a valid shape: (ring )?self-intersection at \[10[12]\.\d+, 2[67]\.\d+\]", found)
    areas, _ = read_areas(published, tmp_path)
    mended = [repair.feature for repair in repairs(content(*zones), areas)]
    (tmp_path / "mended.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": mended}))
    read_again = read(tmp_path, *zones, areas={"file": "mended.geojson", "datum": "GCJ-02"})
    assert [zone.datum for zone in read_again] == [Datum.GCJ02] * 5
