-- Commands to bands: an outbox that says what was asked of whom and why, when it left, and what the band answered.
-- A row with neither published_at nor dropped waits for its sender, the set of workers that decided it.
CREATE TABLE command (
    id           uuid        PRIMARY KEY,
    device_no    integer     NOT NULL,
    type         text        NOT NULL,
    parameters   jsonb       NOT NULL,
    asked_at     timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    reason       text        NOT NULL,
    sender       text        NOT NULL,
    published_at timestamptz,
    dropped      text,
    acked_at     timestamptz,
    ok           boolean,
    detail       text
);
CREATE INDEX command_waiting ON command (sender, asked_at) WHERE published_at IS NULL AND dropped IS NULL;
CREATE INDEX command_by_device ON command (device_no, asked_at DESC);

-- Answers that are nobody's: counted by reason, not kept.
CREATE TABLE ack_drop (
    reason  text        PRIMARY KEY,
    number  bigint      NOT NULL,
    last_at timestamptz NOT NULL
);
