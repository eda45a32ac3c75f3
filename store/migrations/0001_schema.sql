-- The whole schema, for TimescaleDB Community, TimescaleDB Apache and plain PostgreSQL alike.
-- Series tables are narrow; an optional number that was not sent is NaN (the binary COPY row has a fixed layout),
-- an optional yes/no is -1. Times are UTC.

-- ── Registry ────────────────────────────────────────────────────────────────────────────────────────────────
-- Two ranges a row: "validity" is when it holds in the world, "recorded" is when we believed it. A change closes
-- "recorded" and adds a row, so any past verdict can be re-derived and nothing can be back-dated unseen.

CREATE SEQUENCE registry_version;
CREATE SEQUENCE device_number AS integer;
CREATE SEQUENCE wearer_number AS integer;

CREATE TABLE org (
    id        text      NOT NULL,
    name      text      NOT NULL,
    name_en   text      NOT NULL DEFAULT '',
    parent    text,
    timezone  text      NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE TABLE wearer (
    id        text      NOT NULL,
    wearer_no integer   NOT NULL,
    org       text      NOT NULL,
    name      text      NOT NULL,
    grade     text      NOT NULL,
    minor     boolean   NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE TABLE device (
    id        text      NOT NULL,
    device_no integer   NOT NULL,
    org       text      NOT NULL,
    model     text      NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE TABLE assignment (
    device    text      NOT NULL,
    wearer    text      NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE TABLE supervision_order (
    id        text      NOT NULL,
    wearer    text      NOT NULL,
    ground    text      NOT NULL,
    document  text      NOT NULL,
    approver  text      NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL,
    CONSTRAINT at_most_three_months CHECK (upper(validity) <= lower(validity) + interval '3 months 1 day')
);
CREATE TABLE consent (
    wearer    text      NOT NULL,
    scope     text      NOT NULL,
    document  text      NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE TABLE schedule (
    id        text      NOT NULL,
    windows   jsonb     NOT NULL,
    timezone  text      NOT NULL,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE TABLE zone (
    id        text      NOT NULL,
    org       text      NOT NULL,
    name      text      NOT NULL,
    kind      text      NOT NULL,
    datum     text      NOT NULL,
    geometry  jsonb     NOT NULL,
    radius_m  double precision,
    wearers   jsonb,
    schedule  text,
    version   bigint    NOT NULL,
    validity  tstzrange NOT NULL,
    recorded  tstzrange NOT NULL
);
CREATE TABLE leave (
    id          text        NOT NULL,
    wearer      text        NOT NULL,
    document    text        NOT NULL,
    approver    text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    version     bigint      NOT NULL,
    validity    tstzrange   NOT NULL,
    recorded    tstzrange   NOT NULL
);
CREATE TABLE contact (
    id           text      NOT NULL,
    org          text      NOT NULL,
    name         text      NOT NULL,
    url          text      NOT NULL,
    language     text      NOT NULL,
    min_priority text      NOT NULL,
    version      bigint    NOT NULL,
    validity     tstzrange NOT NULL,
    recorded     tstzrange NOT NULL
);
CREATE TABLE grade_plan (
    grade           text             NOT NULL,
    interval_s      double precision NOT NULL,
    silence_after_s double precision NOT NULL,
    version         bigint           NOT NULL,
    validity        tstzrange        NOT NULL,
    recorded        tstzrange        NOT NULL
);

-- One current row an object.
CREATE UNIQUE INDEX org_current ON org (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX wearer_current ON wearer (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX wearer_by_number ON wearer (wearer_no) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX device_current ON device (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX device_by_number ON device (device_no) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX assignment_current ON assignment (device, wearer, lower(validity)) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX supervision_order_current ON supervision_order (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX consent_current ON consent (wearer, scope, lower(validity)) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX schedule_current ON schedule (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX zone_current ON zone (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX leave_current ON leave (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX contact_current ON contact (id) WHERE upper_inf(recorded);
CREATE UNIQUE INDEX grade_plan_current ON grade_plan (grade) WHERE upper_inf(recorded);

-- ── Series ──────────────────────────────────────────────────────────────────────────────────────────────────
-- The primary key is what makes a redelivered message harmless.

CREATE TABLE position (
    device_no   integer          NOT NULL,
    wearer_no   integer          NOT NULL,
    event_time  timestamptz      NOT NULL,
    ingest_time timestamptz      NOT NULL,
    seq         bigint           NOT NULL,
    lat         double precision NOT NULL,
    lon         double precision NOT NULL,
    accuracy_m  real             NOT NULL,
    altitude_m  real             NOT NULL,
    speed_mps   real             NOT NULL,
    heading_deg real             NOT NULL,
    source      smallint         NOT NULL,
    satellites  real             NOT NULL,
    hdop        real             NOT NULL,
    age_s       real             NOT NULL,
    PRIMARY KEY (device_no, event_time, seq)
);
CREATE TABLE vitals (
    device_no      integer     NOT NULL,
    wearer_no      integer     NOT NULL,
    event_time     timestamptz NOT NULL,
    ingest_time    timestamptz NOT NULL,
    seq            bigint      NOT NULL,
    heart_rate_bpm real        NOT NULL,
    hrv_rmssd_ms   real        NOT NULL,
    spo2_pct       real        NOT NULL,
    skin_temp_c    real        NOT NULL,
    steps          real        NOT NULL,
    activity       real        NOT NULL,
    peak_g         real        NOT NULL,
    quality        real        NOT NULL,
    PRIMARY KEY (device_no, event_time, seq)
);
CREATE TABLE device_status (
    device_no    integer     NOT NULL,
    wearer_no    integer     NOT NULL,
    event_time   timestamptz NOT NULL,
    ingest_time  timestamptz NOT NULL,
    seq          bigint      NOT NULL,
    battery_pct  real        NOT NULL,
    charging     smallint    NOT NULL,
    strap_closed smallint    NOT NULL,
    case_closed  smallint    NOT NULL,
    sos          smallint    NOT NULL,
    rssi_dbm     real        NOT NULL,
    PRIMARY KEY (device_no, event_time, seq)
);
CREATE TABLE device_firmware (
    device_no  integer     NOT NULL,
    firmware   text        NOT NULL,
    first_seen timestamptz NOT NULL,
    PRIMARY KEY (device_no, firmware)
);

-- One row a committed batch of a partition: the position from which the dataflow replays. Counters make
-- "received = stored + duplicate + dead" checkable for every batch.
CREATE TABLE journal (
    partition     text        NOT NULL,
    batch_no      bigint      NOT NULL,
    ingest_time   timestamptz NOT NULL,
    messages      integer     NOT NULL,
    stored        integer     NOT NULL,
    duplicates    integer     NOT NULL,
    dead_letters  integer     NOT NULL,
    no_consent    integer     NOT NULL,
    unknown_field integer     NOT NULL,
    batch         bytea       NOT NULL,
    PRIMARY KEY (partition, batch_no, ingest_time)
);
-- The next batch number of a partition; the row's lock also keeps two sessions of one partition apart.
CREATE TABLE journal_head (
    partition text   PRIMARY KEY,
    batch_no  bigint NOT NULL
);

CREATE TABLE dead_letter (
    dead_letter_no bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at    timestamptz NOT NULL,
    topic          text        NOT NULL,
    reason         text        NOT NULL,
    detail         text        NOT NULL,
    readings       jsonb       NOT NULL,
    payload        bytea       NOT NULL
);
CREATE INDEX dead_letter_by_reason ON dead_letter (reason, received_at);

-- ── Alerts ──────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE incident (
    incident_id     uuid        PRIMARY KEY,
    wearer_no       integer     NOT NULL,
    org             text        NOT NULL,
    cause           text        NOT NULL,
    priority        smallint    NOT NULL,
    state           text        NOT NULL CHECK (state IN ('open', 'acknowledged', 'closed')),
    historic        boolean     NOT NULL,
    opened_at       timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz,
    closed_by       text,
    closed_at       timestamptz,
    close_cause     text,
    close_note      text,
    CONSTRAINT closed_with_cause CHECK (state <> 'closed' OR close_cause IS NOT NULL)
);
CREATE UNIQUE INDEX incident_one_open ON incident (wearer_no, cause) WHERE state <> 'closed';
CREATE INDEX incident_queue ON incident (state, priority DESC, opened_at DESC);

CREATE TABLE alert (
    alert_id     uuid        PRIMARY KEY,
    incident_id  uuid        NOT NULL REFERENCES incident,
    code         text        NOT NULL,
    priority     smallint    NOT NULL,
    subject      text        NOT NULL,
    device_no    integer     NOT NULL,
    wearer_no    integer     NOT NULL,
    state        text        NOT NULL CHECK (state IN ('open', 'cleared', 'retracted')),
    onset_at     timestamptz NOT NULL,
    opened_at    timestamptz NOT NULL,
    cleared_at   timestamptz,
    seq          bigint,
    rule_version bigint      NOT NULL,
    historic     boolean     NOT NULL,
    evidence     jsonb       NOT NULL
);
CREATE INDEX alert_by_incident ON alert (incident_id, opened_at);
CREATE INDEX alert_by_wearer ON alert (wearer_no, opened_at DESC);

CREATE TABLE alert_event (
    alert_id     uuid        NOT NULL,
    transition   text        NOT NULL,
    at           timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    code         text        NOT NULL,
    device_no    integer     NOT NULL,
    wearer_no    integer     NOT NULL,
    seq          bigint,
    evidence     jsonb       NOT NULL,
    PRIMARY KEY (alert_id, transition, at)
);

-- ── On-call ─────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE page (
    page_no      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id  uuid        NOT NULL REFERENCES incident,
    contact      text        NOT NULL,
    state        text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'suppressed')),
    attempts     integer     NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    UNIQUE (incident_id, contact)
);
CREATE INDEX page_due ON page (due_at) WHERE state = 'pending';

CREATE TABLE delivery_attempt (
    page_no    bigint      NOT NULL REFERENCES page,
    attempt    integer     NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    outcome    text        NOT NULL,
    detail     text        NOT NULL DEFAULT '',
    PRIMARY KEY (page_no, attempt)
);

-- ── People who use the console ──────────────────────────────────────────────────────────────────────────────

CREATE TABLE operator (
    name          text        PRIMARY KEY,
    password_hash text        NOT NULL,
    org           text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Every look at a person and every act, attempts included.
CREATE TABLE audit (
    audit_no bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    operator text        NOT NULL,
    action   text        NOT NULL,
    subject  text        NOT NULL,
    allowed  boolean     NOT NULL,
    detail   text        NOT NULL DEFAULT ''
);
CREATE INDEX audit_by_subject ON audit (subject, at);

CREATE INDEX position_by_wearer ON position (wearer_no, event_time DESC);
CREATE INDEX vitals_by_wearer ON vitals (wearer_no, event_time DESC);
CREATE INDEX device_status_by_wearer ON device_status (wearer_no, event_time DESC);
CREATE INDEX journal_by_time ON journal (ingest_time);
