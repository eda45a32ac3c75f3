"""Readings as columns: one value in the dataflow is a batch of equal-length numpy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import DTypeLike, NDArray

from schemas.wire import MAX_FIRMWARE_BYTES, Source

FORMAT: Final = 1
"""Version of ``to_bytes``; raised when a column is added, so that an old journal stays readable."""

ABSENT: Final = -1
"""A yes/no the band did not send (int8 columns); absent numbers are NaN."""

SOURCE_CODE: Final[dict[Source, int]] = {source: code for code, source in enumerate(Source)}

DTYPES: Final[dict[str, DTypeLike]] = {
    "device": np.int32,
    "wearer": np.int32,
    "seq": np.int64,
    "event_ms": np.int64,
    "ingest_ms": np.int64,
    "lat": np.float64,
    "lon": np.float64,
    "accuracy_m": np.float32,
    "altitude_m": np.float32,
    "speed_mps": np.float32,
    "heading_deg": np.float32,
    "source": np.int8,
    "satellites": np.float32,
    "hdop": np.float32,
    "age_s": np.float32,
    "heart_rate_bpm": np.float32,
    "hrv_rmssd_ms": np.float32,
    "spo2_pct": np.float32,
    "skin_temp_c": np.float32,
    "steps": np.float32,
    "activity": np.float32,
    "peak_g": np.float32,
    "quality": np.float32,
    "battery_pct": np.float32,
    "charging": np.int8,
    "strap_closed": np.int8,
    "case_closed": np.int8,
    "sos": np.int8,
    "rssi_dbm": np.float32,
    "firmware": f"S{MAX_FIRMWARE_BYTES}",
}
FIX_COLUMNS: Final = (
    "lat", "lon", "accuracy_m", "altitude_m", "speed_mps", "heading_deg", "source", "satellites", "hdop", "age_s",
)  # fmt: skip
VITALS_COLUMNS: Final = (
    "heart_rate_bpm", "hrv_rmssd_ms", "spo2_pct", "skin_temp_c", "steps", "activity", "peak_g", "quality",
)  # fmt: skip
DEVICE_COLUMNS: Final = ("battery_pct", "charging", "strap_closed", "case_closed", "sos", "rssi_dbm", "firmware")


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """A batch of readings, column by column; all arrays have the same length.

    ``device`` and ``wearer`` are the registry's numbers. ``event_ms`` is UTC on the body,
    ``ingest_ms`` UTC when the message reached us. A reading without a fix has NaN in ``lat``.

    >>> batch = Readings.of(device=[1, 1], seq=[4, 5], event_ms=[1000, 2000], heart_rate_bpm=[61, 64])
    >>> len(batch), bool(batch.has_fix.any()), batch.take(np.array([1])).heart_rate_bpm.tolist()
    (2, False, [64.0])
    """

    device: NDArray[np.int32]
    wearer: NDArray[np.int32]
    seq: NDArray[np.int64]
    event_ms: NDArray[np.int64]
    ingest_ms: NDArray[np.int64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    accuracy_m: NDArray[np.float32]
    altitude_m: NDArray[np.float32]
    speed_mps: NDArray[np.float32]
    heading_deg: NDArray[np.float32]
    source: NDArray[np.int8]
    satellites: NDArray[np.float32]
    hdop: NDArray[np.float32]
    age_s: NDArray[np.float32]
    heart_rate_bpm: NDArray[np.float32]
    hrv_rmssd_ms: NDArray[np.float32]
    spo2_pct: NDArray[np.float32]
    skin_temp_c: NDArray[np.float32]
    steps: NDArray[np.float32]
    activity: NDArray[np.float32]
    peak_g: NDArray[np.float32]
    quality: NDArray[np.float32]
    battery_pct: NDArray[np.float32]
    charging: NDArray[np.int8]
    strap_closed: NDArray[np.int8]
    case_closed: NDArray[np.int8]
    sos: NDArray[np.int8]
    rssi_dbm: NDArray[np.float32]
    firmware: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.device)

    @property
    def has_fix(self) -> NDArray[np.bool_]:
        """Which readings carry a position."""
        return np.asarray(~np.isnan(self.lat))

    @property
    def fix_ms(self) -> NDArray[np.int64]:
        """When each position was fixed: its age before the reading; without a position, the reading's own time."""
        return self.event_ms - (np.nan_to_num(self.age_s) * 1000.0).astype(np.int64)

    @property
    def has_vitals(self) -> NDArray[np.bool_]:
        """Which readings carry any physiology or motion."""
        present = np.zeros(len(self), np.bool_)
        for name in VITALS_COLUMNS:
            present |= ~np.isnan(getattr(self, name))
        return present

    @property
    def has_device(self) -> NDArray[np.bool_]:
        """Which readings carry the band's own status."""
        present: NDArray[np.bool_] = ~np.isnan(self.battery_pct) | ~np.isnan(self.rssi_dbm) | (self.firmware != b"")
        for name in ("charging", "strap_closed", "case_closed", "sos"):
            present |= getattr(self, name) != ABSENT
        return present

    @classmethod
    def of(cls, **columns: Sequence[Any] | NDArray[Any]) -> Self:
        """Build a batch from the columns given; the others are absent (ids and times: 0).

        Raises ``TypeError`` for a name that is no column, ``ValueError`` for unequal lengths.
        """
        unknown = columns.keys() - DTYPES.keys()
        if unknown:
            raise TypeError(f"no such column: {', '.join(sorted(unknown))}")
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns differ in length: {sorted(lengths)}")
        n = lengths.pop() if lengths else 0
        return cls(**{name: _column(name, columns.get(name), n) for name in DTYPES})

    @classmethod
    def empty(cls) -> Self:
        """A batch of no readings."""
        return cls.of()

    def take(self, index: NDArray[Any] | slice) -> Self:
        """The readings at the given positions, in a slice, or where a mask is true."""
        return type(self)(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def replace(self, **columns: NDArray[Any]) -> Self:
        """The same batch with some columns exchanged."""
        return type(self)(**{f.name: columns.get(f.name, getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence["Readings"]) -> "Readings":
        """Batches one after the other."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in DTYPES})

    def to_bytes(self) -> bytes:
        """The journal's form: one msgpack map of raw little-endian columns and the format number."""
        columns = {name: getattr(self, name).tobytes() for name in DTYPES}
        return msgspec.msgpack.encode({"format": FORMAT, "columns": columns})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote; raises ``ValueError`` for a format this version does not know.

        >>> batch = Readings.of(device=[3], seq=[1], event_ms=[5])
        >>> Readings.from_bytes(batch.to_bytes()).device.tolist()
        [3]
        """
        stored = msgspec.msgpack.decode(data)
        if stored["format"] != FORMAT:
            raise ValueError(f"journal format {stored['format']} is not {FORMAT}; run the matching version")
        return cls(**{name: np.frombuffer(stored["columns"][name], dtype) for name, dtype in DTYPES.items()})


def absent_value(name: str) -> float | int | bytes:
    """What stands in a column where nothing was sent: NaN, -1 or an empty text; 0 for ids and times."""
    dtype = np.dtype(DTYPES[name])
    if dtype.kind == "f":
        return float("nan")
    if dtype == np.int8:
        return ABSENT
    return b"" if dtype.kind == "S" else 0


def _column(name: str, values: Sequence[Any] | NDArray[Any] | None, n: int) -> NDArray[Any]:
    if values is None:
        return np.full(n, absent_value(name), DTYPES[name])
    return np.asarray(values, DTYPES[name])
