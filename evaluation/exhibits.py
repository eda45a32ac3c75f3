"""A choice of misses and false alerts with what there was to see: figures say how many, these say why."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluation.baselines import apart_m
from evaluation.outcome import Context, Event, Exhibit, Found, Series, Span
from evaluation.recording import Recording
from geo.shapes import Shapes, shape_of
from schemas.alerts import KINDS, AlertCode
from schemas.readings import ABSENT, Readings
from schemas.registry import FOREVER_MS, NumberedRegistry, Zone

MOST_POINTS: Final = 400
AROUND_MS: Final = 30 * 60_000
LONGEST_MS: Final = 6 * 3_600_000
"""What lasts longer is shown from its beginning: there the decision was to be made."""

Chosen = TypeVar("Chosen", Event, Found)
Values = NDArray[np.floating[Any]]


class _Signal(NamedTuple):
    """A series to show: how it is called, its unit, where a line belongs, and how readings give it."""

    name: str
    unit: str
    of: Callable[[Readings], Values]
    threshold: float | None = None


def exhibits(
    missed: Sequence[Event],
    false: Sequence[Found],
    *,
    events: Sequence[Event],
    ours: Sequence[Found],
    contexts: Sequence[Context],
    recording: Recording,
    numbered: NumberedRegistry,
    most: int = 40,
    seed: int = 0,
) -> list[Exhibit]:
    """At most ``most`` misses and as many false alerts, of every code some; the same for the same seed.

    Each shows its band half an hour before and after, six hours at most: what was true, what we rang, what
    was going on (``events``, ``ours`` and ``contexts``, all of the run), and the signals its code is judged by.
    """
    rng = np.random.default_rng(seed)
    archive = _Archive.of(events, ours, contexts, recording, numbered)
    chosen_missed = spread(missed, lambda e: (e.start_ms, e.device, str(e.parameters.get("zone", ""))), most, rng)
    chosen_false = spread(false, lambda f: (f.found_ms, f.device, f.subject), most, rng)
    return [archive.missed(event) for event in chosen_missed] + [archive.false(found) for found in chosen_false]


def spread(
    items: Sequence[Chosen], order: Callable[[Chosen], tuple[Any, ...]], most: int, rng: np.random.Generator
) -> list[Chosen]:
    """Some items by chance, the codes in turn; by code and ``order``, however the items came."""
    by_code: dict[AlertCode, list[Chosen]] = defaultdict(list)
    for item in sorted(items, key=lambda i: (i.code, *order(i))):
        by_code[item.code].append(item)
    shuffled = [[mine[place] for place in rng.permutation(len(mine))] for mine in by_code.values()]
    in_turn = (item for item in chain.from_iterable(zip_longest(*shuffled)) if item is not None)
    return sorted(islice(in_turn, most), key=lambda i: (i.code, *order(i)))


@dataclass(frozen=True, slots=True)
class _Archive:
    """Everything of a run, to look up what surrounded a moment."""

    spans: Mapping[str, Sequence[Span]]
    recording: Recording
    device_no: Mapping[str, int]
    zones: Mapping[str, Zone]

    @classmethod
    def of(
        cls,
        events: Sequence[Event],
        ours: Sequence[Found],
        contexts: Sequence[Context],
        recording: Recording,
        numbered: NumberedRegistry,
    ) -> "_Archive":
        spans: dict[str, list[Span]] = defaultdict(list)
        for event in events:
            spans[event.device].append(_span("truth", event.code.value, event.start_ms, event.end_ms))
        for found in ours:
            ended_ms = FOREVER_MS if found.ended_ms is None else found.ended_ms
            spans[found.device].append(_span("ours", found.code.value, found.found_ms, ended_ms))
        for context in contexts:
            spans[context.device].append(_span("context", context.name, context.start_ms, context.end_ms))
        return cls(spans, recording, numbered.device_no, {zone.id: zone for zone in numbered.registry.zones})

    def missed(self, event: Event) -> Exhibit:
        """An event that nobody was told of."""
        zone = str(event.parameters.get("zone", ""))
        return self._exhibit("missed", event.code, event.device, zone, event.start_ms, event.end_ms, self._miss(event))

    def false(self, found: Found) -> Exhibit:
        """An alert without an event."""
        ended_ms = found.found_ms if found.ended_ms is None else max(found.ended_ms, found.found_ms)
        note = self._ringing(found)
        return self._exhibit("false", found.code, found.device, found.subject, found.found_ms, ended_ms, note)

    def _exhibit(
        self, kind: str, code: AlertCode, device: str, zone: str, start_ms: int, end_ms: int, note: str
    ) -> Exhibit:
        from_ms = start_ms - AROUND_MS
        to_ms = min(end_ms + AROUND_MS, from_ms + LONGEST_MS)
        readings = self._readings(device, from_ms, to_ms)
        series = [_series(signal, readings) for signal in signals(code, self.zones.get(zone))]
        return Exhibit(
            kind=kind,
            code=code,
            device=device,
            at_ms=start_ms,
            note=note,
            spans=self._around(device, from_ms, to_ms),
            series=[one for one in series if any(value is not None for value in one.values)],
        )

    def _readings(self, device: str, from_ms: int, to_ms: int) -> Readings:
        return self.recording.window(self.device_no.get(device, ABSENT), from_ms, to_ms)

    def _around(self, device: str, from_ms: int, to_ms: int) -> list[Span]:
        """What overlaps a window, cut to it."""
        overlapping = [s for s in self.spans.get(device, ()) if s.start_ms <= to_ms and from_ms <= s.end_ms]
        cut = [_span(s.lane, s.label, max(s.start_ms, from_ms), min(s.end_ms, to_ms)) for s in overlapping]
        return sorted(cut, key=lambda s: (_LANES.index(s.lane), s.start_ms, s.label))

    def _labels(self, lane: str, device: str, from_ms: int, to_ms: int) -> str:
        return ", ".join(sorted({s.label for s in self._around(device, from_ms, to_ms) if s.lane == lane}))

    def _miss(self, event: Event) -> str:
        readings = self._readings(event.device, event.start_ms, event.end_ms + 1)
        kind = f" ({event.parameters['kind']})" if "kind" in event.parameters else ""
        how_far = _how_far(event.code, self.zones.get(str(event.parameters.get("zone", ""))), readings)
        rang = self._labels("ours", event.device, event.start_ms, event.end_ms)
        said = "" if len(readings) else " and the band said nothing meanwhile"
        answer = f"only {rang} rang" if rang else "nothing rang"
        return f"{KINDS[event.code].en}{how_far} for {lasting(event.end_ms - event.start_ms)}{kind}{said}; {answer}"

    def _ringing(self, found: Found) -> str:
        at = (found.device, found.found_ms, found.found_ms)
        true, context = self._labels("truth", *at), self._labels("context", *at)
        happened = f"only {true} happened" if true else "nothing happened"
        during = f" but {context}" if context else ""
        shown = ", ".join(f"{name} {value}" for name, value in found.evidence.items() if not isinstance(value, dict))
        return f"rang although {happened}{during}; evidence: {shown or 'none'}"


def signals(code: AlertCode, zone: Zone | None) -> tuple[_Signal, ...]:
    """What an alert of a code is judged by; of a zone that is not known, the accuracy of fixes only."""
    if zone is not None:
        return _Signal("distance to the wall", "m", lambda r: distance_m(zone, r), 0.0), _ACCURACY
    return _SIGNALS.get(code, (_ACCURACY,))


def distance_m(zone: Zone, readings: Readings) -> Values:
    """Metres from each fix to a zone's wall, negative inside; NaN without a fix."""
    shapes = Shapes.of([shape_of(zone)])
    return shapes.signed_distance_m(np.zeros(len(readings), np.intp), readings.lat, readings.lon)


def speed_mps(readings: Readings) -> Values:
    """The speed that each fix and the one before it imply; NaN where there is none."""
    speed = np.full(len(readings), np.nan)
    fix = np.flatnonzero(readings.has_fix)
    before, after = readings.take(fix[:-1]), readings.take(fix[1:])
    metres = apart_m(after.lat, after.lon, before.lat, before.lon)
    apart_s = (after.event_ms - before.event_ms) / 1000.0
    speed[fix[1:]] = np.divide(metres, apart_s, out=np.full(len(metres), np.nan), where=apart_s > 0)
    return speed


def lasting(duration_ms: int) -> str:
    """A duration in words.

    >>> lasting(40_000), lasting(14 * 60_000), lasting(200 * 60_000)
    ('40 s', '14 min', '3 h 20 min')
    """
    minutes = round(duration_ms / 60_000)
    if duration_ms < 60_000:  # noqa: PLR2004
        return f"{round(duration_ms / 1000)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def _how_far(code: AlertCode, zone: Zone | None, readings: Readings) -> str:
    fixes = readings.take(readings.has_fix)
    if zone is None or not len(fixes):
        return ""
    metres = distance_m(zone, fixes)
    if code in {AlertCode.ZONE_EXIT, AlertCode.ZONE_CURFEW}:
        return f" by {metres.max():.0f} m"
    if code is AlertCode.ZONE_ENTER:
        return f" by {-metres.min():.0f} m"
    return f" to {np.abs(metres).min():.0f} m from the wall"


def _series(signal: _Signal, readings: Readings) -> Series:
    place = np.arange(len(readings))
    if len(place) > MOST_POINTS:
        place = np.linspace(0, len(place) - 1, MOST_POINTS).round().astype(np.intp)
    values = np.asarray(signal.of(readings), np.float64)[place]
    return Series(
        name=signal.name,
        unit=signal.unit,
        times_ms=readings.event_ms[place].tolist(),
        values=[None if np.isnan(value) else round(value, 2) for value in values.tolist()],
        threshold=signal.threshold,
    )


def _switch(column: str) -> Callable[[Readings], Values]:
    def of(readings: Readings) -> Values:
        switch = getattr(readings, column)
        return np.where(switch == ABSENT, np.nan, switch)

    return of


def _span(lane: str, label: str, start_ms: int, end_ms: int) -> Span:
    return Span(lane=lane, label=label, start_ms=start_ms, end_ms=end_ms)


_LANES: Final = ("truth", "ours", "context")
_ACCURACY: Final = _Signal("accuracy", "m", lambda r: r.accuracy_m)
_HEART_RATE: Final = _Signal("heart rate", "bpm", lambda r: r.heart_rate_bpm)
_STEPS: Final = _Signal("steps", "", lambda r: r.steps)
_TEMPERATURE: Final = _Signal("skin temperature", "°C", lambda r: r.skin_temp_c)
_DELAY: Final = _Signal("on the way", "s", lambda r: (r.ingest_ms - r.event_ms) / 1000.0)
_STRAP: Final = _Signal("strap closed", "", _switch("strap_closed"))
_CONTACT: Final = (_DELAY, _ACCURACY)
_SIGNALS: Final[dict[AlertCode, tuple[_Signal, ...]]] = {
    AlertCode.VITALS_HEART_RATE: (_HEART_RATE, _STEPS),
    AlertCode.VITALS_STRESS: (_HEART_RATE, _STEPS),
    AlertCode.VITALS_SPO2: (_Signal("SpO2", "%", lambda r: r.spo2_pct), _STEPS),
    AlertCode.VITALS_TEMPERATURE: (_TEMPERATURE, _STEPS),
    AlertCode.VITALS_FALL: (_Signal("peak acceleration", "g", lambda r: r.peak_g), _STEPS),
    AlertCode.DEVICE_BATTERY: (_Signal("battery", "%", lambda r: r.battery_pct, 20.0),),
    AlertCode.DEVICE_SILENCE: _CONTACT,
    AlertCode.DEVICE_NO_FIX: _CONTACT,
    AlertCode.SITE_OUTAGE: _CONTACT,
    AlertCode.DEVICE_SPOOF: (_Signal("implied speed", "m/s", speed_mps),),
    AlertCode.DEVICE_STRAP: (_STRAP,),
    AlertCode.DEVICE_CASE: (_Signal("case closed", "", _switch("case_closed")),),
    AlertCode.DEVICE_SOS: (_Signal("help button", "", _switch("sos")),),
    AlertCode.DEVICE_OFF_BODY: (_HEART_RATE, _TEMPERATURE, _STRAP),
}
