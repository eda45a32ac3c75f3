-- Corridors, approach rings and dwell of zones; dated exceptions and holidays of schedules; places and permits of leaves.
-- What was recorded before keeps its meaning: no exceptions, no places, no permit. Plain tables on every edition.

CREATE TABLE calendar (
    id        text      NOT NULL,
    dates     jsonb     NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE UNIQUE INDEX calendar_current ON calendar (id) WHERE upper_inf(recorded);

ALTER TABLE schedule
    ADD COLUMN exceptions      jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN calendar        text,
    ADD COLUMN holiday_windows jsonb NOT NULL DEFAULT '[]';

ALTER TABLE zone
    ADD COLUMN width_m    double precision,
    ADD COLUMN approach_m double precision,
    ADD COLUMN dwell_s    double precision;

ALTER TABLE leave
    ADD COLUMN places jsonb   NOT NULL DEFAULT '[]',
    ADD COLUMN permit boolean NOT NULL DEFAULT false;
