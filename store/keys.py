"""Telling readings apart: a reading is known by its device, event time and message number."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.readings import Readings
from store.connection import Connection

_STORED: Final = """
    SELECT asked.place
    FROM unnest(%s::integer[], %s::bigint[], %s::bigint[])
         WITH ORDINALITY AS asked (device_no, event_ms, seq, place)
    CROSS JOIN LATERAL (SELECT timestamptz 'epoch' + asked.event_ms * interval '1 millisecond') AS at (event_time)
    WHERE EXISTS (SELECT FROM position AS row WHERE row.device_no = asked.device_no
                  AND row.event_time = at.event_time AND row.seq = asked.seq)
       OR EXISTS (SELECT FROM vitals AS row WHERE row.device_no = asked.device_no
                  AND row.event_time = at.event_time AND row.seq = asked.seq)
       OR EXISTS (SELECT FROM device_status AS row WHERE row.device_no = asked.device_no
                  AND row.event_time = at.event_time AND row.seq = asked.seq)
"""


def key_order(readings: Readings) -> NDArray[np.int64]:
    """The positions of the readings in the order of their keys; equal ones as they arrived.

    >>> key_order(Readings.of(device=[2, 1, 1], event_ms=[0, 9, 5], seq=[0, 0, 0])).tolist()
    [2, 1, 0]
    """
    return np.lexsort((readings.seq, readings.event_ms, readings.device))


def first_of_each(readings: Readings) -> NDArray[np.bool_]:
    """Which readings are not a repetition of an earlier one in the batch.

    >>> first_of_each(Readings.of(device=[1, 1, 1], event_ms=[5, 6, 5], seq=[3, 3, 3])).tolist()
    [True, True, False]
    """
    order = key_order(readings)
    repeated = np.zeros(len(readings), np.bool_)
    keys = (readings.device[order], readings.event_ms[order], readings.seq[order])
    repeated[order[1:]] = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    return ~repeated


def is_stored(connection: Connection, readings: Readings) -> NDArray[np.bool_]:
    """Which readings have a row in any series already."""
    keys = (readings.device.tolist(), readings.event_ms.tolist(), readings.seq.tolist())
    places = [place for (place,) in connection.execute(_STORED, keys)]
    stored = np.zeros(len(readings), np.bool_)
    stored[np.array(places, np.int64) - 1] = True
    return stored
