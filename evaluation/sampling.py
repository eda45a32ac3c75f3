"""What adaptive sampling gives and costs: two runs of one world, with the loop closed and with nobody commanding.

Both runs have the same people, ways, fixes and outages (same seed, same steps); they differ in which fixes bands
report, and in what follows. So events are compared one by one and wearers are drawn together: an interval of a change
says how sure the change is, not the two figures. What the loop cannot change is chance between them: how long a
message took, which was lost or came twice.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import compress
from math import ceil
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.intervals import PerBand, Resampled, change_per_day, interval_of, ratio, resample
from evaluation.matching import Matching, explanations
from evaluation.metrics import Settled, each_once, quantile, settle
from evaluation.outcome import Check, Delays, Event, Found, Interval, Paired, Sampling
from schemas.alerts import AlertCode

CROSSINGS: Final = (AlertCode.ZONE_EXIT, AlertCode.ZONE_ENTER, AlertCode.ZONE_CURFEW)
"""What a fix more often is for."""

ALL_CROSSINGS: Final = "crossings"
SOONER_S: Final = 5.0
"""Less is the chance of the way."""
FALSE_ZONE_ALERTS: Final = 1.0 / 30.0
"""A wearer-day, of all zones together: the promise holds with bands that report four times as often, too."""

_QUANTILES: Final = (0.5, 0.95, 0.99)


class Spent(NamedTuple):
    """What commanding bands has cost: commands by reason, and those that no band heard in time.

    By band: for how long it was faster than its plan and had power at all, and how many per cent of a charge its
    reports beyond the plan took.
    """

    asked: Mapping[str, int]
    expired: int
    fast_s: PerBand
    powered_s: PerBand
    battery_pct: PerBand


class Run(NamedTuple):
    """One of two runs of the same world: what happened, what rang, how much was said."""

    events: Sequence[Event]
    found: Sequence[Found]
    readings: int


def sampling(
    without: Run, closed: Run, spent: Spent, observed: PerBand, codes: Collection[AlertCode], *, seed: int
) -> Sampling:
    """Compare the runs, code by code and all crossings together; ``observed`` are wearer-days by band."""
    days = max(sum(observed.values()), 1.0)
    sides = [_by_code(run, codes) for run in (without, closed)]
    bands = frozenset[str]().union(*(settled.bands for side in sides for settled in side.values()))
    drawn = resample(observed, bands, seed=seed)
    told = [code for code in AlertCode if code in codes and (sides[0][code].bands or sides[1][code].bands)]
    paired = [_paired(code.value, [sides[0][code]], [sides[1][code]], drawn) for code in told]
    before, after = ([side[code] for code in CROSSINGS if code in side] for side in sides)
    battery = sorted(
        (pct / observed[band] for band, pct in spent.battery_pct.items() if observed.get(band)), reverse=True
    )
    tenth = battery[: ceil(len(battery) / 10)]
    return Sampling(
        codes=[_paired(ALL_CROSSINGS, before, after, drawn), *paired],
        asked=dict(sorted(spent.asked.items())),
        expired=spent.expired,
        per_wearer_day=sum(spent.asked.values()) / days,
        fast_share=sum(spent.fast_s.values()) / max(sum(spent.powered_s.values()), 1.0),
        readings_without=without.readings,
        readings_closed=closed.readings,
        battery_pct=sum(spent.battery_pct.values()) / days,
        battery_worst_tenth_pct=sum(tenth) / len(tenth) if tenth else 0.0,
    )


def checks(compared: Sampling, without: Run, closed: Run) -> list[Check]:
    """What must hold of two runs: one world, nothing found less for certain, and zones that keep their budget."""
    crossings = [{e[:4] for e in run.events if e.code in CROSSINGS} for run in (without, closed)]
    less = [pair.code for pair in compared.codes if (pair.recall_change.high or 0.0) < 0.0]
    false = sum(pair.false_closed or 0.0 for pair in compared.codes if pair.code.startswith(("zone.", "leave.")))
    return [
        Check(
            name="the loop changes nothing that happens",
            passed=crossings[0] == crossings[1],
            detail=f"{len(crossings[1])} crossings with the loop, {len(crossings[0] ^ crossings[1])} differ without",
        ),
        Check(
            name="the loop finds no less",
            passed=not less,
            detail=f"less beyond the interval: {', '.join(less)}" if less else "no code finds less beyond its interval",
        ),
        Check(
            name="with the loop, zones ring falsely once in 30 wearer-days at most",
            passed=false <= FALSE_ZONE_ALERTS,
            detail=f"{false:.3f} a wearer-day, {FALSE_ZONE_ALERTS:.3f} allowed",
        ),
    ]


def _by_code(run: Run, codes: Collection[AlertCode]) -> dict[AlertCode, Settled]:
    causes = explanations(run.events)
    return {code: settle(code, run.events, run.found, causes) for code in codes}


def _paired(name: str, without: Sequence[Settled], closed: Sequence[Settled], drawn: Resampled) -> Paired:
    pair = (without, closed)
    delays = [np.concatenate([s.matching.delays_s for s in side] or [np.empty(0)]) for side in pair]
    rows = [drawn.rows(e.device for s in side for e in s.matching.events) for side in pair]
    events = [_count(e for s in side for e in s.matching.events) for side in pair]
    found = [_count(e for s in side for e in compress(s.matching.events, s.matching.found)) for side in pair]
    false = [_count(a for s in side for a in s.false) for side in pair]
    faster_s = _faster_s(without, closed)
    changes = [_change(delays, rows, q, drawn) for q in _QUANTILES[:2]]
    days = drawn.observed_days
    return Paired(
        code=name,
        events=len(delays[1]),
        without=_delays(delays[0]),
        closed=_delays(delays[1]),
        p50_change_s=changes[0],
        p95_change_s=changes[1],
        sooner=int((faster_s >= SOONER_S).sum()),
        later=int((faster_s <= -SOONER_S).sum()),
        recall_without=_over(found[0], events[0].total()),
        recall_closed=_over(found[1], events[1].total()),
        recall_change=ratio(_less(found[1], found[0]), events[1], drawn),
        false_without=_over(false[0], days),
        false_closed=_over(false[1], days),
        false_change=change_per_day(_less(false[1], false[0]), drawn),
    )


def _faster_s(without: Iterable[Settled], closed: Iterable[Settled]) -> NDArray[np.float64]:
    """By how much sooner each event was found that both runs found."""
    before, after = (
        {(*e[:3], e.parameters.get("zone")): delay_s for s in side for e, delay_s in _found_after(s.matching)}
        for side in (without, closed)
    )
    return np.array([before[event] - after[event] for event in before.keys() & after.keys()], np.float64)


def _found_after(matching: Matching) -> Iterable[tuple[Event, float]]:
    return compress(zip(matching.events, matching.delays_s.tolist(), strict=True), matching.found)


def _delays(delays_s: NDArray[np.float64]) -> Delays:
    if not len(delays_s):
        return Delays()
    ordered = np.sort(delays_s)
    return Delays(*(float(quantile(ordered, each_once(ordered), q)[0]) for q in _QUANTILES))


def _change(
    delays_s: Sequence[NDArray[np.float64]], rows: Sequence[NDArray[np.int64]], q: float, drawn: Resampled
) -> Interval:
    """How much a quantile rose from the first to the second, over the same draws of wearers."""
    if not all(map(len, delays_s)):
        return Interval()
    values, draws = [], []
    for each_s, mine in zip(delays_s, rows, strict=True):
        order = np.argsort(each_s, kind="stable")
        cumulative = np.cumsum(drawn.weights[mine[order]], axis=0, dtype=np.float64)
        values.append(float(quantile(each_s[order], each_once(each_s), q)[0]))
        draws.append(np.where(cumulative[-1] > 0, quantile(each_s[order], cumulative, q), np.nan))
    changes = draws[1] - draws[0]
    return interval_of(values[1] - values[0], changes[~np.isnan(changes)])


def _over(counts: Counter[str], whole: float) -> float | None:
    return counts.total() / whole if whole else None


def _less(one: Counter[str], other: Counter[str]) -> dict[str, float]:
    return {band: float(one[band] - other[band]) for band in one | other}


def _count(things: Iterable[Event | Found]) -> Counter[str]:
    return Counter(thing.device for thing in things)
