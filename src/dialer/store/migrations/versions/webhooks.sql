-- Who receives an account's events. Those `of_campaigns` are there for the webhook_url of campaigns:
-- one for each address, however many campaigns name it. Without kinds, all. `failures` counts those
-- since the last success; until `open_until` nothing is sent, since the receiver takes nothing.
CREATE TABLE webhook_endpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    url text NOT NULL,
    of_campaigns boolean NOT NULL DEFAULT false,
    description text NOT NULL DEFAULT '',
    kinds text[] NOT NULL DEFAULT '{}',
    disabled_at timestamptz,
    disabled_reason text NOT NULL DEFAULT '',
    failures integer NOT NULL DEFAULT 0,
    open_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- It goes once its deliveries are gone, which are deleted in batches.
    deleted_at timestamptz,
    CHECK ((disabled_at IS NULL) = (disabled_reason = '')),
    CHECK (deleted_at IS NULL OR disabled_at IS NOT NULL)
);
CREATE INDEX webhook_endpoints_listed ON webhook_endpoints (account_id, id);
CREATE UNIQUE INDEX webhook_endpoints_of_campaigns ON webhook_endpoints (account_id, url)
    WHERE of_campaigns;

-- What signs: of an endpoint, or without one of the account, for the webhook_url of its campaigns.
-- One has no end; those that were replaced sign beside it until theirs. `secret` is sealed with the
-- configured key, or stands as it is.
CREATE TABLE webhook_secrets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    endpoint_id bigint REFERENCES webhook_endpoints ON DELETE CASCADE,
    secret text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at timestamptz
);
CREATE INDEX webhook_secrets_of_endpoint ON webhook_secrets (endpoint_id)
    WHERE endpoint_id IS NOT NULL;
CREATE UNIQUE INDEX webhook_secrets_present ON webhook_secrets (account_id, coalesce(endpoint_id, 0))
    WHERE ends_at IS NULL;

-- One event for one receiver. It holds no payload: what is sent is read from the event and its call
-- when it is sent, so that what was erased of a person is never sent later.
-- `chain` names what has an order: a call, or a campaign's own events. Of those of a chain that are
-- pending only the first has `next_at`, when it is due. While a node sends it, which `claim` tells
-- apart, `next_at` is when another node may take it: the node has died by then.
-- `expires_at` is when it is given up, counted from when it came to be the first of its chain.
CREATE TABLE webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    endpoint_id bigint NOT NULL REFERENCES webhook_endpoints ON DELETE CASCADE,
    event_xid xid8,
    event_id bigint,
    campaign_id bigint,
    call_id bigint,
    attempt_id uuid,
    kind text NOT NULL,
    chain text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz,
    expires_at timestamptz,
    claim uuid,
    answer_status integer,
    answer text NOT NULL DEFAULT '',
    problem text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_attempt_at timestamptz,
    ended_at timestamptz,
    CHECK ((status = 'pending') = (ended_at IS NULL)),
    CHECK (status = 'pending' OR next_at IS NULL),
    CHECK ((event_xid IS NULL) = (event_id IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
-- In which order they are taken, receiver by receiver.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_at, id)
    WHERE status = 'pending' AND next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_expiring ON webhook_deliveries (expires_at)
    WHERE status = 'pending' AND next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries (endpoint_id, chain, id)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_listed ON webhook_deliveries (endpoint_id, id);
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (endpoint_id, id)
    WHERE status = 'dead';
CREATE INDEX webhook_deliveries_of_call ON webhook_deliveries (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX webhook_deliveries_of_campaign ON webhook_deliveries (campaign_id)
    WHERE call_id IS NULL AND campaign_id IS NOT NULL;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE status <> 'pending';

-- How far the outbox was read for webhooks; locked by the node that reads on.
CREATE TABLE webhook_position (xid xid8 NOT NULL, id bigint NOT NULL);
INSERT INTO webhook_position VALUES (pg_current_xact_id(), 0);

-- Whatever sets a campaign's webhook_url, its receiver is there before the next event, and what is
-- pending of the campaign comes to it, so that the order holds. Very much of that would take too
-- long: it stays where it is, and is sent to the campaign's address all the same.
CREATE FUNCTION follow_webhook_url() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    receiver bigint;
    former bigint;
BEGIN
    IF NEW.webhook_url IS NOT NULL THEN
        INSERT INTO webhook_endpoints (account_id, url, of_campaigns)
        VALUES (NEW.account_id, NEW.webhook_url, true)
        ON CONFLICT (account_id, url) WHERE of_campaigns
            DO UPDATE SET disabled_at = NULL, disabled_reason = '', deleted_at = NULL
        RETURNING id INTO receiver;
    END IF;
    IF TG_OP = 'INSERT' OR OLD.webhook_url IS NULL THEN
        RETURN NULL;
    END IF;
    -- nothing may be added behind what is taken from its receiver below
    PERFORM FROM webhook_position FOR SHARE;
    SELECT id INTO former FROM webhook_endpoints
    WHERE account_id = OLD.account_id AND url = OLD.webhook_url AND of_campaigns;
    IF (SELECT count(*) FROM (
        SELECT FROM webhook_deliveries
        WHERE endpoint_id = former AND campaign_id = OLD.id AND status = 'pending' LIMIT 20001
    ) AS pending) > 20000 THEN
        RETURN NULL;
    END IF;
    IF receiver IS NOT NULL THEN
        UPDATE webhook_deliveries SET endpoint_id = receiver
        WHERE endpoint_id = former AND campaign_id = OLD.id AND status = 'pending';
    ELSE
        UPDATE webhook_deliveries
        SET status = 'dead', next_at = NULL, ended_at = clock_timestamp(),
            problem = 'the campaign has no webhook_url any more'
        WHERE endpoint_id = former AND campaign_id = OLD.id AND status = 'pending';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER campaigns_webhook_url_set AFTER INSERT ON campaigns
    FOR EACH ROW WHEN (NEW.webhook_url IS NOT NULL) EXECUTE FUNCTION follow_webhook_url();
CREATE TRIGGER campaigns_webhook_url_changed AFTER UPDATE ON campaigns
    FOR EACH ROW WHEN (NEW.webhook_url IS DISTINCT FROM OLD.webhook_url)
    EXECUTE FUNCTION follow_webhook_url();
INSERT INTO webhook_endpoints (account_id, url, of_campaigns)
SELECT DISTINCT account_id, webhook_url, true FROM campaigns
WHERE webhook_url IS NOT NULL AND deleted_at IS NULL;
