"""What is compared, and what comes of it: events, alerts as people would have met them, and figures with intervals."""

from typing import Any, Final, NamedTuple

import msgspec

from schemas.alerts import AlertCode, AlertState

EVENT_RATES: Final = (0.01, 0.001)
"""True events a wearer-day at which precision is stated: without a rate it is no number at all."""


class Event(NamedTuple):
    """One true event. ``parameters["kind"]`` is its variant where the truth names one; ``zone`` its zone."""

    device: str
    code: AlertCode
    start_ms: int
    end_ms: int
    parameters: dict[str, Any]


class Context(NamedTuple):
    """A hard negative: something that looks like an event and is none."""

    device: str
    name: str
    start_ms: int
    end_ms: int


class Found(NamedTuple):
    """One alert, as people would have met it.

    ``found_ms`` is when it rang: on the platform's clock if live, on the band's if it was found in late data.
    ``known_ms`` is when the platform could have known at all: when the deciding reading reached it.
    ``ended_ms`` is None while it is open. ``subject`` names the zone, or is empty.
    """

    device: str
    wearer: str
    code: AlertCode
    subject: str
    priority: str
    found_ms: int
    known_ms: int
    ended_ms: int | None
    state: AlertState
    historic: bool
    evidence: dict[str, Any]


class Interval(msgspec.Struct, frozen=True):
    """A figure and its 95 % interval by bootstrap over wearers; all None where there was nothing to count."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How one contestant did on one code.

    ``recall``: events found within their grace. ``false_per_wearer_day``: alerts that no event explains, merged when
    less than 15 minutes apart; ``worst_decile_per_wearer_day`` the same over the tenth of wearers with most of them.
    ``detect_p50_s`` and ``detect_p95_s`` over all events, a missed one counted with its whole duration and grace.
    ``precision`` by event rate (``EVENT_RATES``, as text), and ``precision_at_least``: the least that the intervals of
    recall and false alerts leave, since no false alert seen is not none. ``explained``: alerts that another true event
    accounts for.
    """

    events: int
    found: int
    alerts: int
    false_alerts: int
    explained: int
    recall: Interval
    false_per_wearer_day: Interval
    worst_decile_per_wearer_day: float
    detect_p50_s: Interval
    detect_p95_s: Interval
    precision: dict[str, float | None]
    precision_at_least: dict[str, float | None] = {}
    alerts_per_event: Interval


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """Recall on one kind of a code's events (``slow``, ``fast``, ``brief`` …)."""

    kind: str
    events: int
    found: int
    recall: Interval
    detect_p50_s: float | None


class CurvePoint(msgspec.Struct, frozen=True):
    """One setting of a detector: what it would have found at which price."""

    setting: str
    false_per_wearer_day: float
    recall: float


class CodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One code: our detector (``has_detector`` False: none is built yet), each baseline by name, kinds and curves."""

    code: AlertCode
    has_detector: bool
    ours: Figures
    baselines: dict[str, Figures]
    variants: list[Variant] = []
    curves: dict[str, list[CurvePoint]] = {}


class ContextReport(msgspec.Struct, frozen=True, kw_only=True):
    """What rang falsely while a hard negative lasted: alerts by code, per occurrence."""

    context: str
    occurrences: int
    false_alerts: dict[str, int]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What operators would have met: incidents (one a wearer and cause) a wearer-day, all and those without an event.

    ``undisturbed_per_wearer_day``: the same over wearers to whom nothing true happened at all.
    """

    incidents: int
    per_wearer_day: Interval
    without_event_per_wearer_day: Interval
    undisturbed_per_wearer_day: Interval
    by_priority: dict[str, int]


class Delays(msgspec.Struct, frozen=True):
    """Quantiles of the time to find, s, over all events; a missed one counts with its whole duration and grace."""

    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """The same events with the sampling loop and without it; a change is with less without, over the same draws.

    ``code`` may name several together. ``sooner`` and ``later`` count events found in both runs, by 5 s or more.
    """

    code: str
    events: int
    without: Delays
    closed: Delays
    p50_change_s: Interval
    p95_change_s: Interval
    sooner: int
    later: int
    recall_without: float | None
    recall_closed: float | None
    recall_change: Interval
    false_without: float | None
    false_closed: float | None
    false_change: Interval


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """What the sampling loop gave and what it cost, against the same run in which nobody commands the bands.

    ``fast_share``: of the time a band had power. ``expired``: commands that no band heard in time. ``battery_pct``:
    per cent of a charge a wearer-day that reports beyond the plan took, and over the tenth of wearers it cost most.
    """

    codes: list[Paired]
    asked: dict[str, int]
    expired: int
    per_wearer_day: float
    fast_share: float
    readings_without: int
    readings_closed: int
    battery_pct: float
    battery_worst_tenth_pct: float

    @property
    def readings_more_pct(self) -> float:
        """By how much more was said."""
        return 100.0 * (self.readings_closed / max(self.readings_without, 1) - 1.0)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A signal round a moment; None where the band sent none."""

    name: str
    unit: str
    times_ms: list[int]
    values: list[float | None]
    threshold: float | None = None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that lasted: ``lane`` is truth, ours, context or a baseline's name."""

    lane: str
    label: str
    start_ms: int
    end_ms: int


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One miss or one false alert, with what there was to see; ``kind`` is ``missed`` or ``false``."""

    kind: str
    code: AlertCode
    device: str
    at_ms: int
    note: str
    spans: list[Span]
    series: list[Series]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must hold whatever the figures are, such as: a restart changes no alert."""

    name: str
    passed: bool
    detail: str


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation, whole: what was judged by which command, and how it went.

    ``reporting`` says how often bands report, and whether anybody commands them.
    """

    title: str
    command: str
    date: str
    seed: int | None
    wearers: int
    wearer_days: float
    readings: int
    degradations: list[str]
    codes: list[CodeReport]
    contexts: list[ContextReport]
    load: Load
    checks: list[Check]
    exhibits: list[Exhibit]
    seconds: dict[str, float]
    reporting: str = ""
    sampling: Sampling | None = None
