import math

import numpy as np
import psycopg
import pytest
from psycopg.errors import UniqueViolation

from schemas.readings import DTYPES, Readings
from store.copy import SERIES, copy_series
from tests.store.build import EVENT_MS, ask, full_readings


def stored_columns(url: str, table: str) -> set[str]:
    rows = ask(url, "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,))
    return {name for (name,) in rows}


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.table)
def test_a_series_names_every_column_of_its_table(embedded_database: str, series: object) -> None:
    assert series.columns.keys() == stored_columns(embedded_database, series.table)  # type: ignore[attr-defined]


def test_every_column_of_a_reading_has_a_series_but_firmware() -> None:
    named = {name for series in SERIES for name in series.columns.values()}
    assert named == DTYPES.keys() - {"firmware"}


def test_copied_values_are_read_back_as_they_were(database_url: str) -> None:
    fix = Readings.of(
        device=[7], wearer=[9], seq=[2**40], event_ms=[EVENT_MS + 7], ingest_ms=[EVENT_MS + 500],
        lat=[-26.582341234567], lon=[101.71456], accuracy_m=[8.5], source=[2], altitude_m=[-12.25],
    )  # fmt: skip
    with psycopg.connect(database_url) as connection:
        assert [copy_series(connection, series, fix) for series in SERIES] == [1, 0, 0]
    query = """
        SELECT device_no, wearer_no, (extract(epoch FROM event_time) * 1000)::bigint,
               (extract(epoch FROM ingest_time) * 1000)::bigint, seq,
               lat, lon, accuracy_m, altitude_m, speed_mps, source
        FROM position
    """
    *values, speed_mps, source = ask(database_url, query)[0]
    assert values == [7, 9, EVENT_MS + 7, EVENT_MS + 500, 2**40, -26.582341234567, 101.71456, 8.5, -12.25]
    assert math.isnan(speed_mps)
    assert source == 2


def test_a_reading_goes_to_the_series_of_the_parts_it_has(database_url: str) -> None:
    n = 4
    parts = Readings.of(
        device=np.arange(n),
        seq=np.zeros(n),
        event_ms=np.full(n, EVENT_MS),
        lat=[26.5, np.nan, np.nan, 26.5],
        lon=[101.7, np.nan, np.nan, 101.7],
        accuracy_m=[8, np.nan, np.nan, 8],
        steps=[np.nan, 3, np.nan, np.nan],
        sos=[-1, -1, 1, 0],
    )
    with psycopg.connect(database_url) as connection:
        for series in SERIES:
            copy_series(connection, series, parts)
    stored = {
        series.table: [no for (no,) in ask(database_url, f"SELECT device_no FROM {series.table} ORDER BY 1")]  # noqa: S608
        for series in SERIES
    }
    assert stored == {"position": [0, 3], "vitals": [1], "device_status": [2, 3]}


def test_a_key_stored_before_is_a_unique_violation(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        copy_series(connection, SERIES[0], full_readings(3))
        connection.commit()
        with pytest.raises(UniqueViolation):
            copy_series(connection, SERIES[0], full_readings(1, seq=2, event_ms=EVENT_MS + 2000))
