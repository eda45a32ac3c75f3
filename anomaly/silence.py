"""``device.silence``: no message for longer than plan, band and place explain. A state of knowledge, not a breach.

A band may be silent for as long as its plan says; longer where its own network is poor (twice the gap that it
exceeds about once a day) and where bands usually fall silent and come back (``anomaly.places``: learned from gaps
that the band recorded), but for no more than two hours, and at a well-known place a shift. An alert begins at medium
priority and says when bands are usually back; it becomes high when the law's own clock strikes: 24 hours, ten days,
thirty.

Silence is measured on our clock (when did we last hear), its onset on the band's (when did it last speak). If the
band turns out to have recorded all along, only the network was silent: retracted, and the place learns. What
explains a silence is fixed with the last word, so the moment it rings does not depend on who asks when.

Evidence: one programme had 56,853 such losses of 895 people in a month, two a wearer-day, and jailed people for
them (Wisconsin 2013, 2017). It does not tell a switched-off band from a broken one, nor a jammer from a cellar,
and does not hear the last will yet. What was learned from other bands, one band's readings cannot re-derive.
Cost: about 0.1 µs a reading; 39 bytes a wearer.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.episode import ONSET, ONSET_COLUMN, end_all, end_where, open_where
from anomaly.places import LONGEST_KNOWN_S, LONGEST_S, PLACE_COLUMNS, cell_of, learn, see, settle, slot_of, usual_s
from schemas.alerts import AlertCode, Priority, Transition
from schemas.judging import NEVER, Columns, Detector, Rows, Table, Times, Verdict
from schemas.readings import Readings

_DAY_MS: Final = 86_400_000
_MARKS_MS: Final = (_DAY_MS, 10 * _DAY_MS, 30 * _DAY_MS)
"""A day: the search that the law wants at once must be on record by then (an alarm is stale after it, ISA-18.2). Ten
days and a month out of supervision are steps of the law's ladder, as far as we know (unconfirmed)."""
_LAW: Final = "社区矫正法第三十条"
"""Whoever has lost contact is searched for at once, and the police help (Art. 30)."""
_TAIL: Final = 0.001
"""The share of gaps that exceed a band's usual one: of one a minute, about one a day."""
_STEP: Final = 0.5
"""How far one longer gap moves it (in log): a single long silence teaches no more than a factor of 1.65."""
_BEYOND: Final = 2.0
"""A gap twice as long as comes once a day does not come once in weeks, tails of gaps being heavy."""


@dataclass(frozen=True, slots=True)
class Silence(Detector):
    """Rings when ``silence_after_ms`` (one a row), or what band and place explain, has passed since the last message.

    The deciding moment is the due time itself, however seldom the clock is told.

    >>> silence = Silence(np.array([1]), np.array([60_000]))
    >>> table = Table.new(silence.keys, silence.columns)
    >>> row = np.array([0])
    >>> silence.judge(table, row, Readings.of(device=[1], event_ms=[5_000], ingest_ms=[6_000]))
    []
    >>> [(v.onset_ms, v.at_ms) for v in silence.tick(table, row, np.array([500_000]))]
    [(5000, 66000)]
    """

    keys: NDArray[np.int64] = field()
    silence_after_ms: Times
    name: str = AlertCode.DEVICE_SILENCE.value
    takes_late: ClassVar[bool] = True

    @property
    def columns(self) -> Columns:
        """When we last heard (our clock) and the newest moment spoken of (its clock), where, and what that explains.

        ``place_s``: how soon bands are usually back there (s, 0: no telling); ``usual_log_s``: the log of the gap that
        the band exceeds about once a day; ``marks``: how many of the law's marks an open silence has passed.
        """
        return {
            "heard_ms": (np.int64, NEVER),
            "spoken_ms": (np.int64, NEVER),
            "lat": (np.float32, np.nan),
            "lon": (np.float32, np.nan),
            "place_s": (np.uint16, 0),
            "usual_log_s": (np.float32, 0.0),
            "marks": (np.int8, 0),
            **ONSET_COLUMN,
            **PLACE_COLUMNS,
        }

    def judge(self, table: Table, rows: Rows, step: Readings) -> list[Verdict]:
        """Let the time until this message pass, then note it; an open alert ends or turns out untrue."""
        verdicts = self._ring(table, rows, step.ingest_ms)
        heard, spoken = table["heard_ms"][rows], table["spoken_ms"][rows]
        silent_ms = np.where(heard == NEVER, 0, step.ingest_ms - heard)
        recorded = step.event_ms - spoken <= self.silence_after_ms[rows]
        verdicts += self._end(table, rows, step, step.event_ms - spoken, recorded)
        self._learn(table, rows, silent_ms, recorded)
        table["heard_ms"][rows] = np.maximum(heard, step.ingest_ms)
        table["spoken_ms"][rows] = np.maximum(spoken, step.event_ms)
        self._note_place(table, rows, step, step.event_ms >= spoken)
        return verdicts

    def tick(self, table: Table, rows: Rows, now_ms: Times) -> list[Verdict]:
        """Ring for each row whose time is up, and believe what was learned of places."""
        settle(table)
        return self._ring(table, rows, now_ms)

    def _ring(self, table: Table, rows: Rows, now_ms: Times) -> list[Verdict]:
        """Ring for each row whose time is up; a band never heard of is not silent but unknown."""
        heard = table["heard_ms"][rows]
        late = np.flatnonzero((heard != NEVER) & (heard + self.silence_after_ms[rows] <= now_ms))
        if not len(late):
            return []
        rows, now_ms, heard = rows[late], now_ms[late], heard[late]
        after_ms = self._allowed_ms(table, rows)
        opened = open_where(
            table,
            AlertCode.DEVICE_SILENCE,
            rows,
            condition=heard + after_ms <= now_ms,
            onset_ms=table["spoken_ms"][rows],
            at_ms=heard + after_ms,
            evidence=lambda n: self._evidence(table, int(rows[n]), int(heard[n]), int(after_ms[n])),
            by_reading=False,
        )
        return opened + self._escalate(table, rows, now_ms, heard)

    def listening_since(self, table: Table, since_ms: int) -> None:
        """Every band gets its whole allowance from the moment we could hear it again."""
        heard = table["heard_ms"]
        heard[heard != NEVER] = np.maximum(heard[heard != NEVER], since_ms)

    def retire(self, table: Table, gone: Rows, now_ms: int) -> list[Verdict]:
        """Clear what is open for bands no longer judged."""
        table["marks"][gone] = 0
        return end_all(table, AlertCode.DEVICE_SILENCE, gone, now_ms)

    def _allowed_ms(self, table: Table, rows: Rows) -> Times:
        """How long each may be silent: by its plan, or longer by its place and its own usual gaps."""
        own_s = np.minimum(_BEYOND * np.exp(table["usual_log_s"][rows]), LONGEST_S)
        explained_s = np.maximum(own_s, table["place_s"][rows])
        allowed_ms: Times = np.maximum(self.silence_after_ms[rows], np.round(explained_s * 1000.0).astype(np.int64))
        return allowed_ms

    def _evidence(self, table: Table, row: int, heard_ms: int, after_ms: int) -> dict[str, object]:
        plan_ms, lat, lon = int(self.silence_after_ms[row]), float(table["lat"][row]), float(table["lon"][row])
        told: dict[str, object] = {
            "last_heard_ms": heard_ms,
            "silence_after_s": after_ms // 1000,
            "plan_s": plan_ms // 1000,
            "last_place": None if np.isnan(lat) else [round(lat, 5), round(lon, 5)],
        }
        # Only what decided: the rest was learned from bands and days that nobody would read again to check it.
        if after_ms == plan_ms:
            return told | {"decided_by": "plan"}
        place_s = int(table["place_s"][row])
        if after_ms == place_s * 1000:
            back = {"usually_back_after_s": place_s, "usually_back_ms": heard_ms + place_s * 1000}
            return told | {"decided_by": "place"} | back
        return told | {"decided_by": "band", "usual_gap_s": round(float(np.exp(table["usual_log_s"][row])))}

    def _escalate(self, table: Table, rows: Rows, now_ms: Times, heard: Times) -> list[Verdict]:
        """One update at each of the law's marks that open silences have passed."""
        verdicts: list[Verdict] = []
        for number, mark_ms in enumerate(_MARKS_MS):
            due_ms = heard + mark_ms
            onset = table[ONSET][rows]
            passed = np.flatnonzero((onset != NEVER) & (table["marks"][rows] == number) & (due_ms <= now_ms))
            table["marks"][rows[passed]] = number + 1
            verdicts += [
                Verdict(
                    row=int(rows[n]),
                    code=AlertCode.DEVICE_SILENCE,
                    transition=Transition.UPDATED,
                    onset_ms=int(onset[n]),
                    at_ms=int(due_ms[n]),
                    step=-1,
                    evidence={"last_heard_ms": int(heard[n]), "silent_s": mark_ms // 1000, "law": _LAW},
                    priority=Priority.HIGH,
                )
                for n in passed
            ]
        return verdicts

    def _end(
        self, table: Table, rows: Rows, step: Readings, gap_ms: Times, recorded: NDArray[np.bool_]
    ) -> list[Verdict]:
        standing = np.flatnonzero(table[ONSET][rows] != NEVER)
        if not len(standing):
            return []
        rows, gap_ms, recorded, step = rows[standing], gap_ms[standing], recorded[standing], step.take(standing)

        def evidence(n: int) -> dict[str, object]:
            return {"gap_s": round(float(gap_ms[n]) / 1000.0, 1), "recorded_meanwhile": bool(recorded[n])}

        table["marks"][rows] = 0
        return [
            verdict._replace(step=int(standing[verdict.step]))
            for condition, transition in ((recorded, Transition.RETRACTED), (~recorded, Transition.CLEARED))
            for verdict in end_where(
                table,
                AlertCode.DEVICE_SILENCE,
                rows,
                condition=condition,
                at_ms=step.event_ms,
                evidence=evidence,
                transition=transition,
            )
        ]

    def _learn(self, table: Table, rows: Rows, silent_ms: Times, recorded: NDArray[np.bool_]) -> None:
        """What a gap that is over says of the band, and of the place if the band recorded meanwhile."""
        told = np.flatnonzero(silent_ms > 0)
        usual_log_s, gap_s = table["usual_log_s"][rows[told]], silent_ms[told].astype(np.float32) / np.float32(1000.0)
        beyond = np.log(gap_s) - usual_log_s
        moved = np.where(beyond > 0.0, np.minimum(beyond, _STEP), -_STEP * _TAIL / (1.0 - _TAIL))
        table["usual_log_s"][rows[told]] = usual_log_s + moved
        # Shorter gaps than half of what is allowed anyway need no explanation.
        honest = np.flatnonzero(recorded & (2 * silent_ms >= self.silence_after_ms[rows]))
        if len(honest):
            at = rows[honest]
            gaps_s = np.minimum(silent_ms[honest] / 1000.0, LONGEST_KNOWN_S).astype(np.float32)
            learn(table, cell_of(table["lat"][at].astype(np.float64), table["lon"][at].astype(np.float64)), gaps_s)

    def _note_place(self, table: Table, rows: Rows, step: Readings, newest: NDArray[np.bool_]) -> None:
        """Where the newest word came from, and how soon bands are usually back from there."""
        placed = np.flatnonzero(newest & step.has_fix)
        at = rows[placed]
        table["lat"][at], table["lon"][at] = step.lat[placed], step.lon[placed]
        slots = slot_of(cell_of(step.lat[placed], step.lon[placed]))
        see(table, slots)
        table["place_s"][at] = usual_s(table, slots).astype(np.uint16)
