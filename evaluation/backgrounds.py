"""Real recordings as a judge would receive them: bands' readings, a registry, and what truly happened in them.

What the files lack a healthy band is made to say: closed, charged, button untouched. Nothing else is invented. Heart
rates keep their own local dates, taken as UTC+8. The tracks come from ten years and as many time zones, so each begins
at the same moment, 08:00 at UTC+8 on 2 November 2026, and keeps its own pace.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.case import Case
from evaluation.outcome import Context, Event
from geo.shapes import Shapes, shape_of
from schemas.alerts import AlertCode
from schemas.readings import SOURCE_CODE, Readings
from schemas.registry import (
    Assignment,
    Datum,
    Device,
    Grade,
    GradePlan,
    NumberedRegistry,
    Org,
    Registry,
    Wearer,
    Zone,
    ZoneKind,
)
from schemas.wire import Source

ORG: Final = "real"
UTC_OFFSET_MIN: Final = 480
FITBIT_5S_AHEAD_MIN: Final = 240
"""The 5 s file's clock is four hours ahead of the minute file's: at that shift both people's rates agree (r 0.9998)."""
TRACKS_BEGIN_MS: Final = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp() * 1000)
TRANSIT_MS: Final = 1_000
BATCH_MS: Final = 3_600_000
SILENCE_AFTER_S: Final = 1_200.0
"""The default plan of most wearers."""
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
QUALITY: Final = 0.9
ACTIVITY_A_STEP: Final = 0.25
"""Fitbit's intensities 0 to 3 as quarters of our 0 to 1."""
ACCURACY_M: Final = 8.0
"""The files state none; it is what such receivers achieve under open sky."""
ON_FOOT: Final = ("activity-small-fenix2-run", "developer-types-sample")
"""Recordings whose cadence is of legs, not pedals: two steps a stride. Other tracks do not know steps."""
HEALTHY: Final = {"battery_pct": 80.0, "charging": 0, "strap_closed": 1, "case_closed": 1, "sos": 0, "rssi_dbm": -85.0}

WITHOUT_STEPS: Final = "no steps are known here: a rate that is high from walking looks like one at rest"
NO_WHOLE_DAY: Final = "no band was observed for a whole day: rates per wearer-day have nothing to stand on"

LEAST_RADIUS_M: Final = 100.0
KEEP_OUT_M: Final = (50.0, 300.0)
CROSSED_BY_M: Final = 50.0
"""A crossing shallower than this, or shorter than an interval, is no event but a context: no band is held to it."""
BRIEF_INTERVALS: Final = 3.0
"""A crossing shorter than so many intervals is of kind ``brief``: two fixes in it are luck.

These two rules replaced "two minutes at any interval" after a first trial run, in which bands at 5 s rang truly for
crossings of a minute and it was called false. So the figures on recorded crossings are no blind test.
"""
SAME_CROSSING_S: Final = 60.0

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Background:
    """A recording to judge: ``readings`` in receive order; ``events`` are true of it before anything is injected."""

    name: str
    numbered: NumberedRegistry
    readings: Readings
    events: tuple[Event, ...]
    contexts: tuple[Context, ...]
    notes: tuple[str, ...] = ()

    def case(self) -> Case:
        """As it was recorded: what rings here is false but for ``events``."""
        return case_of(self.name + ", untouched", self.numbered, self.readings, self.events, self.contexts, self.notes)


class Band(NamedTuple):
    """One recording: its device and wearer, and the columns it knows, ordered by ``event_ms``."""

    device: str
    wearer: str
    columns: Mapping[str, NDArray[Any]]


class Track(NamedTuple):
    """A way as recorded: seconds since its beginning, and columns of the same length by their names in ``Readings``."""

    name: str
    at_s: Floats
    columns: Mapping[str, Floats]


def case_of(
    name: str,
    numbered: NumberedRegistry,
    readings: Readings,
    events: Sequence[Event],
    contexts: Sequence[Context],
    notes: Sequence[str] = (),
) -> Case:
    """A case of readings that are already there, a batch an hour."""
    return Case(name, numbered, lambda: batched(readings), lambda: events, lambda: contexts, tuple(notes))


def batched(readings: Readings) -> Iterator[Readings]:
    """Readings in receive order, cut into what each hour brought."""
    cuts = np.flatnonzero(np.diff(readings.ingest_ms // BATCH_MS)) + 1
    for place in np.split(np.arange(len(readings)), cuts):
        yield readings.take(place)


# Hearts.


def heart_minutes(folder: Path, *, copies: int = 1) -> Background:
    """Two people's minutes of ``folder/fitbit_minute``: rate, steps and activity, a reading where the file has one.

    ``copies`` bands a person, all alike, so that more can be injected: an interval over them is too narrow, since they
    are no more people. The file has no nights. Raises ``FileNotFoundError``.
    """
    people: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_csv(folder / "fitbit_minute" / "minute_hr_steps.csv.gz"):
        people[row["user"]].append(row)
    columns = {person: _minute_columns(rows) for person, rows in people.items()}
    return replace(background("heart minutes", _copies(columns, copies), []), notes=_copy_notes(columns, copies))


def heart_nights(folder: Path, *, copies: int = 1) -> Background:
    """Three people's rates by the minute, nights included, from the 5 s file of ``folder/fitbit_minute``; no steps."""
    people, minutes, rates = fitbit_rates(folder)
    columns = {
        str(person): {
            "event_ms": _utc_ms(minutes[people == person]),
            "heart_rate_bpm": rates[people == person],
            "quality": np.full((people == person).sum(), QUALITY),
        }
        for person in np.unique(people)
    }
    made = background("heart nights", _copies(columns, copies), [])
    return replace(made, notes=(*_copy_notes(columns, copies), WITHOUT_STEPS))


def fitbit_rates(folder: Path) -> tuple[NDArray[np.str_], Times, Floats]:
    """People, local minutes since 1970 and mean rates of the 5 s file, on the minute file's clock."""
    path = folder / "fitbit_minute" / "hr_5s.csv.gz"
    rows = [(row["user"], minute_of(row["t"]) - FITBIT_5S_AHEAD_MIN, float(row["hr"])) for row in read_csv(path)]
    names, person = np.unique([row[0] for row in rows], return_inverse=True)
    keys = np.column_stack([person, [row[1] for row in rows]])
    found, place = np.unique(keys, axis=0, return_inverse=True)
    sums = np.bincount(place.ravel(), weights=[row[2] for row in rows])
    return names[found[:, 0]], found[:, 1].astype(np.int64), sums / np.bincount(place.ravel())


def read_csv(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file by its header; a path ending in .gz is unpacked."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def minute_of(local: str) -> int:
    """A local time without zone as minutes since 1970-01-01 00:00 local.

    >>> minute_of("1970-01-02 00:03:59")
    1443
    """
    return int(_seconds(local)) // 60


def _minute_columns(rows: Sequence[Mapping[str, str]]) -> dict[str, NDArray[Any]]:
    return {
        "event_ms": _utc_ms(np.array([minute_of(row["t"]) for row in rows])),
        "heart_rate_bpm": np.array([float(row["hr"]) for row in rows]),
        "steps": np.array([float(row["steps"]) for row in rows]),
        "activity": np.array([float(row["intensity"]) for row in rows]) * ACTIVITY_A_STEP,
        "quality": np.full(len(rows), QUALITY),
    }


def _copies(columns: Mapping[str, Mapping[str, NDArray[Any]]], copies: int) -> list[Band]:
    return [
        Band(f"fitbit-{person}.{copy}", f"fitbit-{person}.{copy}", own)
        for person, own in columns.items()
        for copy in range(1, copies + 1)
    ]


def _copy_notes(people: Mapping[str, Any], copies: int) -> tuple[str, ...]:
    if copies == 1:
        return ()
    return (f"{copies} bands each of {len(people)} people: intervals over bands are narrower than over people",)


def _utc_ms(local_min: Times) -> Times:
    return np.asarray((local_min - UTC_OFFSET_MIN) * 60_000, np.int64)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


# Ways.


def gps_tracks(folder: Path, *, interval_s: float = 60.0) -> Background:
    """Nine recordings of ``folder/fit_gps_hr`` and 16 bus trips of ``folder/liverpool_bus_gps``, a band each.

    One reading an interval where the file has one. Each has a keep-in circle round its first fix that it leaves, and a
    keep-out circle round its farthest one; whether it crossed is read off the track as recorded (mostly 1 s), before
    thinning. Raises ``FileNotFoundError``.
    """
    tracks = [*fit_tracks(folder), *bus_tracks(folder)]
    zones = {track.name: zones_of(track) for track in tracks}
    bands = [Band(f"gps-{t.name}", f"gps-{t.name}", _thinned(t, interval_s)) for t in tracks]
    made = background(f"GPS at {interval_s:g} s", bands, [zone for two in zones.values() for zone in two], interval_s)
    found = [crossings(track, zone, interval_s) for track in tracks for zone in zones[track.name]]
    exercise = [
        Context(band.device, "exercise", int(band.columns["event_ms"][0]), int(band.columns["event_ms"][-1]))
        for band in bands
        if np.isfinite(band.columns["heart_rate_bpm"]).any()
    ]
    return replace(
        made,
        events=tuple(sorted([*made.events, *(event for events, _ in found for event in events)], key=_by_time)),
        contexts=(*exercise, *(context for _, contexts in found for context in contexts)),
        notes=(NO_WHOLE_DAY,),
    )


def fit_tracks(folder: Path) -> list[Track]:
    """The recordings with heart rates; a rate of 0 is none."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_csv(folder / "fit_gps_hr" / "tracks.csv.gz"):
        rows[row["file"]].append(row)
    return [_fit_track(name, own) for name, own in rows.items()]


def bus_tracks(folder: Path) -> list[Track]:
    """One track a trip; buses report no speed."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_csv(folder / "liverpool_bus_gps" / "route14_outbound.csv"):
        rows[f"bus-{row['vehicle_id']}-{row['trip_id']}"].append(row)
    return [
        _track(
            trip,
            [_seconds(row["timestamp"]) for row in own],
            {name: _numbers(own, column) for name, column in _BUS_COLUMNS.items()},
        )
        for trip, own in rows.items()
    ]


_BUS_COLUMNS: Final = {"lat": "latitude", "lon": "longitude", "heading_deg": "bearing"}
_FIT_COLUMNS: Final = {
    "lat": "lat",
    "lon": "lon",
    "altitude_m": "alt_m",
    "speed_mps": "speed_mps",
    "heart_rate_bpm": "hr",
}


def zones_of(track: Track) -> tuple[Zone, Zone]:
    """A keep-in circle round the first fix, and a keep-out circle clear of it round the farthest one.

    The first is as large as the median distance from its centre, 100 m at least: half of the fixes lie outside.
    """
    lat, lon = _known_fixes(track)
    away_m = _away_m(lat, lon)
    farthest = int(away_m.argmax())
    radius_m = max(float(np.median(away_m)), LEAST_RADIUS_M)
    clear_m = float(np.clip((away_m[farthest] - radius_m) / 2.0, *KEEP_OUT_M))
    return (
        _circle(f"{track.name}.in", track.name, ZoneKind.KEEP_IN, (lat[0], lon[0]), radius_m),
        _circle(f"{track.name}.out", track.name, ZoneKind.KEEP_OUT, (lat[farthest], lon[farthest]), clear_m),
    )


def crossings(track: Track, zone: Zone, interval_s: float) -> tuple[list[Event], list[Context]]:
    """When a track was on the wrong side of its zone for an interval and 50 m deep; what was less is a context."""
    device = f"gps-{track.name}"
    has_fix = np.isfinite(track.columns["lat"])
    at_ms = _track_ms(track)[has_fix]
    shapes = Shapes.of([shape_of(zone)])
    distance_m = shapes.signed_distance_m(np.zeros(has_fix.sum(), np.intp), *_known_fixes(track))
    beyond_m = distance_m if zone.kind is ZoneKind.KEEP_IN else -distance_m
    code = AlertCode.ZONE_EXIT if zone.kind is ZoneKind.KEEP_IN else AlertCode.ZONE_ENTER
    events: list[Event] = []
    contexts: list[Context] = []
    for first, after in _crossed(beyond_m > 0, at_ms):
        start_ms, end_ms = int(at_ms[first]), int(at_ms[min(after, len(at_ms) - 1)])
        depth_m = round(float(beyond_m[first:after].max()), 1)
        intervals = (end_ms - start_ms) / (interval_s * 1000)
        if intervals >= 1 and depth_m >= CROSSED_BY_M:
            kind = "brief" if intervals < BRIEF_INTERVALS else "recorded"
            about = {"kind": kind, "zone": zone.id, "depth_m": depth_m, "injected": False}
            events.append(Event(device, code, start_ms, end_ms, about))
        else:
            contexts.append(Context(device, "grazed_zone", start_ms, end_ms))
    return events, contexts


def _crossed(beyond: Flags, at_ms: Times) -> list[tuple[int, int]]:
    """Runs on the wrong side, joined where less than a minute lies between them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], beyond, [False]]).astype(np.int8)))
    joined: list[tuple[int, int]] = []
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if joined and at_ms[first] - at_ms[joined[-1][1] - 1] < SAME_CROSSING_S * 1000:
            joined[-1] = (joined[-1][0], after)
        else:
            joined.append((first, after))
    return joined


def _fit_track(name: str, rows: Sequence[Mapping[str, str]]) -> Track:
    columns = {column: _numbers(rows, source) for column, source in _FIT_COLUMNS.items()}
    rate = columns["heart_rate_bpm"]
    columns["heart_rate_bpm"] = np.where(rate > 0, rate, np.nan)
    columns["cadence"] = _numbers(rows, "cadence")
    return _track(name, [_seconds(row["t_utc"]) for row in rows], columns)


def _track(name: str, at_s: Sequence[float], columns: Mapping[str, Floats]) -> Track:
    """In order of time, the first of several records of one second."""
    _, place = np.unique(at_s, return_index=True)
    times = np.array(at_s)[place]
    return Track(name, times - times[0], {column: values[place] for column, values in columns.items()})


def _numbers(rows: Sequence[Mapping[str, str]], column: str) -> Floats:
    return np.array([float(row[column] or "nan") for row in rows])


def _track_ms(track: Track) -> Times:
    return np.asarray(TRACKS_BEGIN_MS + track.at_s * 1000.0, np.int64)


def _thinned(track: Track, interval_s: float) -> dict[str, NDArray[Any]]:
    """The first record of each interval, as a band's columns."""
    _, place = np.unique(np.floor(track.at_s / interval_s), return_index=True)
    kept = {name: values[place] for name, values in track.columns.items() if name != "cadence"}
    has_fix = np.isfinite(kept["lat"])
    kept["accuracy_m"] = np.where(has_fix, ACCURACY_M, np.nan)
    kept["source"] = np.where(has_fix, SOURCE_CODE[Source.GNSS], -1)
    kept["age_s"] = np.where(has_fix, 0.0, np.nan)
    rate = kept.setdefault("heart_rate_bpm", np.full(len(place), np.nan))
    kept["quality"] = np.where(np.isfinite(rate), QUALITY, np.nan)
    if track.name in ON_FOOT:
        kept["steps"] = np.round(track.columns["cadence"][place] * 2.0 * interval_s / 60.0)
    return {"event_ms": _track_ms(track)[place], **kept}


def _known_fixes(track: Track) -> tuple[Floats, Floats]:
    has_fix = np.isfinite(track.columns["lat"])
    return track.columns["lat"][has_fix], track.columns["lon"][has_fix]


def _away_m(lat: Floats, lon: Floats) -> Floats:
    """Metres from the first fix."""
    there = Shapes.of([shape_of(_circle("first", "first", ZoneKind.INTEREST, (lat[0], lon[0]), 1.0))])
    return there.signed_distance_m(np.zeros(len(lat), np.intp), lat, lon) + 1.0


def _circle(zone: str, track: str, kind: ZoneKind, centre: tuple[float, float], radius_m: float) -> Zone:
    return Zone(
        id=zone,
        org=ORG,
        name=zone,
        kind=kind,
        datum=Datum.WGS84,
        geometry={"type": "Point", "coordinates": [float(centre[1]), float(centre[0])]},
        radius_m=radius_m,
        wearers=[f"gps-{track}"],
    )


# Both.


def background(name: str, bands: Sequence[Band], zones: Sequence[Zone], interval_s: float = 60.0) -> Background:
    """Bands as readings in receive order, by a registry of one org; where one falls silent, that is a true event.

    Orders and consents are left out: these readings do not come in through the door that asks for them.
    """
    numbered = real_registry(bands, zones, interval_s)
    parts = [_readings(band, numbered) for band in bands]
    together = Readings.concat(parts)
    readings = together.take(np.argsort(together.ingest_ms, kind="stable"))
    end_ms = int(readings.ingest_ms[-1])
    silences = [event for band in bands for event in _silences(band, end_ms)]
    return Background(name, numbered, readings, tuple(sorted(silences, key=_by_time)), ())


def real_registry(bands: Sequence[Band], zones: Sequence[Zone], interval_s: float) -> NumberedRegistry:
    """Everybody under the grade of most wearers, each band on its wearer since long ago."""
    plan = GradePlan(grade=Grade.YELLOW, interval_s=interval_s, silence_after_s=SILENCE_AFTER_S)
    wearers = dict.fromkeys(band.wearer for band in bands)
    registry = Registry(
        orgs=[Org(id=ORG, name="真实记录", name_en="real recordings")],
        wearers=[Wearer(id=wearer, org=ORG, name=wearer) for wearer in wearers],
        devices=[Device(id=band.device, org=ORG) for band in bands],
        assignments=[Assignment(device=band.device, wearer=band.wearer, valid_from=LONG_AGO) for band in bands],
        zones=list(zones),
        plans=[plan],
    )
    return NumberedRegistry.from_file(registry)


def _readings(band: Band, numbered: NumberedRegistry) -> Readings:
    event_ms = band.columns["event_ms"]
    n = len(event_ms)
    return Readings.of(
        **band.columns,
        **{name: np.full(n, value) for name, value in HEALTHY.items()},
        device=np.full(n, numbered.device_no[band.device]),
        wearer=np.full(n, numbered.wearer_no[band.wearer]),
        seq=np.arange(n),
        ingest_ms=event_ms + TRANSIT_MS,
    )


def _silences(band: Band, end_ms: int) -> list[Event]:
    """The recording's own gaps, its end included: a band not heard of for so long is silent, whatever the reason."""
    heard_ms = np.append(band.columns["event_ms"], end_ms)
    gaps = np.flatnonzero(np.diff(heard_ms) > SILENCE_AFTER_S * 1000)
    about = {"kind": "recorded", "injected": False}
    return [
        Event(band.device, AlertCode.DEVICE_SILENCE, int(heard_ms[gap]), int(heard_ms[gap + 1]), about) for gap in gaps
    ]


def _by_time(event: Event) -> tuple[int, str, str]:
    return event.start_ms, event.device, event.code.value
