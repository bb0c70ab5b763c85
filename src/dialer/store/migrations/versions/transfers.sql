-- Calls that a transfer places beside the one that was answered: legs of the same attempt, in a
-- table of their own, since none of them decides the attempt or stands in its reports. One without
-- an end takes a place of its trunk; any node can hang it up.
CREATE TABLE transfer_legs (
    attempt_id uuid NOT NULL REFERENCES attempts ON DELETE CASCADE,
    ordinal integer NOT NULL,
    trunk text NOT NULL,
    number text NOT NULL,
    caller_id text NOT NULL,
    -- What a CANCEL needs, and from the answer on what a BYE needs.
    identity jsonb NOT NULL,
    dialog jsonb,
    -- All that the network said, once it is over.
    evidence jsonb NOT NULL DEFAULT '{}',
    outcome text,
    rule text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    answered_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (attempt_id, ordinal)
);
CREATE INDEX transfer_legs_open ON transfer_legs (trunk) WHERE ended_at IS NULL;
