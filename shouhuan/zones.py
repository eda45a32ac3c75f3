"""``shouhuan zones``: every fence of a registry file as its author should see it, and repaired shapes on request."""

from pathlib import Path
from typing import Any

import msgspec
import shapely
from rich.console import Console
from rich.table import Table

from schemas.problems import Problem
from schemas.registry import Registry, Zone
from store.errors import RegistryError
from store.registry_advice import warnings
from store.registry_areas import read_areas
from store.registry_datum import MOVED, ROUND_TRIP_M, round_trip_m
from store.registry_file import read_content, read_registry
from store.registry_outline import Shaped, in_metres, outline
from store.registry_repair import repairs


def show(path: Path, out: Console) -> int:
    """Print a table of the zones of a registry file; 1 where a conversion is not true to ``ROUND_TRIP_M``, else 0.

    Raises ``RegistryError`` with everything that is wrong with the file.
    """
    registry = read_registry(path)
    advice = warnings(registry)
    table = Table("zone", "kind", "shape", "size", "holds", "warnings", title=str(path))
    for place, zone in enumerate(registry.zones):
        table.add_row(*_row(zone, [problem for problem in advice if _concerns(problem, place)]))
    out.print(table, markup=False)
    return _say_round_trip(registry, out)


def repair(path: Path, out: Console, err: Console) -> None:
    """Print repaired GeoJSON for each invalid polygon of a registry file on ``out``, and what changed on ``err``.

    Raises ``RegistryError`` where the file, or its file of areas, cannot be read.
    """
    content = read_content(path)
    areas, problems = read_areas(content["areas"], path.parent) if "areas" in content else (None, [])
    if problems:
        raise RegistryError(problems, str(path))
    found = list(repairs(content, areas))
    for one in found:
        err.print(f"{one.path}: {one.defect}; {one.change}", markup=False, highlight=False, soft_wrap=True)
    if not found:
        err.print(f"{path}: no polygon needs repair", markup=False, highlight=False, soft_wrap=True)
    features = [one.feature for one in found if one.geometry is not None]
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    out.print(msgspec.json.encode(collection).decode(), markup=False, highlight=False, soft_wrap=True)


def _say_round_trip(registry: Registry, out: Console) -> int:
    shapes: list[Shaped] = [*registry.zones, *(place for leave in registry.leaves for place in leave.places)]
    errors_m = [error_m for error_m in map(round_trip_m, shapes) if error_m is not None]
    if not errors_m:
        return 0
    line = f"GCJ-02 → WGS-84 → GCJ-02: at most {max(errors_m):.6f} m"
    if max(errors_m) <= ROUND_TRIP_M:
        out.print(f"{line} (shapes: {len(errors_m)}; allowed: {ROUND_TRIP_M} m)", highlight=False)
        return 0
    out.print(f"{line}, {MOVED}", style="red")
    return 1


def _row(zone: Zone, advice: list[Problem]) -> list[str]:
    name = f"{zone.id}\n{zone.name}"
    return [name, zone.kind.value, _shape(zone), _size(zone), zone.schedule or "always", "\n".join(_words(advice))]


def _concerns(problem: Problem, place: int) -> bool:
    return problem.path == f"zones[{place}]" or problem.path.startswith(f"zones[{place}].")


def _words(advice: list[Problem]) -> list[str]:
    return [problem.message for problem in advice]


def _shape(zone: Zone) -> str:
    drawn = shapely.geometry.shape(zone.geometry)
    if zone.radius_m:
        text = f"circle of {zone.radius_m:g} m"
    elif zone.width_m:
        text = f"corridor {zone.width_m:g} m wide"
    else:
        text = f"{zone.geometry['type']}, {shapely.get_num_coordinates(drawn)} positions"
    return f"{text}\n{zone.datum.value}"


def _size(zone: Zone) -> str:
    """A corridor's length, another shape's area."""
    if zone.width_m:
        line = shapely.geometry.shape(zone.geometry)
        return f"{in_metres(line).length / 1000:.2f} km"
    return f"{in_metres(outline(zone)).area / 1_000_000:,.3f} km²"
