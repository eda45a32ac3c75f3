"""How sure is a figure? Shares, ratios and rates with their intervals over wearers.

An interval is 95 % by bootstrap over wearers: each is drawn as a whole, with all that happened to them, because one
wearer's readings are no independent evidence. Where that cannot vary (everything found, nothing found, one wearer) it
would claim certainty: shares then have Wilson's score interval over events, rates the Poisson one over alerts (for
none at all the rule of three, up to 3 / wearer-days). With no event or no day to count there is no figure.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import isclose, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.outcome import Interval

RESAMPLES: Final = 1_000
_Z: Final = 1.96
_RULE_OF_THREE: Final = 3.0

PerBand = Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """Wearers drawn again and again: how often each one's band (``row``) is in each draw, and the days of each draw.

    ``weights`` has a row a band of interest and a column a draw. ``observed`` are the wearer-days they come from.
    """

    observed: PerBand
    observed_days: float
    observed_bands: int
    row: Mapping[str, int]
    weights: NDArray[np.float32]
    days: NDArray[np.float64]

    def rows(self, bands: Iterable[str]) -> NDArray[np.int64]:
        """Where the bands stand in ``weights``."""
        return np.fromiter((self.row[band] for band in bands), np.int64)

    def totals(self, per_band: PerBand) -> NDArray[np.float64]:
        """For each draw, the sum over its bands."""
        values = np.fromiter(per_band.values(), np.float32, len(per_band))
        return np.asarray(values @ self.weights[self.rows(per_band)], np.float64)


def resample(observed: PerBand, active: Collection[str], *, seed: int, resamples: int = RESAMPLES) -> Resampled:
    """Draw as many bands as there are, with replacement; ``active`` are those to which anything may have happened.

    Idle bands differ in nothing but their days, so those with equally many (whole) days are drawn as one: the same
    distribution, at the price of the active ones alone. Bands with neither days nor a part in anything do not count.
    """
    bands = sorted(set(active))
    mine = frozenset(bands)
    idle = Counter(float(days) for band, days in observed.items() if days > 0 and band not in mine)
    days = np.array([*(observed.get(band, 0.0) for band in bands), *sorted(idle)], np.float64)
    alike = np.array([*(1 for _ in bands), *(idle[each] for each in sorted(idle))], np.int64)
    rng = np.random.default_rng(seed)
    wearers = int(alike.sum())
    drawn = rng.multinomial(wearers, alike / max(wearers, 1), resamples).T if wearers else np.zeros((0, resamples))
    return Resampled(
        observed=observed,
        observed_days=sum(observed.values()),
        observed_bands=sum(each > 0 for each in observed.values()),
        row={band: place for place, band in enumerate(bands)},
        weights=drawn[: len(bands)].astype(np.float32),
        days=np.asarray(days @ drawn, np.float64),
    )


def share(part: PerBand, whole: PerBand, drawn: Resampled) -> Interval:
    """How many of the whole, e.g. events found of all events; both counted per band."""
    total, count = sum(whole.values()), sum(part.values())
    interval = ratio(part, whole, drawn)
    return wilson(count, total) if total and _collapsed(interval) else interval


def ratio(part: PerBand, whole: PerBand, drawn: Resampled) -> Interval:
    """The sum of one by the sum of the other; both counted per band."""
    if not (total := sum(whole.values())):
        return Interval()
    return interval_of(sum(part.values()) / total, _quotient(drawn.totals(part), drawn.totals(whole)))


def per_day(counts: PerBand, drawn: Resampled) -> Interval:
    """So many a wearer-day; what a band without any day rang counts too, so that it cannot be hidden."""
    count, days = sum(counts.values()), drawn.observed_days
    if not days:
        return Interval()
    interval = interval_of(count / days, _quotient(drawn.totals(counts), drawn.days))
    return poisson(count, days) if _collapsed(interval) else interval


def change_per_day(changes: PerBand, drawn: Resampled) -> Interval:
    """So many more (or fewer) a wearer-day; ``changes`` are paired, band by band, and may cancel out."""
    if not drawn.observed_days:
        return Interval()
    return interval_of(sum(changes.values()) / drawn.observed_days, _quotient(drawn.totals(changes), drawn.days))


def wilson(count: float, total: float) -> Interval:
    """A share with Wilson's 95 % score interval (E. B. Wilson, JASA 1927).

    >>> interval = wilson(20, 20)
    >>> interval.value, round(interval.low, 3), interval.high
    (1.0, 0.839, 1.0)
    """
    p, shrink = count / total, 1.0 + _Z**2 / total
    centre = (p + _Z**2 / (2.0 * total)) / shrink
    half = _Z / shrink * sqrt(p * (1.0 - p) / total + _Z**2 / (4.0 * total**2))
    # At the ends the formula meets 0 and 1 but for rounding.
    return Interval(p, centre - half if count else 0.0, centre + half if count < total else 1.0)


def poisson(count: float, days: float) -> Interval:
    """A rate with its 95 % interval, by Byar's approximation (Breslow & Day 1987, p. 69); for none the rule of three.

    >>> poisson(0, 300.0)
    Interval(value=0.0, low=0.0, high=0.01)
    """
    if not count:
        return Interval(0.0, 0.0, _RULE_OF_THREE / days)
    low = count * (1.0 - 1.0 / (9.0 * count) - _Z / (3.0 * sqrt(count))) ** 3
    more = count + 1.0
    high = more * (1.0 - 1.0 / (9.0 * more) + _Z / (3.0 * sqrt(more))) ** 3
    return Interval(count / days, max(low, 0.0) / days, high / days)


def _quotient(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw by draw, without those in which there is nothing to count."""
    some = whole > 0
    return part[some] / whole[some]


def interval_of(value: float, draws: NDArray[np.float64]) -> Interval:
    """The value with the middle 95 % of its draws; without any draw it stands alone."""
    low, high = np.quantile(draws, (0.025, 0.975)) if len(draws) else (value, value)
    return Interval(float(value), float(low), float(high))


def _collapsed(interval: Interval) -> bool:
    return interval.low is None or interval.high is None or isclose(interval.low, interval.high)
