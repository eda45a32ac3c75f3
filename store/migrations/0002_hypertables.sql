-- TimescaleDB, where the server has it: series become hypertables; features of the Community licence are switched
-- on only where the server's licence offers them. Plain PostgreSQL runs this file and changes nothing.
DO $$
DECLARE
    series record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
        RETURN;
    END IF;
    CREATE EXTENSION IF NOT EXISTS timescaledb;

    FOR series IN
        SELECT * FROM (VALUES
            ('position',      'event_time',  'device_no',  interval '1 day'),
            ('vitals',        'event_time',  'device_no',  interval '1 day'),
            ('device_status', 'event_time',  'device_no',  interval '1 day'),
            ('journal',       'ingest_time', 'partition',  interval '6 hours'),
            ('alert_event',   'at',          'device_no',  interval '30 days')
        ) AS s (name, time_column, segment, chunk)
    LOOP
        EXECUTE format('SELECT create_hypertable(%L, by_range(%L, %L::interval))',
                       series.name, series.time_column, series.chunk);
        IF current_setting('timescaledb.license', true) = 'timescale' THEN
            EXECUTE format('ALTER TABLE %I SET (timescaledb.enable_columnstore, timescaledb.segmentby = %L, '
                           'timescaledb.orderby = %L)', series.name, series.segment, series.time_column || ' DESC');
            EXECUTE format('CALL add_columnstore_policy(%L, after => interval ''7 days'')', series.name);
        END IF;
    END LOOP;
END
$$;
