-- What is known of each recording; its sound is kept in a place outside of the database. No foreign
-- keys: a row outlives its call until what is kept in the place is gone.
CREATE TABLE recordings (
    id uuid PRIMARY KEY,
    -- For pages, newest first.
    ordinal bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    account_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    call_id bigint NOT NULL,
    attempt_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    seconds double precision NOT NULL CHECK (seconds >= 0),
    format text NOT NULL CHECK (format IN ('wav', 'opus')),
    -- Of the sound in clear, whatever it takes in the place.
    octets bigint NOT NULL CHECK (octets >= 0),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    place_key text NOT NULL,
    sealed boolean NOT NULL,
    consent text NOT NULL CHECK (consent IN ('given', 'announced', 'key', 'column')),
    consent_detail text NOT NULL,
    node text NOT NULL,
    -- Null: as long as its call is kept.
    expires_at timestamptz,
    -- False where pieces of it were lost.
    whole boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- It is to be gone, and why: nobody may listen from then on. Rows of the first two stay as
    -- evidence of the deletion, those of the others go with what is kept in the place.
    doomed_at timestamptz,
    doomed_because text CHECK (doomed_because IN ('expired', 'deleted', 'erased', 'forgotten')),
    -- When its deletion from the place is tried next; null before it is doomed, and once it is gone.
    delete_at timestamptz,
    delete_tries integer NOT NULL DEFAULT 0,
    deleted_at timestamptz,
    CHECK ((doomed_at IS NULL) = (doomed_because IS NULL)),
    CHECK (doomed_at IS NOT NULL OR delete_at IS NULL AND deleted_at IS NULL),
    CHECK (doomed_at IS NULL OR delete_at IS NOT NULL OR deleted_at IS NOT NULL)
);
CREATE UNIQUE INDEX recordings_listed ON recordings (account_id, ordinal);
CREATE INDEX recordings_of_campaign ON recordings (campaign_id, ordinal);
CREATE INDEX recordings_of_call ON recordings (call_id);
CREATE INDEX recordings_kept ON recordings (expires_at) WHERE doomed_at IS NULL;
CREATE INDEX recordings_doomed ON recordings (delete_at) WHERE delete_at IS NOT NULL;
