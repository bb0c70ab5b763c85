-- After `not_after` a call gets no further attempt; `cancelled_at` says that a program wanted it so.
ALTER TABLE calls
    ADD COLUMN not_after timestamptz,
    ADD COLUMN cancelled_at timestamptz;
-- Those that wait and may wait too long.
CREATE INDEX calls_with_deadline ON calls (not_after)
    WHERE not_after IS NOT NULL AND due IS NOT NULL AND node IS NULL;

-- The hash of the token that stands for a campaign in the paths of the Calls API.
ALTER TABLE campaigns ADD COLUMN calls_token_hash bytea;
CREATE UNIQUE INDEX campaigns_by_calls_token ON campaigns (calls_token_hash)
    WHERE calls_token_hash IS NOT NULL;
