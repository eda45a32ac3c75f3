-- Messages that their format knows and that carry no reading, by name: {"owntracks.lwt": 2}.
-- The default is a bare constant: where the columnstore is on, no expression is taken.
ALTER TABLE journal ADD COLUMN ignored jsonb NOT NULL DEFAULT '{}';

-- What MQTT 5 said the payload is: needed to read it again as it was read.
ALTER TABLE dead_letter ADD COLUMN content_type text NOT NULL DEFAULT '';

-- A person asks that a letter be judged again; the stream answers with what became of it.
CREATE TABLE dead_letter_replay (
    replay_no      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_no bigint      NOT NULL REFERENCES dead_letter ON DELETE CASCADE,
    asked_at       timestamptz NOT NULL,
    asked_by       text        NOT NULL,
    done_at        timestamptz,
    outcome        text        NOT NULL DEFAULT '',
    detail         text        NOT NULL DEFAULT '',
    stored         integer     NOT NULL DEFAULT 0,
    duplicates     integer     NOT NULL DEFAULT 0
);
CREATE INDEX dead_letter_replay_waiting ON dead_letter_replay (replay_no) WHERE done_at IS NULL;
CREATE INDEX dead_letter_replay_of ON dead_letter_replay (dead_letter_no);
