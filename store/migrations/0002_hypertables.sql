-- TimescaleDB, where the server has it: series become hypertables. What only its Community licence offers
-- (columnstore, retention policy, continuous aggregates) is switched on where the server has that licence; the Apache
-- edition and plain PostgreSQL answer the same questions from ordinary views of the same names and from our own
-- retention job.
--
-- An hour's aggregate counts a number that was not sent (NaN) as absent.
DO $$
DECLARE
    has_timescale boolean := EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb');
    is_community  boolean := false;
    bucket        text    := $b$ date_bin(interval '1 hour', event_time, timestamptz '2000-01-01 00:00:00+00') $b$;
    series        record;
    aggregate     record;
BEGIN
    IF has_timescale THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        is_community := coalesce(current_setting('timescaledb.license', true) = 'timescale', false);
        FOR series IN
            SELECT * FROM (VALUES
                ('position',      'event_time',  'device_no',  interval '1 day'),
                ('vitals',        'event_time',  'device_no',  interval '1 day'),
                ('device_status', 'event_time',  'device_no',  interval '1 day'),
                ('journal',       'ingest_time', 'partition',  interval '6 hours'),
                ('alert_event',   'at',          'device_no',  interval '30 days')
            ) AS s (name, time_column, segment, chunk)
        LOOP
            -- The indexes are those of 0001, so that every edition writes the same ones.
            EXECUTE format('SELECT create_hypertable(%L, by_range(%L, %L::interval), create_default_indexes => false)',
                           series.name, series.time_column, series.chunk);
            IF is_community THEN
                EXECUTE format('ALTER TABLE %I SET (timescaledb.enable_columnstore, timescaledb.segmentby = %L, '
                               'timescaledb.orderby = %L)', series.name, series.segment, series.time_column || ' DESC');
                EXECUTE format('CALL add_columnstore_policy(%L, after => interval ''7 days'')', series.name);
            END IF;
        END LOOP;
    END IF;

    IF is_community THEN
        PERFORM add_retention_policy('journal', interval '30 days');
        bucket := $b$ time_bucket(interval '1 hour', event_time) $b$;
    END IF;

    FOR aggregate IN
        SELECT * FROM (VALUES
            ('vitals_hourly', 'vitals',
             $q$ count(*) AS readings,
                 avg(nullif(heart_rate_bpm, 'NaN')) AS heart_rate_bpm,
                 min(nullif(heart_rate_bpm, 'NaN')) AS heart_rate_min_bpm,
                 max(nullif(heart_rate_bpm, 'NaN')) AS heart_rate_max_bpm,
                 avg(nullif(spo2_pct, 'NaN')) AS spo2_pct,
                 avg(nullif(skin_temp_c, 'NaN')) AS skin_temp_c,
                 sum(nullif(steps, 'NaN')) AS steps $q$),
            ('position_hourly', 'position',
             $q$ count(*) AS fixes,
                 avg(accuracy_m) AS accuracy_m $q$)
        ) AS a (name, source, columns)
    LOOP
        IF is_community THEN
            -- Bands upload up to ten days late: those hours are computed again.
            EXECUTE format('CREATE MATERIALIZED VIEW %I WITH (timescaledb.continuous, '
                           'timescaledb.materialized_only = false) AS '
                           'SELECT wearer_no, %s AS hour, %s FROM %I GROUP BY wearer_no, 2 WITH NO DATA',
                           aggregate.name, bucket, aggregate.columns, aggregate.source);
            EXECUTE format('SELECT add_continuous_aggregate_policy(%L, start_offset => interval ''11 days'', '
                           'end_offset => interval ''1 hour'', schedule_interval => interval ''1 hour'')',
                           aggregate.name);
        ELSE
            EXECUTE format('CREATE VIEW %I AS SELECT wearer_no, %s AS hour, %s FROM %I GROUP BY wearer_no, 2',
                           aggregate.name, bucket, aggregate.columns, aggregate.source);
        END IF;
    END LOOP;
END
$$;
