"""Which firmware a band runs, and since when: written when it changes, not with every reading."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.readings import DTYPES, Readings
from store.connection import Connection

_INSERT: Final = """
    INSERT INTO device_firmware (device_no, firmware, first_seen)
    SELECT device_no, firmware, timestamptz 'epoch' + event_ms * interval '1 millisecond'
    FROM unnest(%s::integer[], %s::text[], %s::bigint[]) AS news (device_no, firmware, event_ms)
    ORDER BY device_no, firmware
    ON CONFLICT DO NOTHING
"""


class FirmwareLog:
    """Writes a (device, firmware) pair when it is first seen; remembers the latest of every device.

    >>> log, batch = FirmwareLog(), Readings.of(device=[7, 7], event_ms=[9, 5], firmware=[b"1.4", b"1.4"])
    >>> log.news(batch)
    {(7, '1.4'): 5}
    >>> log.remember(batch); log.news(batch)
    {}
    """

    def __init__(self) -> None:
        self._latest: NDArray[np.bytes_] = np.zeros(0, DTYPES["firmware"])

    def news(self, readings: Readings) -> dict[tuple[int, str], int]:
        """The pairs not remembered, with the earliest event time of each in the batch, in ms."""
        self._make_room(readings)
        fresh = (readings.firmware != b"") & (readings.firmware != self._latest[readings.device])
        columns = (readings.device[fresh], readings.firmware[fresh], readings.event_ms[fresh])
        earliest_ms: dict[tuple[int, str], int] = {}
        for device, firmware, event_ms in zip(*(column.tolist() for column in columns), strict=True):
            pair = (device, firmware.decode())
            earliest_ms[pair] = min(event_ms, earliest_ms.get(pair, event_ms))
        return earliest_ms

    def write(self, connection: Connection, readings: Readings) -> None:
        """Insert what is news, as part of the caller's transaction."""
        news = self.news(readings)
        if news:
            devices, firmwares = zip(*news, strict=True)
            connection.execute(_INSERT, (list(devices), list(firmwares), list(news.values())))

    def remember(self, readings: Readings) -> None:
        """Take note of what was committed; earlier, a rollback would make us believe it written."""
        self._make_room(readings)
        said = readings.firmware != b""
        self._latest[readings.device[said]] = readings.firmware[said]

    def _make_room(self, readings: Readings) -> None:
        missing = int(readings.device.max(initial=-1)) + 1 - len(self._latest)
        if missing > 0:
            self._latest = np.concatenate([self._latest, np.zeros(missing + len(self._latest), self._latest.dtype)])
