"""What left a band: readings as flat columns, message by message, in the order in which they reach the broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.plane import Floats

FIX: Final = (
    "lat", "lon", "accuracy_m", "altitude_m", "speed_mps", "heading_deg", "source", "satellites", "hdop", "age_s",
)  # fmt: skip
VITALS: Final = (
    "heart_rate_bpm", "hrv_rmssd_ms", "spo2_pct", "skin_temp_c", "steps", "activity", "peak_g", "quality",
)  # fmt: skip
DEVICE: Final = ("battery_pct", "charging", "strap_closed", "case_closed", "sos", "rssi_dbm")
COLUMNS: Final = (*FIX, *VITALS, *DEVICE)


@dataclass(frozen=True, slots=True)
class Reports:
    """One row a reading.

    ``row`` is the band's on the roster, ``at_s`` its true time of the run, ``time_ms`` its own clock's, ``sent_s`` when
    its message reaches the broker; readings with the same ``message`` travel together under one ``seq``. ``columns``
    are named as on the wire, NaN where absent.
    """

    row: NDArray[np.int64]
    at_s: Floats
    time_ms: NDArray[np.int64]
    sent_s: Floats
    message: NDArray[np.int64]
    seq: NDArray[np.int64]
    columns: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def none(cls) -> "Reports":
        """No reading."""
        whole, real = np.empty(0, np.int64), np.empty(0)
        return cls(whole, real, whole, real, whole, whole, dict.fromkeys(COLUMNS, real))

    def take(self, index: NDArray[Any]) -> "Reports":
        """The readings at some positions, or where a mask is true."""
        head = {name: getattr(self, name)[index] for name in _HEAD}
        return Reports(**head, columns={name: c[index] for name, c in self.columns.items()})

    def with_head(self, **head: NDArray[Any]) -> "Reports":
        """The same readings with some of the leading columns exchanged."""
        kept = {name: head.get(name, getattr(self, name)) for name in _HEAD}
        return Reports(**kept, columns=self.columns)

    @classmethod
    def concat(cls, parts: Sequence["Reports"]) -> "Reports":
        """One after the other."""
        filled = [part for part in parts if len(part)]
        if len(filled) < 2:
            return filled[0] if filled else cls.none()
        head = {name: np.concatenate([getattr(part, name) for part in filled]) for name in _HEAD}
        return cls(**head, columns={name: np.concatenate([part.columns[name] for part in filled]) for name in COLUMNS})


_HEAD: Final = ("row", "at_s", "time_ms", "sent_s", "message", "seq")
