"""Repaired versions of invalid polygons."""

from typing import Any

import pytest
import shapely
from shapely.geometry import shape

from store.registry_repair import Repair, repairs
from tests.store.build_registry import SQUARE

BOW_TIE = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
OTHER_SQUARE = [[x + 0.01, y + 0.01] for x, y in SQUARE]


def polygon(*rings: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def mend(*geometries: object) -> list[Repair]:
    zones = [{"id": f"z-{n}", "name": "Z", "datum": "GCJ-02", "geometry": g} for n, g in enumerate(geometries)]
    return list(repairs({"zones": zones}, None))


@pytest.mark.parametrize(
    ("geometry", "defect", "change"),
    [
        pytest.param(
            polygon(BOW_TIE),
            "self-intersection at [0.5, 0.5]",
            "1 part, 0 holes, 4 corners → 2 parts, 0 holes, 6 corners, 6181.9208 km²",
            id="bow tie",
        ),
        pytest.param(
            {"type": "MultiPolygon", "coordinates": [[SQUARE], [OTHER_SQUARE]]},
            "self-intersection at [101.71, 26.6]",
            "2 parts, 0 holes, 8 corners → 1 part, 0 holes, 8 corners, 7.7393 km²",
            id="parts that overlap are kept together",
        ),
        pytest.param(
            polygon(SQUARE[:4]),
            "a ring is not closed",
            "1 part, 0 holes, 4 corners, 4.4226 km² → 1 part, 0 holes, 4 corners, 4.4226 km²",
            id="open ring",
        ),
        pytest.param(
            polygon([*SQUARE[:3], [101.74, 26.62], [101.72, 26.6], *SQUARE[3:]]),
            "self-intersection at",
            "1 part, 0 holes, 6 corners → 1 part, 0 holes, 4 corners, 4.4226 km²",
            id="spike",
        ),
    ],
)
def test_a_repair_says_what_was_wrong_and_what_changed(geometry: dict[str, Any], defect: str, change: str) -> None:
    (found,) = mend(geometry)
    assert found.path == "zones[0].geometry"
    assert found.defect.startswith(defect)
    assert found.change == change
    assert found.geometry is not None
    assert shapely.is_valid(shape(found.geometry))
    assert found.geometry["type"] in {"Polygon", "MultiPolygon"}
    assert found.feature["properties"]["zone"] == "z-0"
    assert found.feature["properties"]["datum"] == "GCJ-02"


def test_what_has_no_area_is_to_be_drawn_anew() -> None:
    (found,) = mend(polygon([[0, 0], [1, 1], [2, 2], [0, 0]]))
    assert (found.geometry, found.change) == (None, "nothing with an area is left; draw it anew")


@pytest.mark.parametrize(
    "geometry",
    [
        pytest.param(polygon(SQUARE), id="valid"),
        pytest.param({"type": "Point", "coordinates": [0, 0]}, id="no polygon"),
        pytest.param({"type": "Polygon"}, id="no coordinates"),
        pytest.param(polygon([["a", 0], [1, 1], [1, 0], ["a", 0]]), id="text"),
        pytest.param(polygon([[0, 0], [1]]), id="short"),
        pytest.param(polygon([]), id="no positions"),
        pytest.param({"type": "MultiPolygon", "coordinates": [[]]}, id="no rings"),
        pytest.param({"type": "Polygon", "coordinates": 3}, id="no list"),
        pytest.param(None, id="nothing"),
    ],
)
def test_what_is_sound_or_cannot_be_drawn_is_left_out(geometry: object) -> None:
    assert mend(geometry) == []


def test_a_file_of_anything_has_no_repairs() -> None:
    assert list(repairs({"zones": "x", "leaves": [3, {"places": 4}]}, None)) == []


def test_places_of_leaves_are_repaired_too() -> None:
    (found,) = repairs({"leaves": [{"id": "l", "places": [{"name": "P", "geometry": polygon(BOW_TIE)}]}]}, None)
    assert found.path == "leaves[0].places[0].geometry"
    assert found.whose == {"leave": "l", "place": "P", "name": "P", "datum": None}
