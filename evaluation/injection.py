"""Events put into real recordings: what is known to be there must be found; the untouched copy measures false alerts.

How strong and how long injections are was fixed on 2026-11-25, before any result was seen, and is not to be fitted to
any; but for ``TAKEN_OFF``, whose ranges are DETACH's and a room's, and were written down the same day after trials with
the same on the same wrists. Three rules of placing were settled the same day after a first trial run, and say so.
Moments are drawn from those that a kind allows; two injections of a band lie at least half an hour apart, of what only
a person closes an hour and a half.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.backgrounds import (
    UTC_OFFSET_MIN,
    Background,
    case_of,
    gps_tracks,
    heart_minutes,
    heart_nights,
)
from evaluation.case import Case
from evaluation.outcome import Context, Event
from evaluation.wrists import LOST_QUALITY, lost_pulses, wrist_minutes
from geo.shapes import METRES_PER_DEGREE
from schemas.alerts import AlertCode
from schemas.readings import Readings

Range = tuple[float, float]
Parameters = dict[str, Any]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]

TACHYCARDIA_BPM: Final = (20.0, 30.0, 40.0, 60.0)
"""Above the person's own rate; the steps of DETECTION 2e, so that the published recalls can be compared."""
TACHYCARDIA_MIN: Final[Range] = (30.0, 30.0)
"""Again as 2e has it: an attack of half an hour."""
RAMP_MIN: Final = 3.0
"""A heart does not jump: the rate comes up over so long, as in 2e."""
STILL_BEFORE_MIN: Final = 10.0
"""No step for so long before, or the rate would still be up from the way."""
BRADYCARDIA_BPM: Final[Range] = (35.0, 42.0)
"""Where a sleeping adult's slow rate leaves the normal; athletes' 45 is none."""
BRADYCARDIA_MIN: Final[Range] = (20.0, 40.0)
"""Longer than a sensor's error, shorter than a night."""
KEPT_VARIATION: Final = 0.3
"""Of the person's own: a slow heart still varies, though less."""
JUMP_M: Final[Range] = (2_000.0, 20_000.0)
"""Over 2 km (2c): less may be a cell's error, more would be easier still."""
SPOOF_MIN: Final[Range] = (10.0, 60.0)
"""From an errand to an evening's start: who falsifies a position wants to have gone somewhere."""
FROZEN_AWAY_M: Final = 500.0
"""The wearer really goes so far while the fix stands still: less may be a wait at a light."""
REPLAY_LAG_MIN: Final[Range] = (15.0, 60.0)
"""How far back the stretch lies that is played again; the recordings are one to three hours long."""
DRAG_MPS: Final[Range] = (0.5, 2.0)
"""Slow enough to stay below a walker's own speed (2c)."""
STRAP_OPEN_MIN: Final[Range] = (5.0, 60.0)
"""A strap cut is noticed within the hour or never; the alert must not depend on which."""
OFF_MIN: Final[Range] = (15.0, 35.0)
"""Off the body for as long as an hour's recording has room for, before and after."""
OFF_C_PER_MIN: Final[Range] = (0.23, 0.57)
"""How fast skin temperature falls in the first five minutes off a wrist: 0.40 ± 0.17 (DETACH, 2d); then more slowly."""
AMBIENT_C: Final[Range] = (18.0, 26.0)
"""Where a band is laid down: a room."""
LEAST_ABOVE_AMBIENT_C: Final = 3.0
"""A band on skin as cold as the room cannot cool."""
MOST_COOLED: Final = 0.95
"""Of the way to the room's temperature, in the first five minutes."""
LOST_STREAM: Final = 1_000
"""The stream of random numbers of what is no injection; those are counted from 0."""
WRIST_COPIES: Final = 4
"""Bands a person: an hour has room for one removal."""
SOS_MIN: Final[Range] = (0.0, 0.0)
"""A press is one reading."""
SILENCE_MIN: Final[Range] = (30.0, 180.0)
"""Longer than any plan tolerates, shorter than a flat battery's night."""
HEARD_BEFORE_MIN: Final = 10.0
"""A silence begins with a last word, not at the end of a gap of the recording. Settled after the first trial run."""
SHOWS_FOR_S: Final = 120
"""A true crossing that is hidden for the rest must show for so long to be asked for. Settled after the first run."""
APART_MIN: Final = 30.0
"""So that a detector can come to rest between two injections."""
APART_LATCHED_MIN: Final = 90.0
"""What stays until a person has looked is closed after an hour in an evaluation; before that no second one can ring.
Settled after the first trial run, in which one cut a band was all that could be found."""
MOST_GAP_MIN: Final = 3.0
"""Within an injection readings lie no farther apart: an event nobody recorded is no test of a detector."""
HEART_COPIES: Final = 3
"""Bands a person: half-hours without steps, 40 minutes long and apart, are too few for 60 injections in one."""
MOST_IN_HEART_BAND: Final = 20
"""Times three bands: about 60 a person, as in 2e."""
MOST_IN_GPS_BAND: Final = 4
"""Recordings of one to three hours hold no more."""
TRIES: Final = 25
"""Draws of a length before a band is full."""
ASLEEP_H: Final = (0, 6)
"""Local hours; besides, the rate is below the person's median."""

CROSSINGS: Final = (AlertCode.ZONE_EXIT, AlertCode.ZONE_ENTER)


class Kind(NamedTuple):
    """One way to change a recording.

    ``allowed`` marks readings that may lie in it and in the ``before_min`` before it; ``fits`` has the last word on a
    span. ``draw`` gives its numbers. ``change`` writes into the band's readings (a copy) at the places of the span.
    ``drops``: the span's readings are lost instead. ``hides_way``: crossings meanwhile cannot be seen.
    """

    name: str
    code: AlertCode
    lasting_min: Range
    allowed: Callable[[Readings], Flags]
    draw: Callable[[np.random.Generator], Parameters]
    change: Callable[[Readings, Places, Parameters], None]
    before_min: float = 0.0
    fits: Callable[[Readings, Places, Parameters], bool] = lambda _readings, _span, _parameters: True
    drops: bool = False
    hides_way: bool = False
    apart_min: float = APART_MIN


@dataclass(frozen=True, slots=True)
class Injected:
    """A band's changed readings and what was done to it."""

    readings: Readings
    events: tuple[Event, ...]


def injected_cases(folder: Path, seed: int) -> list[Case]:
    """Every background under ``folder`` untouched, and with each kind of injection that it can carry.

    What could not be placed is said in the case's notes. The truth of the background (crossings, gaps of the recording)
    stays true beside what is injected and has ``injected`` False. Raises ``FileNotFoundError``.
    """
    hearts, nights = heart_minutes(folder, copies=HEART_COPIES), heart_nights(folder, copies=HEART_COPIES)
    tracks = [gps_tracks(folder, interval_s=interval_s) for interval_s in (60.0, 5.0)]
    wrists = wrist_minutes(folder, copies=WRIST_COPIES)
    untouched = [heart_minutes(folder).case(), heart_nights(folder).case(), *(track.case() for track in tracks)]
    untouched += [wrist_minutes(folder).case(), lost_pulses(wrists, np.random.default_rng([seed, LOST_STREAM]))]
    plan = [(hearts, kind, MOST_IN_HEART_BAND) for kind in (*TACHYCARDIAS, *BAND_KINDS)]
    plan += [(nights, BRADYCARDIA, MOST_IN_HEART_BAND)]
    plan += [(track, kind, MOST_IN_GPS_BAND) for track in tracks for kind in (*SPOOFS, *BAND_KINDS)]
    plan += [(wrists, TAKEN_OFF, 1)]
    injected = [
        inject(background, kind, most, np.random.default_rng([seed, number]))
        for number, (background, kind, most) in enumerate(plan)
    ]
    return untouched + injected


def inject(background: Background, kind: Kind, most: int, rng: np.random.Generator) -> Case:
    """A case with up to ``most`` injections of one kind into each band of a background, which stays as it is."""
    devices = background.numbered.device_no
    bands = [
        _inject_band(background.readings.take(background.readings.device == number), device, kind, most, rng)
        for device, number in devices.items()
    ]
    together = Readings.concat([band.readings for band in bands])
    injected = [event for band in bands for event in band.events]
    seen, unseen = _still_seen(background.events, injected if kind.hides_way else [])
    notes = [
        f"{device}: {len(band.events)} of {most} injections found room"
        for device, band in zip(devices, bands, strict=True)
        if len(band.events) < most
    ]
    return case_of(
        f"{background.name}, {kind.name}",
        background.numbered,
        together.take(np.argsort(together.ingest_ms, kind="stable")),
        sorted([*seen, *injected], key=lambda event: (event.start_ms, event.device, event.code.value)),
        [*background.contexts, *unseen],
        [*background.notes, *notes],
    )


def _still_seen(true: Sequence[Event], hiding: Sequence[Event]) -> tuple[list[Event], list[Context]]:
    """True crossings begin when they can be seen; those that cannot are no events, but contexts."""
    seen: list[Event] = []
    unseen: list[Context] = []
    for event in true:
        start_ms = _seen_from_ms(event, hiding) if event.code in CROSSINGS else event.start_ms
        if start_ms is None:
            unseen.append(Context(event.device, "crossing_hidden", event.start_ms, event.end_ms))
        else:
            seen.append(event._replace(start_ms=start_ms))
    return seen, unseen


def _seen_from_ms(crossing: Event, hiding: Sequence[Event]) -> int | None:
    """Since when a crossing shows long enough, None if never or only where a false position may have rung for it."""
    least_ms = min(SHOWS_FOR_S * 1000, crossing.end_ms - crossing.start_ms)
    shows_ms = crossing.start_ms
    for hidden in sorted((h for h in hiding if h.device == crossing.device), key=lambda h: h.start_ms):
        if hidden.start_ms - shows_ms >= least_ms:
            break
        if shows_ms < hidden.end_ms and hidden.code is AlertCode.DEVICE_SPOOF:
            return None
        shows_ms = max(shows_ms, hidden.end_ms)
    return shows_ms if crossing.end_ms - shows_ms >= least_ms else None


def _inject_band(band: Readings, device: str, kind: Kind, most: int, rng: np.random.Generator) -> Injected:
    """Place and apply, one after the other, in a copy of the band's readings."""
    band = band.take(np.argsort(band.event_ms, kind="stable"))
    kept = np.ones(len(band), np.bool_)
    events: list[Event] = []
    free = np.ones(len(band), np.bool_)
    for _ in range(most):
        placed = _place(band, kind, free, rng)
        if placed is None:
            break
        span, parameters = placed
        events.append(_event(band, device, kind, span, parameters))
        kept[span] = not kind.drops
        kind.change(band, span, parameters)
        apart_ms = kind.apart_min * 60_000
        free &= (band.event_ms < events[-1].start_ms - apart_ms) | (band.event_ms > events[-1].end_ms + apart_ms)
    return Injected(band.take(np.flatnonzero(kept)), tuple(events))


def _place(band: Readings, kind: Kind, free: Flags, rng: np.random.Generator) -> tuple[Places, Parameters] | None:
    """A random span that the kind allows and no other injection holds; None where none was found."""
    allowed = kind.allowed(band) & free
    for _ in range(TRIES):
        lasting_min = float(rng.uniform(*kind.lasting_min))
        parameters = kind.draw(rng)
        starts = starts_within(band.event_ms, allowed, kind.before_min, lasting_min)
        if not len(starts):
            continue
        first = int(rng.choice(starts))
        after = int(np.searchsorted(band.event_ms, band.event_ms[first] + lasting_min * 60_000, "right"))
        span = np.arange(first, max(after, first + 1))
        if kind.fits(band, span, parameters):
            return span, parameters
    return None


def starts_within(event_ms: NDArray[np.int64], allowed: Flags, before_min: float, lasting_min: float) -> Places:
    """Places from which, and for so long before which, every reading is allowed and none is missing up to the next.

    >>> minutes = np.arange(6) * 60_000
    >>> starts_within(minutes, np.array([True, True, True, True, False, True]), 1.0, 2.0).tolist()
    [1]
    """
    first_ms, last_ms = event_ms - before_min * 60_000, event_ms + lasting_min * 60_000
    begin, end = np.searchsorted(event_ms, first_ms), np.searchsorted(event_ms, last_ms, "right")
    gap = np.diff(event_ms, prepend=event_ms[0]) > MOST_GAP_MIN * 60_000
    bad, gaps = _before(~allowed), _before(gap)
    followed = end < len(event_ms)
    whole = (bad[end] == bad[begin]) & (gaps[np.minimum(end + 1, len(event_ms))] == gaps[begin + 1])
    reaches = (event_ms[begin] - first_ms <= MOST_GAP_MIN * 60_000) & (event_ms[0] <= first_ms)
    return np.flatnonzero(whole & reaches & followed)


def _before(flags: Flags) -> NDArray[np.int64]:
    """How many are true before each place, and in all."""
    return np.concatenate([[0], np.cumsum(flags)]).astype(np.int64)


def _event(band: Readings, device: str, kind: Kind, span: Places, parameters: Mapping[str, Any]) -> Event:
    """From the first changed reading to the last one; a silence from the last word before it to the first after it."""
    first, last = int(span[0]), int(span[-1])
    if kind.drops:
        first, last = max(first - 1, 0), min(last + 1, len(band) - 1)
    about = {"kind": kind.name, **parameters, "injected": True}
    return Event(device, kind.code, int(band.event_ms[first]), int(band.event_ms[last]), about)


# What may be changed when.


def _always(readings: Readings) -> Flags:
    return np.ones(len(readings), np.bool_)


def _still(readings: Readings) -> Flags:
    return np.asarray((readings.steps == 0) & np.isfinite(readings.heart_rate_bpm))


def _asleep(readings: Readings) -> Flags:
    hour = (readings.event_ms // 60_000 + UTC_OFFSET_MIN) % 1_440 // 60
    rate = readings.heart_rate_bpm
    return np.asarray((hour >= ASLEEP_H[0]) & (hour < ASLEEP_H[1]) & (rate < np.nanmedian(rate)))


def _has_fix(readings: Readings) -> Flags:
    return readings.has_fix


def _has_skin(readings: Readings) -> Flags:
    return np.asarray(np.isfinite(readings.skin_temp_c))


def _can_cool(readings: Readings, span: Places, parameters: Parameters) -> bool:
    return bool(readings.skin_temp_c[span[0]] - parameters["ambient_c"] >= LEAST_ABOVE_AMBIENT_C)


def _has_speed(readings: Readings) -> Flags:
    """A frozen fix whose speed is unknown cannot be told from a stop."""
    return np.asarray(readings.has_fix & np.isfinite(readings.speed_mps))


def _really_moves(readings: Readings, span: Places, parameters: Parameters) -> bool:  # noqa: ARG001
    east_m, north_m = _metres(readings, span)
    return bool(np.hypot(east_m - east_m[0], north_m - north_m[0]).max() > FROZEN_AWAY_M)


def _has_history(readings: Readings, span: Places, parameters: Parameters) -> bool:
    """Whether there is a stretch so far back, with a fix for each reading to come, that lies elsewhere."""
    if readings.event_ms[span[0]] - parameters["lag_min"] * 60_000 < readings.event_ms[0]:
        return False
    source = _earlier(readings, span, parameters)
    east_m, north_m = _metres(readings, np.concatenate([span, source]))
    apart_m = np.hypot(east_m[: len(span)] - east_m[len(span) :], north_m[: len(span)] - north_m[len(span) :])
    return bool(readings.has_fix[source].all() and np.median(apart_m) > FROZEN_AWAY_M)


# How it is changed.


def _nothing(rng: np.random.Generator) -> Parameters:  # noqa: ARG001
    return {}


def _leave(readings: Readings, span: Places, parameters: Parameters) -> None:
    """The readings stay as they are."""


def ramp(event_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """From 0 to 1 over the first three minutes.

    >>> ramp(np.array([0, 90_000, 180_000, 240_000])).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    return np.asarray(np.minimum((event_ms - event_ms[0]) / (RAMP_MIN * 60_000), 1.0))


def _raise_rate(readings: Readings, span: Places, parameters: Parameters) -> None:
    readings.heart_rate_bpm[span] += np.round(ramp(readings.event_ms[span]) * parameters["bpm"])


def _slow_rate(readings: Readings, span: Places, parameters: Parameters) -> None:
    rate = readings.heart_rate_bpm[span]
    slow = parameters["bpm"] + KEPT_VARIATION * (rate - rate.mean())
    share = ramp(readings.event_ms[span])
    readings.heart_rate_bpm[span] = np.round((1.0 - share) * rate + share * slow)


def _move_away(readings: Readings, span: Places, parameters: Parameters) -> None:
    away_m = np.full(len(span), parameters["metres"])
    _shift(readings, span, away_m, parameters["bearing_deg"])


def _drag_off(readings: Readings, span: Places, parameters: Parameters) -> None:
    lasted_s = (readings.event_ms[span] - readings.event_ms[span[0]]) / 1_000.0
    _shift(readings, span, lasted_s * parameters["mps"], parameters["bearing_deg"])


def _freeze(readings: Readings, span: Places, parameters: Parameters) -> None:  # noqa: ARG001
    readings.lat[span], readings.lon[span] = readings.lat[span[0]], readings.lon[span[0]]


def _replay(readings: Readings, span: Places, parameters: Parameters) -> None:
    """The receiver is fed an earlier stretch: place, speed, height and heading come again, the body's data do not."""
    source = _earlier(readings, span, parameters)
    for name in ("lat", "lon", "altitude_m", "speed_mps", "heading_deg"):
        column = getattr(readings, name)
        column[span] = column[source]


def _open_strap(readings: Readings, span: Places, parameters: Parameters) -> None:  # noqa: ARG001
    """Cut and carried along: no pulse, while position and steps go on."""
    readings.strap_closed[span] = 0
    readings.heart_rate_bpm[span] = np.nan


def _take_off(readings: Readings, span: Places, parameters: Parameters) -> None:
    """Laid down with its strap closed: no pulse, no motion, and skin temperature on its way to that of the room."""
    warmer_c = readings.skin_temp_c[span[0]] - parameters["ambient_c"]
    left = 1.0 - min(5.0 * parameters["c_per_min"] / warmer_c, MOST_COOLED)
    off_min = (readings.event_ms[span] - readings.event_ms[span[0]]) / 60_000 + parameters["off_since_s"] / 60.0
    readings.skin_temp_c[span] = parameters["ambient_c"] + warmer_c * left ** (off_min / 5.0)
    readings.heart_rate_bpm[span], readings.quality[span] = np.nan, LOST_QUALITY
    # The first reading's minute is that in which a hand took it off.
    readings.activity[span[1:]] = 0.0


def _press(readings: Readings, span: Places, parameters: Parameters) -> None:  # noqa: ARG001
    readings.sos[span] = 1


def _earlier(readings: Readings, span: Places, parameters: Parameters) -> Places:
    """The readings of ``lag_min`` before."""
    wanted_ms = readings.event_ms[span] - parameters["lag_min"] * 60_000
    return np.asarray(np.searchsorted(readings.event_ms, wanted_ms, "right") - 1)


def _metres(readings: Readings, places: Places) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """East and north of an arbitrary origin."""
    scale = np.cos(np.radians(readings.lat[places[0]])) * METRES_PER_DEGREE
    return readings.lon[places] * scale, readings.lat[places] * METRES_PER_DEGREE


def _shift(readings: Readings, span: Places, away_m: NDArray[np.float64], bearing_deg: float) -> None:
    bearing = np.radians(bearing_deg)
    east_scale = np.cos(np.radians(readings.lat[span])) * METRES_PER_DEGREE
    readings.lon[span] += away_m * np.sin(bearing) / east_scale
    readings.lat[span] += away_m * np.cos(bearing) / METRES_PER_DEGREE


def _uniform(rng: np.random.Generator, limits: Range, digits: int = 1) -> float:
    return round(float(rng.uniform(*limits)), digits)


# The kinds.


def tachycardia(bpm: float) -> Kind:
    """A rate raised by so much at rest."""
    return Kind(
        f"tachycardia +{bpm:g} bpm",
        AlertCode.VITALS_HEART_RATE,
        TACHYCARDIA_MIN,
        _still,
        lambda _: {"bpm": bpm},
        _raise_rate,
        before_min=STILL_BEFORE_MIN,
    )


TACHYCARDIAS: Final = tuple(tachycardia(bpm) for bpm in TACHYCARDIA_BPM)
BRADYCARDIA: Final = Kind(
    "bradycardia",
    AlertCode.VITALS_HEART_RATE,
    BRADYCARDIA_MIN,
    _asleep,
    lambda rng: {"bpm": _uniform(rng, BRADYCARDIA_BPM)},
    _slow_rate,
)
SPOOFS: Final = (
    Kind(
        "jump",
        AlertCode.DEVICE_SPOOF,
        SPOOF_MIN,
        _has_fix,
        lambda rng: {"metres": _uniform(rng, JUMP_M), "bearing_deg": _uniform(rng, (0.0, 360.0))},
        _move_away,
        hides_way=True,
    ),
    Kind(
        "freeze", AlertCode.DEVICE_SPOOF, SPOOF_MIN, _has_speed, _nothing, _freeze, fits=_really_moves, hides_way=True
    ),
    Kind(
        "replay",
        AlertCode.DEVICE_SPOOF,
        SPOOF_MIN,
        _has_fix,
        lambda rng: {"lag_min": _uniform(rng, REPLAY_LAG_MIN)},
        _replay,
        fits=_has_history,
        hides_way=True,
    ),
    Kind(
        "drag-off",
        AlertCode.DEVICE_SPOOF,
        SPOOF_MIN,
        _has_fix,
        lambda rng: {"mps": _uniform(rng, DRAG_MPS, 2), "bearing_deg": _uniform(rng, (0.0, 360.0))},
        _drag_off,
        hides_way=True,
    ),
)
TAKEN_OFF: Final = Kind(
    "taken off",
    AlertCode.DEVICE_OFF_BODY,
    OFF_MIN,
    _has_skin,
    lambda rng: {
        "c_per_min": _uniform(rng, OFF_C_PER_MIN, 2),
        "ambient_c": _uniform(rng, AMBIENT_C),
        "off_since_s": _uniform(rng, (0.0, 60.0), 0),
    },
    _take_off,
    before_min=HEARD_BEFORE_MIN,
    fits=_can_cool,
    apart_min=APART_LATCHED_MIN,
)
BAND_KINDS: Final = (
    Kind(
        "strap cut",
        AlertCode.DEVICE_STRAP,
        STRAP_OPEN_MIN,
        _always,
        _nothing,
        _open_strap,
        apart_min=APART_LATCHED_MIN,
    ),
    Kind("help button", AlertCode.DEVICE_SOS, SOS_MIN, _always, _nothing, _press, apart_min=APART_LATCHED_MIN),
    Kind(
        "silence",
        AlertCode.DEVICE_SILENCE,
        SILENCE_MIN,
        _always,
        _nothing,
        _leave,
        before_min=HEARD_BEFORE_MIN,
        drops=True,
        hides_way=True,
    ),
)
