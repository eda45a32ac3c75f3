"""A census of a shard's bands: how many of each org are expected to speak, and who has missed two readings.

Taken of every shard every ten seconds; outages (``anomaly.outage``) are decided from all of them together. A band is
lost when it has been silent for ``LOST_AFTER`` of its reading intervals on our clock, and no longer expected once it
has been for ``LOST_WITHIN_MS``. It does not say why. Cost: about 20 ns a band, a few bytes a lost one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from schemas.judging import NEVER, Times, WearerRules

CENSUS_EVERY_MS: Final = 10_000
LOST_AFTER: Final = 2.5
"""Reading intervals: two missed readings, one may be late."""
LOST_WITHIN_MS: Final = 30 * 60_000
"""Who fell silent longer ago did so for reasons of their own."""
SLACK_MS: Final = 10 * 60_000
"""A band that reports seldom had spoken so long before the network went at most."""
DAY_MS: Final = 86_400_000
"""After a day the law counts each silence by itself, whatever the reason: an outage explains none beyond it."""


class Lost(NamedTuple):
    """A band that has missed two readings: its org, and when we last heard of it."""

    device: str
    org: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Orgs:
    """The orgs of a shard's bands: their names, the number of each row's, and the org above each org there is.

    >>> Orgs.of(("b", "a", "b"), {"a": None, "b": "a"}).names
    ('a', 'b')
    """

    names: tuple[str, ...]
    of_row: NDArray[np.intp]
    parents: Mapping[str, str | None]

    @classmethod
    def of(cls, org: Sequence[str], parents: Mapping[str, str | None]) -> Self:
        """Number the orgs of rows once, so that a census need not."""
        names = tuple(sorted(set(org)))
        number = {name: place for place, name in enumerate(names)}
        return cls(names, np.array([number[name] for name in org], np.intp), parents)


@dataclass(frozen=True, slots=True)
class Census:
    """How a shard's bands stand in contact at a moment: by org how many are expected to speak, and who is lost.

    ``lost`` names bands silent for up to a day and the slack. ``parents``: the org above each org.
    """

    shard: int
    now_ms: int
    version: int
    expected: Mapping[str, int]
    lost: tuple[Lost, ...]
    parents: Mapping[str, str | None]


def census(shard: int, wearers: WearerRules, orgs: Orgs, heard_ms: Times, now_ms: int) -> Census:
    """Count a shard's bands; ``heard_ms``, one a row, is when each was last heard (``NEVER``: unknown, not lost)."""
    silent_ms, heard = now_ms - heard_ms, heard_ms != NEVER
    lost = heard & (silent_ms > LOST_AFTER * wearers.interval_ms)
    recent = heard & (~lost | (silent_ms <= LOST_WITHIN_MS))
    count = np.bincount(orgs.of_row[recent], minlength=len(orgs.names))
    return Census(
        shard=shard,
        now_ms=now_ms,
        version=wearers.version,
        expected={org: n for org, n in zip(orgs.names, count.tolist(), strict=True) if n},
        lost=tuple(
            Lost(wearers.device[row], wearers.org[row], int(heard_ms[row]))
            for row in np.flatnonzero(lost & (silent_ms <= DAY_MS + SLACK_MS))
        ),
        parents=orgs.parents,
    )
