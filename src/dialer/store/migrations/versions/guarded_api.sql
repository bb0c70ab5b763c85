-- A request that its sender may repeat: what it was, how far work in steps has come, and, once it
-- is done, its answer. Of the key only a hash is kept; the answer is sealed with the key itself.
CREATE TABLE idempotency_keys (
    account_id bigint NOT NULL REFERENCES accounts,
    key_hash bytea NOT NULL,
    fingerprint bytea NOT NULL,
    progress jsonb,
    status integer,
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, key_hash),
    CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Who did what over the API, written with what was done.
CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    at timestamptz NOT NULL,
    token_id bigint,
    token_name text NOT NULL,
    role text NOT NULL,
    address text NOT NULL,
    request_id text NOT NULL,
    route text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    campaign_id bigint,
    object text,
    status integer NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_of_account ON audit_log (account_id, id);
CREATE INDEX audit_log_of_campaign ON audit_log (campaign_id, id) WHERE campaign_id IS NOT NULL;
CREATE INDEX audit_log_by_age ON audit_log (at);
