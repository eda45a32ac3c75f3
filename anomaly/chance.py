"""How many lost bands of an org are too many to be chance.

Score: how unlikely it is that so many are silent by chance, ``n · KL(lost/n ‖ usual)`` nats, the Chernoff bound of the
binomial tail (Hoeffding 1963); usual is the org's own share of lost bands over the last day. Threshold:
``least_nats``, and at least ``least_bands`` bands and ``least_share`` of all. It takes bands for independent, which
those of one bus are not: hence the least number. Cost: nothing a reading, one score an org and census.
"""

from dataclasses import dataclass
from math import exp, log

from anomaly.census import CENSUS_EVERY_MS, DAY_MS


@dataclass(frozen=True, slots=True)
class OutageConfig:
    """When many are too many."""

    least_nats: float = 14.0
    """One in a million a look; looks of one minute depend on each other, so about once in years."""
    least_bands: int = 5
    """Fewer share a bus, a canteen or a lift by chance."""
    least_share: float = 0.2
    """Of an org's bands; below that its operators can call them one by one."""
    back_share: float = 0.8
    """An outage is over when so many are back; the rest would be silent anyway."""
    usual_ms: int = DAY_MS
    """Over which the usual share of lost bands is averaged."""
    least_usual: float = 0.02
    """Nobody's share is taken to be less: of 100 bands two are in a lift."""


def too_many(config: OutageConfig, lost: int, expected: int, usual: float) -> bool:
    """Whether so many lost bands of so many expected are an outage, ``usual`` being the share lost at any time.

    >>> too_many(OutageConfig(), 18, 60, 0.02), too_many(OutageConfig(), 18, 60, 0.2), too_many(OutageConfig(), 4, 4, 0)
    (True, False, False)
    """
    if lost < config.least_bands or lost < config.least_share * expected:
        return False
    return nats(lost, expected, max(usual, config.least_usual)) >= config.least_nats


def learned(config: OutageConfig, usual: float, share: float, since_ms: int) -> float:
    """The usual share after ``share`` was lost for so long; ten minutes at most, for we may have been away."""
    weight = 1.0 - exp(-min(since_ms, CENSUS_EVERY_MS * 60) / config.usual_ms)
    return usual + weight * (share - usual)


def nats(lost: int, expected: int, usual: float) -> float:
    """How unlikely so many are by chance: the exponent of the Chernoff bound, 0 where there are no more than usual.

    >>> round(nats(18, 60, 0.02), 1), nats(1, 60, 0.02)
    (34.6, 0.0)
    """
    share = lost / expected
    if share <= usual:
        return 0.0
    if share >= 1.0:
        return -expected * log(usual)
    return expected * (share * log(share / usual) + (1.0 - share) * log((1.0 - share) / (1.0 - usual)))
