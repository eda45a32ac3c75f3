"""How readings leave a band: by plan, at once when a switch turns, stored while there is no network, at times twice.

A band that cannot send keeps its readings and sends them, oldest first, with the next one that gets through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.downlink import Downlink, Order
from simulator.kinds import DAY, Kind
from simulator.options import Faults
from simulator.plane import METRES_PER_DEGREE, Floats
from simulator.plans import Obedience, Plans
from simulator.reports import COLUMNS, VITALS, Reports
from simulator.script import Incident

MOST_READINGS: Final = 60
"""Readings in one message of a backlog."""

TRANSIT_S: Final = (0.08, 0.4)
APART_S: Final = 0.5
BETWEEN: Final = 0.37
"""Of a step: where in it a clone speaks."""

AGAIN_S: Final = (5.0, 60.0)
REBOOT_S: Final = (60.0, 240.0)
HONEST_CLOCK_S: Final = 0.7
AT_ONCE_S: Final = 1.0
URGENT: Final[Mapping[Kind, tuple[str, float]]] = {
    Kind.STRAP_CUT: ("strap_closed", 0.0),
    Kind.STRAP_LOOSENED: ("strap_closed", 0.0),
    Kind.CASE_OPENED: ("case_closed", 0.0),
    Kind.SOS: ("sos", 1.0),
}
"""What a band tells at once, however seldom its plan has it report."""


@dataclass(frozen=True, slots=True)
class Block:
    """What all bands measured over some steps (bands x steps); ``columns`` are named as on the wire."""

    first_step: int
    times_s: Floats
    columns: dict[str, Floats]
    connected: NDArray[np.bool_]
    powered: NDArray[np.bool_]

    def by_step(self) -> "Block":
        """The same laid out step by step in memory, for whoever takes few steps at a time."""
        return Block(
            first_step=self.first_step,
            times_s=np.asfortranarray(self.times_s),
            columns={name: np.asfortranarray(column) for name, column in self.columns.items()},
            connected=np.asfortranarray(self.connected),
            powered=np.asfortranarray(self.powered),
        )


class Delivery:
    """The bands' plans, clocks, memories and numbers; ``take`` turns measured steps into what reaches the broker.

    With a ``downlink``, ``send`` reaches bands. Outages and clocks are then drawn from ``outages``, or they would
    depend on how many messages were sent, and a run with orders could not be compared with one without.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        interval_steps: NDArray[np.int64],
        dt_s: float,
        start_ms: int,
        faults: Faults,
        script: Sequence[Incident],
        transit_s: tuple[float, float] = TRANSIT_S,
        downlink: Downlink | None = None,
        outages: np.random.Generator | None = None,
    ) -> None:
        n = len(interval_steps)
        self._rng = rng
        self._downlink = downlink
        self._outages_rng = outages or rng
        self._dt_s = dt_s
        self._start_ms = start_ms
        self._faults = faults
        self._transit_s = transit_s
        self._plans = Plans(interval_steps, rng.integers(0, interval_steps), dt_s)
        self._clock_s = np.clip(rng.normal(0.0, HONEST_CLOCK_S, n), -2.0, 2.0) * (faults != Faults())
        off = rng.random(n) < faults.clocks_off
        self._clock_s[off] = rng.uniform(-faults.clock_off_s, faults.clock_off_s, int(off.sum()))
        self._seq = np.zeros(n, np.int64)
        self._messages = 0
        self._down_until_s = np.full((2, n), -np.inf)
        self._block: Block | None = None
        self._powered = self._connected = np.empty((n, 0), np.bool_)
        self._waiting = Reports.none()
        self._under_way = Reports.none()
        self._since: dict[str, Floats] = {name: np.zeros(n) for name in ("steps", "activity", "peak_g", "count")}
        self._clock_tricks = [incident for incident in script if incident.kind is Kind.SPOOF_CLOCK]
        self._clones = [incident for incident in script if incident.kind is Kind.SPOOF_CLONE]
        self._urgent = [incident for incident in script if incident.kind in URGENT]

    def number_from(self, seqs: Sequence[int]) -> None:
        """The number of each band's next message."""
        self._seq[:] = seqs

    def command(self, row: int, interval_s: float, until_s: float) -> None:
        """One band does at once what it is told, until a time of the run."""
        self._plans.order(row, interval_s, until_s)

    @property
    def obedience(self) -> Obedience:
        """What orders have come to so far."""
        return self._plans.obedience

    def send(self, order: Order) -> None:
        """An order leaves for its band."""
        if self._downlink is None:
            raise ValueError("this fleet cannot be commanded: it has no downlink")
        self._downlink.send(order)

    def take(self, block: Block, first: int, last: int, *, to_the_end: bool = False) -> Reports:
        """What reaches the broker while steps ``first`` to ``last`` (excluded) of a block pass, in order of time.

        Call with steps in turn. ``to_the_end`` also hands over what would arrive later.
        """
        if block is not self._block:
            self._begin(block)
        powered, connected = self._powered[:, first:last], self._connected[:, first:last]
        numbers = block.first_step + np.arange(first, last)
        due = self._plans.due(numbers, self._intervals(block.times_s[:, first:last], powered & connected), powered)
        made = self._readings(block, first, last, due & powered)
        reach = connected[made.row, np.rint(made.sent_s).astype(np.int64)]
        sent = self._cloned(self._sent(made, reach))
        return self._arrived(sent, float(numbers[-1] + 1) * self._dt_s, to_the_end=to_the_end)

    def _begin(self, block: Block) -> None:
        rebooting, cut_off = self._outages(block)
        self._block = block
        self._powered = block.powered & ~rebooting
        self._connected = block.connected & ~cut_off

    def _intervals(self, times_s: Floats, reach: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Steps between two reports, by the plans and by what bands hear that can be reached (bands x steps)."""
        intervals = self._plans.intervals(times_s)
        for order, heard_s in self._downlink.deliver(times_s, self._dt_s, reach) if self._downlink else ():
            row = np.array([order.row])
            off_s = float(self._clock_off_s(row, np.array([heard_s]))[0])
            self.command(order.row, order.interval_s, order.until_s - off_s)
            later = times_s[order.row] >= heard_s
            intervals[order.row, later] = self._plans.intervals(times_s[row], row)[0, later]
        return intervals

    def _readings(self, block: Block, first: int, last: int, told: NDArray[np.bool_]) -> Reports:
        """Readings as they are made, by band and time; ``sent_s`` holds each one's step for now."""
        rows, steps = np.nonzero(told)
        times = block.times_s[:, first:last]
        columns = {name: block.columns[name][:, first:last][rows, steps] for name in COLUMNS}
        columns |= self._since_last(block, first, last, rows, steps)
        made = self._made(rows, times[rows, steps], steps, columns)
        urgent = self._urgent_readings(block, first, last)
        if not len(urgent):
            return made
        made = Reports.concat([made, urgent])
        return made.take(np.lexsort((made.at_s, made.row)))

    def _made(self, rows: NDArray[Any], at_s: Floats, steps: NDArray[Any], columns: dict[str, Floats]) -> Reports:
        zeros = np.zeros(len(rows), np.int64)
        time_ms = self._start_ms + np.round((at_s + self._clock_off_s(rows, at_s)) * 1000.0).astype(np.int64)
        return Reports(rows.astype(np.int64), at_s, time_ms, steps.astype(np.float64), zeros, zeros, columns)

    def _clock_off_s(self, rows: NDArray[Any], at_s: Floats) -> Floats:
        off_s = self._clock_s[rows]
        for incident in self._clock_tricks:
            mine = (rows == incident.row) & (at_s >= incident.start_s) & (at_s < incident.end_s)
            off_s[mine] -= incident.parameters["behind_s"]
        return np.asarray(off_s)

    def _since_last(
        self, block: Block, first: int, last: int, rows: NDArray[np.intp], steps: NDArray[np.intp]
    ) -> dict[str, Floats]:
        """Steps, activity and peak cover the time since the reading before, even one made in an earlier call."""
        width = last - first
        on = block.powered[:, first:last]
        parts = {
            name: np.where(on, block.columns[name][:, first:last], 0.0) for name in ("steps", "activity", "peak_g")
        }
        if len(rows) == len(block.times_s) * width and not self._since["count"].any():
            return {name: part.ravel() for name, part in parts.items()}
        # Runs of steps end with each reading; what follows the last one of a band waits for the next call.
        ends = rows * width + steps + 1
        row_starts = np.arange(len(block.times_s)) * width
        starts = np.unique(np.concatenate([row_starts, ends[ends < len(block.times_s) * width]]))
        count = np.add.reduceat(on.ravel().astype(np.float64), starts)
        runs = {
            "steps": np.add.reduceat(np.nan_to_num(parts["steps"]).ravel(), starts),
            "activity": np.add.reduceat(np.nan_to_num(parts["activity"]).ravel(), starts),
            "peak_g": np.maximum.reduceat(np.nan_to_num(parts["peak_g"]).ravel(), starts),
            "count": count,
        }
        opening = np.searchsorted(starts, row_starts)
        for name in ("steps", "activity", "count"):
            runs[name][opening] += self._since[name]
        runs["peak_g"][opening] = np.maximum(runs["peak_g"][opening], self._since["peak_g"])
        closing = np.searchsorted(starts, ends - 1, side="right") - 1
        left = np.ones(len(starts), np.bool_)
        left[closing] = False
        self._keep(starts // width, left, runs)
        measured = ~np.isnan(block.columns["steps"][:, first:last][rows, steps])
        told = {name: runs[name][closing] for name in ("steps", "peak_g")}
        told["activity"] = np.round(runs["activity"][closing] / np.maximum(runs["count"][closing], 1.0), 2)
        return {name: np.where(measured, value, np.nan) for name, value in told.items()}

    def _keep(self, row: NDArray[np.intp], left: NDArray[np.bool_], runs: dict[str, Floats]) -> None:
        for name, kept in self._since.items():
            kept[:] = 0.0
            kept[row[left]] = runs[name][left]

    def _urgent_readings(self, block: Block, first: int, last: int) -> Reports:
        """A switch that turns is told a second later, without waiting for the plan."""
        found = []
        for incident in self._urgent:
            at_s, times = incident.start_s + AT_ONCE_S, block.times_s[incident.row, first:last]
            begins_s = times[0] if block.first_step + first else 0.0
            if not begins_s <= at_s < times[-1] + self._dt_s:
                continue
            step = max(int(np.searchsorted(times, at_s, side="right")) - 1, 0)
            if block.powered[incident.row, first + step]:
                found.append(self._one(block, incident.row, first, step, at_s, dict([URGENT[incident.kind]])))
        return Reports.concat(found)

    def _one(self, block: Block, row: int, first: int, step: int, at_s: float, changed: dict[str, float]) -> Reports:
        columns = {name: block.columns[name][row : row + 1, first + step].copy() for name in COLUMNS}
        for name in VITALS:
            columns[name][:] = np.nan
        for name, value in changed.items():
            columns[name][:] = value
        return self._made(np.array([row]), np.array([at_s]), np.array([step]), columns)

    def _outages(self, block: Block) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Reboots and network losses that begin by chance, and go on until they end."""
        times, rng = block.times_s, self._outages_rng
        states = []
        ranges = ((self._faults.reboots_per_day, REBOOT_S), (self._faults.outages_per_day, self._faults.outage_s))
        for number, (per_day, lasting_s) in enumerate(ranges):
            down = times < self._down_until_s[number][:, None]
            begins = rng.random(times.shape) < per_day * self._dt_s / DAY
            for row, step in zip(*(where.tolist() for where in np.nonzero(begins)), strict=True):
                until_s = times[row, step] + rng.uniform(*lasting_s)
                self._down_until_s[number][row] = max(self._down_until_s[number][row], until_s)
                down[row] |= (times[row] >= times[row, step]) & (times[row] < until_s)
            states.append(down)
        steps_on = rng.random(len(times)) < self._faults.clock_steps_per_day * self._dt_s * times.shape[1] / DAY
        off_s = self._faults.clock_off_s
        self._clock_s[steps_on] += rng.uniform(-off_s, off_s, int(steps_on.sum()))
        return states[0], states[1]

    def _sent(self, made: Reports, reach: NDArray[np.bool_]) -> Reports:
        """Give each reading the message that carries it; what reaches nobody waits."""
        waiting = len(self._waiting)
        both = Reports.concat([self._waiting, made])
        if not len(both):
            return both
        through = np.concatenate([np.zeros(waiting, np.bool_), reach])
        if waiting:
            order = np.lexsort((both.at_s, both.row))
            both, through = both.take(order), through[order]
        place = np.arange(len(both))
        carrier = np.minimum.accumulate(np.where(through, place, len(both))[::-1])[::-1]
        carried = carrier < len(both)
        carried[carried] = both.row[carrier[carried]] == both.row[carried]
        self._waiting = both.take(~carried)
        return self._numbered(both.take(carried), both.at_s[carrier[carried]], carrier[carried])

    def _numbered(self, sent: Reports, by_s: Floats, carrier: NDArray[np.intp]) -> Reports:
        """Messages of at most sixty readings, each with its band's next number, some delayed."""
        if not len(sent):
            return sent
        begins = np.flatnonzero(np.diff(carrier, prepend=-1))
        nth = np.arange(len(sent)) - np.repeat(begins, np.diff(np.append(begins, len(sent))))
        chunk = nth // MOST_READINGS
        new = (np.diff(carrier, prepend=-1) != 0) | (np.diff(chunk, prepend=0) != 0)
        message = np.cumsum(new) - 1
        starts = np.flatnonzero(new)
        rows = sent.row[starts]
        seq = self._seq[rows] + _nth_of_row(rows)
        np.add.at(self._seq, rows, 1)
        delay_s = self._rng.uniform(*self._transit_s, len(starts))
        late = self._rng.random(len(starts)) < self._faults.reordered
        delay_s[late] += self._rng.uniform(*self._faults.reordered_s, int(late.sum()))
        arrives_s = by_s[starts] + delay_s + APART_S * chunk[starts]
        number = self._messages + message
        self._messages += len(starts)
        return self._twice(sent.with_head(sent_s=arrives_s[message], message=number, seq=seq[message]), len(starts))

    def _cloned(self, sent: Reports) -> Reports:
        """A second band under the same name speaks in between, with the same numbers, from another place."""
        parts = [sent]
        for incident in self._clones:
            mine = (sent.row == incident.row) & (sent.at_s >= incident.start_s) & (sent.at_s < incident.end_s)
            told = sent.take(mine & ~np.isnan(sent.columns["lat"]))
            if len(told):
                parts.append(self._elsewhere(told, incident.parameters["away_m"] / METRES_PER_DEGREE))
        return Reports.concat(parts)

    def _elsewhere(self, told: Reports, away_deg: float) -> Reports:
        later_s = BETWEEN * self._dt_s
        message = self._messages + np.arange(len(told))
        self._messages += len(told)
        moved = {"lat": np.round(told.columns["lat"] + away_deg, 6), "age_s": 0.0, "accuracy_m": 9.0, "source": 0.0}
        there = {name: np.full(len(told), value) for name, value in moved.items()}
        columns = told.columns | there | {name: np.full(len(told), np.nan) for name in VITALS}
        shifted = told.with_head(
            at_s=told.at_s + later_s,
            time_ms=told.time_ms + round(later_s * 1000.0),
            sent_s=told.sent_s + later_s,
            message=message,
        )
        return replace(shifted, columns=columns)

    def _twice(self, sent: Reports, messages: int) -> Reports:
        """Some messages are sent again although they had arrived."""
        again = self._rng.random(messages) < self._faults.duplicates
        if not again.any():
            return sent
        local = sent.message - sent.message[0]
        copies = sent.take(again[local])
        later_s = copies.sent_s + self._rng.uniform(*AGAIN_S, messages)[local[again[local]]]
        number = self._messages + np.cumsum(np.diff(copies.message, prepend=-1) != 0) - 1
        self._messages += int(again.sum())
        return Reports.concat([sent, copies.with_head(sent_s=later_s, message=number)])

    def _arrived(self, sent: Reports, until_s: float, *, to_the_end: bool) -> Reports:
        everything = Reports.concat([self._under_way, sent])
        here = np.ones(len(everything), np.bool_) if to_the_end else everything.sent_s < until_s
        self._under_way = everything.take(~here)
        arrived = everything.take(here)
        return arrived.take(np.lexsort((arrived.at_s, arrived.message, arrived.sent_s)))


def _nth_of_row(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """For rows in order, the position of each within its run of equals.

    >>> _nth_of_row(np.array([3, 3, 5, 5, 5])).tolist()
    [0, 1, 0, 1, 2]
    """
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    return np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
