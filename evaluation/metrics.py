"""Figures of one code or of all, for our detectors and for the baselines beside them, with intervals over wearers."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import ceil
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluation.intervals import RESAMPLES, PerBand, Resampled, interval_of, per_day, ratio, resample, share
from evaluation.matching import Matching, explained, explanations, match
from evaluation.outcome import (
    EVENT_RATES,
    CodeReport,
    Context,
    ContextReport,
    CurvePoint,
    Event,
    Figures,
    Found,
    Interval,
    Variant,
)
from schemas.alerts import AlertCode

MERGE_MS: Final = 15 * 60_000
"""False alerts of one band and code closer than this count once."""

CONTEXT_TAIL_MS: Final = 15 * 60_000
"""How long after a hard negative what rings is still put down to it."""

NO_KIND: Final = "—"
CLEAR: Final = "all ≥ 150 m deep for ≥ 10 min"
CLEAR_M: Final = 150.0
CLEAR_MS: Final = 10 * 60_000
_ROUNDING: Final = 1e-9

_T = TypeVar("_T")
_K = TypeVar("_K")

Causes = Mapping[tuple[str, AlertCode], Sequence[Event]]
"""What ``explanations`` returns."""


def precision(recall: float | None, false_per_day: float | None, rate: float) -> float | None:
    """Of the alerts that ring, how many are true, where ``rate`` true events happen a wearer-day; None if none ring.

    >>> round(precision(0.9, 0.01, rate=0.01), 2), round(precision(0.9, 0.01, rate=0.001), 2)
    (0.47, 0.08)
    """
    if recall is None or false_per_day is None or not recall * rate + false_per_day:
        return None
    return recall * rate / (recall * rate + false_per_day)


def worst_decile(counts: PerBand, drawn: Resampled) -> float:
    """The mean of the wearers' own rates over the tenth of all wearers (rounded up) that have the highest."""
    days = drawn.observed
    rates = sorted((count / days[band] for band, count in counts.items() if days.get(band, 0.0) > 0), reverse=True)
    tenth = ceil(drawn.observed_bands / 10)
    return sum(rates[:tenth]) / tenth if tenth else 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """One contestant on one code, alert by alert: matched, explained, or false (``false``: merged)."""

    matching: Matching
    explained: Sequence[Event | None]
    false: Sequence[Found]

    @property
    def bands(self) -> set[str]:
        """All to whom anything happened."""
        return {event.device for event in self.matching.events} | {alert.device for alert in self.matching.alerts}

    @property
    def belongs(self) -> list[Event | None]:
        """For each alert, the event it rang for."""
        return [None if place is None else self.matching.events[place] for place in self.matching.belongs]

    @property
    def missed(self) -> list[Event]:
        """The events that nothing found."""
        return [event for event, found in zip(self.matching.events, self.matching.found, strict=True) if not found]


def settle(code: AlertCode, events: Iterable[Event], alerts: Iterable[Found], causes: Causes) -> Settled:
    """Say of each alert of the code whether it is true, explained or false; what is of other codes is passed over."""
    matching = match([e for e in events if e.code is code], [a for a in alerts if a.code is code])
    pairs = list(zip(matching.alerts, matching.belongs, strict=True))
    why = [explained(a, causes.get((a.device, code), ())) if place is None else None for a, place in pairs]
    false = [a for (a, place), cause in zip(pairs, why, strict=True) if place is None and cause is None]
    return Settled(matching, why, merge(false))


def merge(alerts: Iterable[Found]) -> list[Found]:
    """The alerts that count: per band and code, none less than 15 minutes after the one counted before it.

    It is measured from what was counted, not from what rang last, or a detector that rings every ten minutes all day
    would count once.
    """
    counted: list[Found] = []
    for alert in sorted(alerts, key=lambda a: (a.device, a.code, a.found_ms)):
        last = counted[-1] if counted else None
        alike = last is not None and (last.device, last.code) == (alert.device, alert.code)
        if last is None or not alike or alert.found_ms - last.found_ms >= MERGE_MS:
            counted.append(alert)
    return counted


def figures(
    code: AlertCode,
    events: Iterable[Event],
    alerts: Iterable[Found],
    observed: PerBand,
    *,
    every_event: Iterable[Event],
    seed: int,
    resamples: int = RESAMPLES,
) -> Figures:
    """One contestant on one code.

    ``observed`` are wearer-days (with at least 8 hours of readings) per band. ``every_event`` are the events of all
    codes, by which an alert may be explained.
    """
    settled = settle(code, events, alerts, explanations(every_event))
    return _figures(settled, resample(observed, settled.bands, seed=seed, resamples=resamples))


def variants(matching: Matching, drawn: Resampled) -> list[Variant]:
    """Recall and median time to detect by the events' kind, in order of its name; without one it is ``NO_KIND``.

    Last, where the truth says how deep breaches went, those of them that nobody could call marginal (``CLEAR``).
    """
    kinds: defaultdict[str, list[int]] = defaultdict(list)
    for place, event in enumerate(matching.events):
        kinds[event.parameters.get("kind", NO_KIND)].append(place)
    by_kind = [_variant(kind, matching, kinds[kind], drawn) for kind in sorted(kinds)]
    clear = [place for place, event in enumerate(matching.events) if _is_clear(event)]
    return [*by_kind, *([_variant(CLEAR, matching, clear, drawn)] if clear else [])]


def _is_clear(event: Event) -> bool:
    deep = event.parameters.get("deepest_m", 0.0) >= CLEAR_M
    return deep and event.end_ms - event.start_ms >= CLEAR_MS


def code_report(
    code: AlertCode,
    *,
    events: Iterable[Event],
    ours: Iterable[Found],
    baselines: Mapping[str, Sequence[Found]],
    observed: PerBand,
    every_event: Iterable[Event],
    has_detector: bool,
    curves: Mapping[str, Sequence[CurvePoint]],
    seed: int,
    resamples: int = RESAMPLES,
) -> CodeReport:
    """Our detector on one code and each baseline beside it, all over the same draws of wearers."""
    causes, mine = explanations(every_event), list(events)
    settled = settle(code, mine, ours, causes)
    others = {name: settle(code, mine, alerts, causes) for name, alerts in baselines.items()}
    active = settled.bands.union(*(other.bands for other in others.values()))
    drawn = resample(observed, active, seed=seed, resamples=resamples)
    return _report(code, settled, others, drawn, has_detector=has_detector, curves=curves)


def context_reports(contexts: Iterable[Context], false_alerts: Iterable[Found]) -> list[ContextReport]:
    """What rang falsely on a hard negative's band while it lasted or shortly after, by its name."""
    by_band = _group(false_alerts, lambda alert: alert.device)
    by_name = _group(contexts, lambda context: context.name)
    return [
        ContextReport(context=name, occurrences=len(by_name[name]), false_alerts=_rung(by_name[name], by_band))
        for name in sorted(by_name)
    ]


@dataclass(frozen=True, slots=True)
class Judged:
    """All codes: their reports, and what became of each of our alerts.

    ``missed`` are the events that we did not find, ``false`` our false alerts, merged as they are counted.
    ``belongs`` and ``explained`` have for each of our alerts, in the order given, the event it rang for or that
    explains it; both None: it is false.
    """

    reports: list[CodeReport]
    missed: list[Event]
    false: list[Found]
    belongs: list[Event | None]
    explained: list[Event | None]

    @property
    def belongs_or_explained(self) -> list[Event | None]:
        """For each of our alerts, the event that accounts for it."""
        return [event or cause for event, cause in zip(self.belongs, self.explained, strict=True)]


def judge_codes(
    events: Sequence[Event],
    alerts: Sequence[Found],
    baselines: Mapping[str, Sequence[Found]],
    observed: PerBand,
    detectors: Collection[AlertCode],
    *,
    seed: int,
    curves: Mapping[AlertCode, Mapping[str, Sequence[CurvePoint]]] | None = None,
    resamples: int = RESAMPLES,
) -> Judged:
    """Judge every code that has an event or anybody's alert, in the order of ``AlertCode``.

    ``alerts`` are ours, ``baselines`` each baseline's, all of any codes; ``detectors`` are the codes that we detect.
    """
    causes = explanations(events)
    ours = _settle_each(events, alerts, causes)
    others = {name: _settle_each(events, rung, causes) for name, rung in baselines.items()}
    every = [settled for by_code in (ours, *others.values()) for settled in by_code.values()]
    active = frozenset[str]().union(*(settled.bands for settled in every))
    drawn = resample(observed, active, seed=seed, resamples=resamples)
    reports = [
        _report(
            code,
            ours[code],
            {name: by_code[code] for name, by_code in others.items()},
            drawn,
            has_detector=code in detectors,
            curves=(curves or {}).get(code, {}),
        )
        for code in AlertCode
        if ours[code].matching.events or any(by_code[code].matching.alerts for by_code in (ours, *others.values()))
    ]
    verdicts = {code: zip(settled.belongs, settled.explained, strict=True) for code, settled in ours.items()}
    in_order = [next(verdicts[alert.code]) for alert in alerts]
    return Judged(
        reports=reports,
        missed=[event for settled in ours.values() for event in settled.missed],
        false=[alert for settled in ours.values() for alert in settled.false],
        belongs=[event for event, _ in in_order],
        explained=[cause for _, cause in in_order],
    )


def _settle_each(events: Sequence[Event], alerts: Sequence[Found], causes: Causes) -> dict[AlertCode, Settled]:
    events_of, alerts_of = _group(events, lambda event: event.code), _group(alerts, lambda alert: alert.code)
    return {code: settle(code, events_of.get(code, ()), alerts_of.get(code, ()), causes) for code in AlertCode}


def _report(
    code: AlertCode,
    ours: Settled,
    others: Mapping[str, Settled],
    drawn: Resampled,
    *,
    has_detector: bool,
    curves: Mapping[str, Sequence[CurvePoint]],
) -> CodeReport:
    return CodeReport(
        code=code,
        has_detector=has_detector,
        ours=_figures(ours, drawn),
        baselines={name: _figures(settled, drawn) for name, settled in others.items()},
        variants=variants(ours.matching, drawn),
        curves={name: list(points) for name, points in curves.items()},
    )


def _figures(settled: Settled, drawn: Resampled) -> Figures:
    matching = settled.matching
    events = _count(matching.events)
    found = _count(compress(matching.events, matching.found))
    false = _count(settled.false)
    finders = _count(event for event, by in zip(matching.events, matching.found_by, strict=True) for _ in by)
    recall, false_per_day = share(found, events, drawn), per_day(false, drawn)
    p50, p95 = _delay_quantiles(matching, drawn)
    return Figures(
        events=len(matching.events),
        found=sum(matching.found),
        alerts=len(matching.alerts),
        false_alerts=len(settled.false),
        explained=sum(cause is not None for cause in settled.explained),
        recall=recall,
        false_per_wearer_day=false_per_day,
        worst_decile_per_wearer_day=worst_decile(false, drawn),
        detect_p50_s=p50,
        detect_p95_s=p95,
        precision={str(rate): precision(recall.value, false_per_day.value, rate) for rate in EVENT_RATES},
        precision_at_least={str(rate): precision(recall.low, false_per_day.high, rate) for rate in EVENT_RATES},
        alerts_per_event=ratio(finders, found, drawn),
    )


def _variant(kind: str, matching: Matching, places: Sequence[int], drawn: Resampled) -> Variant:
    events = [matching.events[place] for place in places]
    found = [matching.events[place] for place in places if matching.found_by[place]]
    ordered = np.sort(matching.delays_s[places])
    return Variant(
        kind=kind,
        events=len(events),
        found=len(found),
        recall=share(_count(found), _count(events), drawn),
        detect_p50_s=float(quantile(ordered, each_once(ordered), 0.5)[0]),
    )


def _delay_quantiles(matching: Matching, drawn: Resampled) -> tuple[Interval, Interval]:
    """Median and 95th percentile of the time to detect, over events; each counts as often as its wearer is drawn."""
    if not matching.events:
        return Interval(), Interval()
    delays_s = matching.delays_s
    order = np.argsort(delays_s, kind="stable")
    rows = drawn.rows(event.device for event in matching.events)[order]
    ordered = delays_s[order]
    cumulative = np.cumsum(drawn.weights[rows], axis=0, dtype=np.float64)
    cumulative = cumulative[:, cumulative[-1] > 0]
    p50, p95 = (
        interval_of(float(quantile(ordered, each_once(ordered), q)[0]), quantile(ordered, cumulative, q))
        for q in (0.5, 0.95)
    )
    return p50, p95


def quantile(ordered: NDArray[np.float64], cumulative: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """For each column of cumulated weights, the first of the ordered values that reaches the share ``q`` of them."""
    reached = cumulative >= q * cumulative[-1] - _ROUNDING
    return np.asarray(ordered[reached.argmax(axis=0)], np.float64)


def each_once(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cumulated weights of values that all count once."""
    return np.arange(1.0, len(ordered) + 1.0)[:, np.newaxis]


def _rung(contexts: Iterable[Context], by_band: Mapping[str, Sequence[Found]]) -> dict[str, int]:
    codes = Counter(
        alert.code.value
        for context in contexts
        for alert in by_band.get(context.device, ())
        if context.start_ms <= alert.found_ms <= context.end_ms + CONTEXT_TAIL_MS
    )
    return dict(sorted(codes.items()))


def _count(things: Iterable[Event | Found]) -> Counter[str]:
    """How many on each band."""
    return Counter(thing.device for thing in things)


def _group(things: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    groups: defaultdict[_K, list[_T]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return dict(groups)
