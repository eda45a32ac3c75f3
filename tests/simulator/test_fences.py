from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.alerts import AlertCode
from schemas.registry import (
    Assignment,
    Datum,
    Device,
    Leave,
    Org,
    Registry,
    Schedule,
    Wearer,
    Window,
    Zone,
    ZoneKind,
)
from schemas.truth import TruthLine
from simulator import Kind
from simulator.fences import Fences
from simulator.movement import Motion
from simulator.plane import METRES_PER_DEGREE, Floats
from simulator.roster import Roster
from simulator.script import Incident
from simulator.truth import ZoneTruth

SQUARE_DEG = 500 / METRES_PER_DEGREE
ROUND: dict[str, Any] = {"type": "Point", "coordinates": [101.7, 0.0]}


def _square(lon: float, lat: float, half: float) -> list[list[float]]:
    return [[lon + x * half, lat + y * half] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]


def _at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _fences(
    geometry: dict[str, Any],
    kind: ZoneKind = ZoneKind.KEEP_IN,
    leaves: tuple[tuple[float, float], ...] = (),
    **more: Any,
) -> tuple[Roster, Fences]:
    """One wearer's one zone; its morning runs from 0 to 3,600 s, leaves are seconds too."""
    registry = Registry(
        orgs=[Org(id="root", name="r"), Org(id="o", name="o", parent="root")],
        wearers=[Wearer(id="w", org="o")],
        devices=[Device(id="d", org="o")],
        assignments=[Assignment(device="d", wearer="w", valid_from=datetime(1969, 1, 1, tzinfo=UTC))],
        schedules=[Schedule(id="morning", windows=[Window(days=["thu"], start="08:00", end="09:00")])],  # type: ignore[list-item]
        zones=[
            Zone(id="z", org="root", name="z", kind=kind, geometry=geometry, **({"datum": Datum.WGS84} | more)),
            Zone(
                id="home", org="root", name="", kind=ZoneKind.INTEREST, geometry=ROUND, datum=Datum.WGS84, radius_m=9.0
            ),
        ],
        leaves=[
            Leave(
                id=f"l{number}",
                wearer="w",
                document="",
                approver="",
                recorded_at=_at(-9),
                valid_from=_at(start_s),
                valid_to=_at(end_s),
            )
            for number, (start_s, end_s) in enumerate(leaves)
        ],
    )
    roster = Roster.of(registry, -10_000_000)
    return roster, Fences.of(roster, registry.schedules, 0)


class _Path:
    """A way walked along straight lines between given points east of home (s, m): what a ``Movement`` is asked for."""

    def __init__(self, *points: tuple[float, float]) -> None:
        self._t, self._east_m = np.array(points, np.float64).T

    def between(self, rows: NDArray[np.intp], from_s: Floats, to_s: Floats, points: int) -> tuple[Floats, Floats]:
        assert not rows.any()
        times = from_s[:, None] + np.linspace(0.0, 1.0, points) * (to_s - from_s)[:, None]
        return times, self._xy(times)

    def over(self, times_s: Floats, step_s: float) -> Motion:
        along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(self._east_m)))])
        travelled_m = np.interp(times_s, self._t, along) - np.interp(times_s - step_s, self._t, along)
        still = np.zeros(times_s.shape)
        return Motion(self._xy(times_s), travelled_m / step_s, still, travelled_m, still.astype(np.int8), still)

    def _xy(self, times: Floats) -> Floats:
        return np.stack([np.interp(times, self._t, self._east_m), np.zeros(times.shape)], axis=-1)


def _truth(
    fences: Fences,
    *points: tuple[float, float],
    step_s: float = 60.0,
    blocks: int = 1,
    script: tuple[Incident, ...] = (),
) -> list[TruthLine]:
    """The breaches of a way that is observed every so often, in so many blocks."""
    path = _Path(*points)
    truth = ZoneTruth(fences, path, 0)  # type: ignore[arg-type]
    times_s = np.arange(points[0][0], points[-1][0] + 1, step_s)[None, :]
    for block in np.array_split(np.arange(times_s.shape[1]), blocks):
        truth.observe(times_s[:, block], path.over(times_s[:, block], step_s))
    return truth.lines(["d"], script, points[-1][0])


def _spans_s(lines: list[TruthLine]) -> list[tuple[float, float]]:
    return [tuple(datetime.fromisoformat(m).timestamp() for m in (line.start, line.end)) for line in lines]  # type: ignore[misc]


def test_a_zone_of_the_organisation_above_concerns_everybody_below() -> None:
    _, fences = _fences(ROUND, radius_m=100.0)
    assert [pair.zone.id for pair in fences.pairs] == ["z"]


@pytest.mark.parametrize(
    ("point", "distance_m"),
    [([0, 0], -500), ([400, 0], -100), ([600, 0], 100), ([800, 900], 500)],
    ids=["middle", "inside", "outside", "beyond a corner"],
)
def test_distance_to_a_polygon_is_signed(point: list[float], distance_m: float) -> None:
    _, fences = _fences({"type": "Polygon", "coordinates": [_square(101.7, 0.0, SQUARE_DEG)]})
    assert fences.distance_m(np.array([point], np.float64))[0] == pytest.approx(distance_m, abs=0.5)


def test_a_hole_is_outside() -> None:
    rings = [_square(101.7, 0.0, SQUARE_DEG), _square(101.7, 0.0, SQUARE_DEG / 5)]
    _, fences = _fences({"type": "Polygon", "coordinates": rings})
    assert fences.distance_m(np.zeros((1, 2)))[0] == pytest.approx(100, abs=0.5)


def test_the_wall_of_a_circle_is_found_in_every_direction() -> None:
    _, fences = _fences(ROUND, radius_m=300.0)
    assert [abs(fences.wall_m(0, angle) - 305) <= 5 for angle in (0.0, 1.0, 4.0)] == [True] * 3


@pytest.mark.parametrize("blocks", [1, 2, 11], ids=["in one block", "in two", "step by step"])
def test_a_breach_lasts_from_crossing_to_crossing_of_the_true_path(blocks: int) -> None:
    _, fences = _fences(ROUND, radius_m=300.0)
    # Out at 1 m/s: the wall is met at 300 s; back from 500 m, it is met at 800 s.
    (line,) = _truth(fences, (0, 0), (500, 500), (600, 500), (1100, 0), (1200, 0), blocks=blocks)
    assert _spans_s([line])[0] == pytest.approx((300, 800), abs=0.01)
    assert (line.code, line.parameters["zone"]) == (AlertCode.ZONE_EXIT, "z")
    assert line.parameters["deepest_m"] == pytest.approx(200, abs=0.5)


def test_a_keep_out_is_breached_inside() -> None:
    _, fences = _fences({"type": "Point", "coordinates": [101.7 + SQUARE_DEG, 0.0]}, ZoneKind.KEEP_OUT, radius_m=100.0)
    (line,) = _truth(fences, (0, 0), (1200, 1200))
    assert line.code is AlertCode.ZONE_ENTER
    assert _spans_s([line])[0] == pytest.approx((400, 600), abs=1)


@pytest.mark.parametrize("blocks", [1, 2, 21], ids=["in one block", "in two", "step by step"])
def test_a_fast_pass_between_two_reports_is_a_breach_although_nobody_saw_it(blocks: int) -> None:
    _, fences = _fences({"type": "Point", "coordinates": [101.7 + SQUARE_DEG, 0.0]}, ZoneKind.KEEP_OUT, radius_m=100.0)
    # Outside at 600 s and at 660 s, and in between with 16 m/s through 200 m of zone.
    (line,) = _truth(fences, (0, 0), (600, 0), (660, 960), (1200, 960), blocks=blocks)
    start_s, end_s = _spans_s([line])[0]
    assert (start_s, end_s) == (pytest.approx(625, abs=3), pytest.approx(637.5, abs=3))


def test_what_stays_outside_on_a_fast_pass_is_no_breach() -> None:
    _, fences = _fences({"type": "Point", "coordinates": [101.7, SQUARE_DEG]}, ZoneKind.KEEP_OUT, radius_m=400.0)
    assert _truth(fences, (0, -900), (600, -900), (660, 900), (1200, 900)) == []


def test_out_in_and_out_again_within_a_minute_is_one_breach() -> None:
    _, fences = _fences(ROUND, radius_m=300.0)
    zigzag = [(0, 250), (100, 350), (150, 350), (160, 290), (170, 350), (400, 350), (500, 250), (900, 250)]
    (line,) = _truth(fences, *zigzag, step_s=5.0)
    assert _spans_s([line])[0] == pytest.approx((50, 450), abs=1)


def test_out_in_and_out_again_after_more_than_a_minute_are_two() -> None:
    _, fences = _fences(ROUND, radius_m=300.0)
    twice = [(0, 250), (100, 350), (150, 350), (250, 250), (350, 250), (450, 350), (900, 350)]
    lines = _truth(fences, *twice, step_s=5.0)
    assert _spans_s(lines) == [pytest.approx((50, 200), abs=1), pytest.approx((400, 900), abs=1)]


def test_what_lasts_when_the_run_ends_ends_with_it_and_what_began_before_it_is_not_told() -> None:
    _, fences = _fences(ROUND, radius_m=300.0)
    assert _spans_s(_truth(fences, (0, 0), (600, 600), (900, 600))) == [pytest.approx((300, 900), abs=0.01)]


@pytest.mark.parametrize("blocks", [1, 7])
def test_a_schedule_that_begins_finds_its_wearer_absent_and_lets_go_when_it_ends(blocks: int) -> None:
    _, fences = _fences(ROUND, ZoneKind.CURFEW, radius_m=100.0, schedule="morning")
    (line,) = _truth(fences, (-600, 500), (4200, 500), step_s=50.0, blocks=blocks)
    assert line.code is AlertCode.ZONE_CURFEW
    assert _spans_s([line]) == [(0, 3600)]


def test_only_the_scheduled_part_of_an_absence_is_a_breach() -> None:
    _, fences = _fences(ROUND, ZoneKind.CURFEW, radius_m=100.0, schedule="morning")
    (line,) = _truth(fences, (-600, 500), (1000, 500), (1500, 0), (3000, 0))
    assert _spans_s([line])[0] == pytest.approx((0, 1400), abs=0.01)


@pytest.mark.parametrize(
    ("kind", "spans_s"),
    [
        (ZoneKind.KEEP_IN, [(0, 600), (1200, 1800)]),
        (ZoneKind.CURFEW, [(0, 600), (1200, 1800)]),
        (ZoneKind.KEEP_OUT, []),
    ],
    ids=lambda value: value.value if isinstance(value, ZoneKind) else "",
)
def test_a_leave_suspends_all_that_keeps_its_wearer_in(kind: ZoneKind, spans_s: list[tuple[float, float]]) -> None:
    _, fences = _fences(ROUND, kind, leaves=((600, 1200),), radius_m=100.0)
    assert _spans_s(_truth(fences, (0, 500), (1800, 500))) == spans_s


def test_a_leave_does_not_open_a_keep_out() -> None:
    _, fences = _fences(ROUND, ZoneKind.KEEP_OUT, leaves=((0, 1800),), radius_m=300.0)
    (line,) = _truth(fences, (0, 900), (900, 0), (1800, 900))
    assert _spans_s([line])[0] == pytest.approx((600, 1200), abs=0.01)


@pytest.mark.parametrize(
    ("kind", "named"),
    [(Kind.ZONE_EXIT_WALK, "zone_exit_walk"), (Kind.GATHERING, "gathering"), (Kind.STRAP_CUT, "life"), (None, "life")],
    ids=["went out", "went to meet", "stayed in body", "unscripted"],
)
def test_a_breach_is_named_after_what_led_its_wearer_there_if_anything_did(kind: Kind | None, named: str) -> None:
    _, fences = _fences(ROUND, radius_m=300.0)
    script = (Incident(100.0, 500.0, 0, kind),) if kind else ()
    (line,) = _truth(fences, (0, 0), (600, 600), (900, 600), script=script)
    assert line.parameters["kind"] == named


def test_a_zone_in_another_datum_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"zone z: .*GCJ-02"):
        _fences(ROUND, radius_m=300.0, datum=Datum.GCJ02)


def test_a_registry_in_which_nobody_wears_a_band_is_refused() -> None:
    with pytest.raises(ValueError, match="assignments"):
        Roster.of(Registry(devices=[Device(id="d", org="o")]), 0)
