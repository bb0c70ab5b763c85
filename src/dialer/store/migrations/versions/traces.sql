-- What passed of each leg, for a person who asks why: compressed, written once, deleted by age.
CREATE TABLE traces (
    attempt_id uuid NOT NULL,
    leg_ordinal integer NOT NULL,
    call_id bigint NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    messages bytea NOT NULL,
    packets bytea NOT NULL,
    PRIMARY KEY (attempt_id, leg_ordinal)
);
-- It is compressed already.
ALTER TABLE traces ALTER COLUMN messages SET STORAGE EXTERNAL;
ALTER TABLE traces ALTER COLUMN packets SET STORAGE EXTERNAL;
CREATE INDEX traces_of_call ON traces (call_id);
CREATE INDEX traces_by_age ON traces (kept_at);
