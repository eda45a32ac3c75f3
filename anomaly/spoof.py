"""``device.spoof``: the position, or the time, is not what happened. One alert a trick, its name is the subject.

Each trick is a file (``spoof_*.py``) that states its formula, source and evidence, and one line in ``tricks``. All of
them judge the same leg, from the last credible fix to the new one (``spoof_leg``). An implausible speed alone is never
a verdict: honest receivers make those daily (DETECTION 2b). It takes persistence, and a second witness: the receiver's
own speed, the height, steps, the message counter. No place by cell, and none vaguer than 250 m, is judged false.

Cost: 90 bytes a wearer, under 0.4 µs a reading in batches of 10,000 and more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.spoof_clock import Clock
from anomaly.spoof_drag import Drag
from anomaly.spoof_freeze import Freeze
from anomaly.spoof_hop import Hop
from anomaly.spoof_leg import LEG_COLUMNS, leg_of, remember
from anomaly.spoof_replay import Replay
from anomaly.spoof_sign import Sign, Trick
from schemas.alerts import AlertCode, Transition
from schemas.judging import Columns, Detector, Rows, Table, Verdict
from schemas.readings import Readings
from schemas.registry import Thresholds

Flags = NDArray[np.bool_]

OPEN: Final = "open"
"""One bit a trick, by its place in ``Spoof.names``: whether its alert is open."""


def tricks(scale: float) -> tuple[Trick, ...]:
    """Every trick; a new one is one line here. ``scale`` makes them patient, below 1 eager."""
    return (
        Hop(stays=_count(2, scale)),
        Freeze(repeats=_count(2, scale)),
        Drag(scale=scale),
        Replay(following=_count(3, scale)),
        Clock(readings=_count(3, scale)),
    )


@dataclass(frozen=True, slots=True)
class Spoof(Detector):
    """Rings once for each trick that is being played, until it is over.

    >>> spoof = Spoof(np.array([1]))
    >>> table = Table.new(spoof.keys, spoof.columns)
    >>> for minute, (lat, speed) in enumerate([(26.58, 0.1), (26.58, 1.3), (26.58, 1.4), (26.59, 1.3)], 1):
    ...     step = Readings.of(device=[1], event_ms=[minute * 60_000], lat=[lat], lon=[101.7], accuracy_m=[8.0],
    ...                        speed_mps=[speed])
    ...     print([(v.subject, v.transition.value, v.onset_ms) for v in spoof.judge(table, np.array([0]), step)])
    []
    []
    [('freeze', 'opened', 120000)]
    [('freeze', 'cleared', 120000)]
    """

    keys: NDArray[np.int64] = field()
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = AlertCode.DEVICE_SPOOF.value
    takes_late: ClassVar[bool] = True

    @property
    def tricks(self) -> tuple[Trick, ...]:
        """The tricks at this detector's dial."""
        return tricks(self.thresholds.spoof_scale)

    @property
    def onsets(self) -> dict[str, str]:
        """The column of each trick's onset (s), by the trick's name."""
        return {name: column for trick in self.tricks for name, column in trick.onsets.items()}

    @property
    def columns(self) -> Columns:
        """The last fix, what each trick remembers, and which alerts are open."""
        own = {name: column for trick in self.tricks for name, column in trick.columns.items()}
        return {**LEG_COLUMNS, **own, OPEN: (np.uint8, 0)}

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Ask every trick about the leg, tell what changed, remember the fix."""
        opened = {name: self._is_open(table, rows, name) for name in self.onsets}
        with np.errstate(invalid="ignore"):
            leg = leg_of(table, rows, step)
            signs = [sign for trick in self.tricks for sign in trick.judge(table, rows, step, leg, opened)]
            verdicts = [verdict for sign in signs for verdict in self._told(table, rows, sign, opened[sign.trick])]
            remember(table, rows, step, leg)
        return verdicts

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        everywhere, at_ms = np.ones(len(gone), np.bool_), np.full(len(gone), now_ms)
        signs = [
            Sign(name, table[column][gone], ~everywhere, everywhere, at_ms, lambda _: {"ended_by": "rules"})
            for name, column in self.onsets.items()
        ]
        verdicts = [v for sign in signs for v in self._told(table, gone, sign, self._is_open(table, gone, sign.trick))]
        return [verdict._replace(step=-1) for verdict in verdicts]

    def _told(self, table: Table, rows: Rows, sign: Sign, is_open: Flags) -> Iterator[Verdict]:
        bit = self._bit(sign.trick)
        for which, transition in (
            (sign.rings & ~is_open, Transition.OPENED),
            (sign.ends & ~sign.rings & is_open, Transition.CLEARED),
        ):
            places = np.flatnonzero(which)
            table[OPEN][rows[places]] ^= bit
            for place in places.tolist():
                yield Verdict(
                    row=int(rows[place]),
                    code=AlertCode.DEVICE_SPOOF,
                    transition=transition,
                    onset_ms=int(sign.onset_s[place]) * 1000,
                    at_ms=int(sign.at_ms[place]),
                    step=place,
                    evidence=sign.evidence(place),
                    subject=sign.trick,
                )

    def _is_open(self, table: Table, rows: Rows, trick: str) -> Flags:
        return np.asarray((table[OPEN][rows] & self._bit(trick)) != 0)

    def _bit(self, trick: str) -> np.uint8:
        return np.uint8(1 << list(self.onsets).index(trick))


def _count(readings: int, scale: float) -> int:
    """A count of readings at a dial; at least one."""
    return max(1, round(readings * scale))
