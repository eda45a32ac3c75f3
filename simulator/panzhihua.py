"""The Panzhihua demo: five districts of invented people, with homes, fences, curfews and lawful orders."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np

from schemas.registry import (
    Assignment,
    Consent,
    Datum,
    Day,
    Device,
    Grade,
    GradePlan,
    Ground,
    Order,
    Org,
    Registry,
    Schedule,
    Wearer,
    Window,
    Zone,
    ZoneKind,
)
from simulator.plane import METRES_PER_DEGREE

SIMULATED_MODEL: Final = "sim-1"
"""Bands of a model that begins with ``sim`` are the simulator's to play; it must never speak for a real one."""

ROOT: Final = "panzhihua"
ORDER_DAYS: Final = 88
"""Inside three months wherever they fall in the calendar."""

HOME_RADIUS_M: Final = 120.0
SCHOOL_RADIUS_M: Final = 160.0
CLEARANCE_M: Final = 150.0
CORNERS: Final = 10
CONFINED_EACH: Final = 25
BANNED_EACH: Final = 8
CONSENT_SHARE: Final = 0.88
RANGE_M: Final = (500.0, 1_100.0)
ORDER_AGE_DAYS: Final = 60


class District(NamedTuple):
    """A district: its town centre (degrees, WGS-84) and its share of the wearers."""

    id: str
    name: str
    name_en: str
    lat: float
    lon: float
    share: float


DISTRICTS: Final = (
    District("dongqu", "东区", "Dongqu", 26.546, 101.704, 0.30),
    District("xiqu", "西区", "Xiqu", 26.597, 101.630, 0.15),
    District("renhe", "仁和区", "Renhe", 26.498, 101.738, 0.20),
    District("miyi", "米易县", "Miyi", 26.890, 102.110, 0.20),
    District("yanbian", "盐边县", "Yanbian", 26.683, 101.855, 0.15),
)
GRADE_SHARES: Final = {
    Grade.RED: 0.03,
    Grade.ORANGE: 0.12,
    Grade.YELLOW: 0.35,
    Grade.BLUE: 0.35,
    Grade.GREEN: 0.15,
}
GROUNDS: Final = tuple(ground for ground in Ground if ground is not Ground.COURT_PROHIBITION)


class Home(NamedTuple):
    """Where a wearer lives and how far the keep-in reaches."""

    lat: float
    lon: float
    range_m: float


def demo_registry(
    *,
    seed: int,
    wearers: int,
    now_ms: int,
    interval_s: float = 5.0,
    silence_after_s: float = 20.0,
    range_m: tuple[float, float] = RANGE_M,
    consent_share: float = CONSENT_SHARE,
    order_age_days: int = ORDER_AGE_DAYS,
) -> Registry:
    """A registry of that many wearers, one band each; a function of its arguments alone.

    Every 8th wearer is banned from schools by a court and has no keep-in; every 25th is confined to
    home around the clock; all others keep a range round home, and all are at home at night.

    >>> registry = demo_registry(seed=1, wearers=20, now_ms=1_795_406_405_120)
    >>> len(registry.orgs), len(registry.devices), registry.wearers[0].name
    (6, 20, '演示001')
    """
    if wearers < 1:
        raise ValueError(f"wearers is {wearers}: a demo needs at least one")
    rng = np.random.default_rng([seed, 0])
    now = datetime.fromtimestamp(now_ms // 86_400_000 * 86_400, UTC)
    people = [_wearer(number, district, rng) for number, district in enumerate(_districts(wearers), 1)]
    homes = [_home(_district(person.org), rng, range_m) for person in people]
    since = [now - timedelta(days=int(rng.integers(3, order_age_days))) for _ in people]
    return Registry(
        orgs=_orgs(),
        wearers=people,
        devices=[Device(id=_band(number), org=w.org, model=SIMULATED_MODEL) for number, w in enumerate(people, 1)],
        assignments=[
            Assignment(device=_band(number), wearer=w.id, valid_from=at)
            for number, (w, at) in enumerate(zip(people, since, strict=True), 1)
        ],
        orders=[_order(n, w, at, rng) for n, (w, at) in enumerate(zip(people, since, strict=True), 1)],
        consents=[
            Consent(wearer=w.id, document=f"演示同意书〔2026〕{n}号", valid_from=at)
            for n, (w, at) in enumerate(zip(people, since, strict=True), 1)
            if rng.random() < consent_share
        ],
        schedules=[_schedule("night", "22:00", "06:00"), _schedule("all-day", "00:00", "24:00")],
        zones=[*_shared_zones(), *_own_zones(people, homes, rng)],
        plans=[GradePlan(grade=grade, interval_s=interval_s, silence_after_s=silence_after_s) for grade in Grade],
    )


def _districts(wearers: int) -> list[District]:
    """Each wearer's district, shares rounded so that all are used up."""
    ends = np.round(np.cumsum([district.share for district in DISTRICTS]) * wearers).astype(int)
    return [DISTRICTS[int(np.searchsorted(ends, number, side="right"))] for number in range(wearers)]


def _district(org: str) -> District:
    return next(district for district in DISTRICTS if district.id == org)


def _orgs() -> list[Org]:
    root = Org(id=ROOT, name="攀枝花市司法局", name_en="Panzhihua Justice Bureau")
    return [root, *(Org(id=d.id, name=f"{d.name}司法局", name_en=d.name_en, parent=ROOT) for d in DISTRICTS)]


def _wearer(number: int, district: District, rng: np.random.Generator) -> Wearer:
    grade = list(GRADE_SHARES)[rng.choice(len(GRADE_SHARES), p=list(GRADE_SHARES.values()))]
    return Wearer(id=f"w-{number:04d}", org=district.id, name=f"演示{number:03d}", grade=grade)


def _band(number: int) -> str:
    return f"band-{number:04d}"


def _order(number: int, wearer: Wearer, since: datetime, rng: np.random.Generator) -> Order:
    ground = Ground.COURT_PROHIBITION if _is_banned(number) else GROUNDS[int(rng.integers(len(GROUNDS)))]
    return Order(
        id=f"order-{number:04d}",
        wearer=wearer.id,
        ground=ground,
        document=f"演示决定书〔2026〕{number}号",
        approver="演示局长",
        valid_from=since,
        valid_to=since + timedelta(days=ORDER_DAYS),
    )


def _schedule(name: str, start: str, end: str) -> Schedule:
    return Schedule(id=name, windows=[Window(days=list(Day), start=start, end=end)])


def _is_banned(number: int) -> bool:
    return number % BANNED_EACH == 0


def _is_confined(number: int) -> bool:
    return number % CONFINED_EACH == CONFINED_EACH // 2


def _home(district: District, rng: np.random.Generator, range_m: tuple[float, float]) -> Home:
    """1 to 3 km from the town's middle, so far from its school that the keep-in leaves it out."""
    away_m, angle = rng.uniform(1_100.0, 3_000.0), rng.uniform(0.0, 2.0 * np.pi)
    lat, lon = _beside(district.lat, district.lon, away_m * np.cos(angle), away_m * np.sin(angle))
    room_m = away_m - SCHOOL_RADIUS_M - CLEARANCE_M
    return Home(lat, lon, float(min(rng.uniform(*range_m), room_m)))


def _beside(lat: float, lon: float, east_m: float, north_m: float) -> tuple[float, float]:
    """Latitude and longitude of a point so many metres away."""
    per_degree_east = METRES_PER_DEGREE * float(np.cos(np.radians(lat)))
    return round(float(lat + north_m / METRES_PER_DEGREE), 6), round(float(lon + east_m / per_degree_east), 6)


def _point(lat: float, lon: float) -> dict[str, object]:
    return {"type": "Point", "coordinates": [lon, lat]}


def _shared_zones() -> Iterator[Zone]:
    for district in DISTRICTS:
        office_lat, office_lon = _beside(district.lat, district.lon, 420.0, -260.0)
        yield Zone(
            id=f"{district.id}-school",
            org=district.id,
            name=f"{district.name}演示学校",
            kind=ZoneKind.KEEP_OUT,
            datum=Datum.WGS84,
            geometry=_point(district.lat, district.lon),
            radius_m=SCHOOL_RADIUS_M,
        )
        yield Zone(
            id=f"{district.id}-office",
            org=district.id,
            name=f"{district.name}司法所",
            kind=ZoneKind.INTEREST,
            datum=Datum.WGS84,
            geometry=_point(office_lat, office_lon),
            radius_m=60.0,
        )


def _own_zones(people: list[Wearer], homes: list[Home], rng: np.random.Generator) -> Iterator[Zone]:
    for number, (wearer, home) in enumerate(zip(people, homes, strict=True), 1):
        yield Zone(
            id=f"{wearer.id}-home",
            org=wearer.org,
            name=f"{wearer.name} 住所",
            kind=ZoneKind.CURFEW,
            datum=Datum.WGS84,
            geometry=_point(home.lat, home.lon),
            radius_m=HOME_RADIUS_M,
            wearers=[wearer.id],
            schedule="all-day" if _is_confined(number) else "night",
        )
        if not _is_banned(number):
            yield _range(wearer, home, rng, as_polygon=number % 2 == 0)


def _range(wearer: Wearer, home: Home, rng: np.random.Generator, *, as_polygon: bool) -> Zone:
    return Zone(
        id=f"{wearer.id}-range",
        org=wearer.org,
        name=f"{wearer.name} 活动范围",
        kind=ZoneKind.KEEP_IN,
        datum=Datum.WGS84,
        geometry=_polygon(home, rng) if as_polygon else _point(home.lat, home.lon),
        radius_m=None if as_polygon else round(home.range_m),
        wearers=[wearer.id],
    )


def _polygon(home: Home, rng: np.random.Generator) -> dict[str, object]:
    """A ring of corners round home, none farther than the range, counter-clockwise and closed."""
    angles = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False) + rng.uniform(-0.15, 0.15, CORNERS)
    away_m = home.range_m * rng.uniform(0.85, 1.0, CORNERS)
    corners = [
        _beside(home.lat, home.lon, r * np.cos(a), r * np.sin(a))[::-1] for r, a in zip(away_m, angles, strict=True)
    ]
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in (*corners, corners[0])]]}
