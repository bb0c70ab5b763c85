-- What an account may use in a period, and whom it may call. NULL is no limit. A period begins at
-- midnight in the account's zone, every month on its anchor day (the last one where a month has
-- no such day), every week on Monday, or every day.
ALTER TABLE accounts
    ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN minutes integer CHECK (minutes >= 0),
    ADD COLUMN unique_users integer CHECK (unique_users >= 0),
    ADD COLUMN increment_seconds integer NOT NULL DEFAULT 1 CHECK (increment_seconds > 0),
    ADD COLUMN period text NOT NULL DEFAULT 'month' CHECK (period IN ('day', 'week', 'month')),
    ADD COLUMN anchor_day integer NOT NULL DEFAULT 1 CHECK (anchor_day BETWEEN 1 AND 31),
    ADD COLUMN max_simultaneous_calls integer CHECK (max_simultaneous_calls > 0),
    ADD COLUMN allowed_prefixes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN attempts_per_day integer CHECK (attempts_per_day > 0),
    ADD COLUMN attempts_per_week integer CHECK (attempts_per_week > 0),
    ADD COLUMN closed_at timestamptz;
CREATE UNIQUE INDEX accounts_by_name ON accounts (name);

-- Of a token only its SHA-256 is kept: it has 256 random bits, so a slow hash adds nothing.
CREATE TABLE tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX tokens_of_account ON tokens (account_id, id);

-- What a period has cost, by the period's first day. An attempt belongs to the period in which it
-- was claimed.
CREATE TABLE usage (
    account_id bigint NOT NULL REFERENCES accounts,
    period date NOT NULL,
    billed_seconds bigint NOT NULL DEFAULT 0,
    unique_users integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, period)
);
-- The numbers that have their place among a period's unique users.
CREATE TABLE unique_users (
    account_id bigint NOT NULL,
    period date NOT NULL,
    number text NOT NULL,
    PRIMARY KEY (account_id, period, number)
);

-- How often a number was tried on a day of its own time zone, over all campaigns of an account.
CREATE TABLE contacts (
    account_id bigint NOT NULL,
    number text NOT NULL,
    day date NOT NULL,
    attempts integer NOT NULL,
    PRIMARY KEY (account_id, number, day)
);
CREATE INDEX contacts_by_age ON contacts (day);

-- Who may not be called: whole numbers, or all that begin with a prefix. No account: for all.
CREATE TABLE do_not_call (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint REFERENCES accounts,
    pattern text NOT NULL,
    is_prefix boolean NOT NULL DEFAULT false,
    reason text NOT NULL DEFAULT '',
    source text NOT NULL CHECK (source IN ('person', 'import', 'api', 'callee')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX do_not_call_once ON do_not_call (pattern, is_prefix, coalesce(account_id, 0));
CREATE INDEX do_not_call_listed ON do_not_call (account_id, id);

-- When calls may be made. Times without a zone are local ones, as `window_zone` says: those of the
-- person called, or the campaign's.
ALTER TABLE campaigns
    ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN window_zone text NOT NULL DEFAULT 'customer'
        CHECK (window_zone IN ('customer', 'campaign')),
    ADD COLUMN windows jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN holidays text[] NOT NULL DEFAULT '{}',
    ADD COLUMN dates_without_calls date[] NOT NULL DEFAULT '{}',
    ADD COLUMN calls_per_minute double precision CHECK (calls_per_minute > 0),
    ADD COLUMN retry_jitter_percent integer NOT NULL DEFAULT 10
        CHECK (retry_jitter_percent BETWEEN 0 AND 50),
    ADD COLUMN resumed_at timestamptz,
    ADD COLUMN cloned_from bigint;

-- One for each combination of time zone and own windows among a campaign's numbers: its calls wait
-- side by side in it, so that those whose window is closed are in nobody's way. '' and NULL stand
-- for the campaign's. From `opens_at` to `closes_at` is the present open time, or the next one;
-- where there is none, `problem` says why.
CREATE TABLE schedules (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL REFERENCES campaigns,
    time_zone text NOT NULL DEFAULT '',
    windows jsonb,
    opens_at timestamptz,
    closes_at timestamptz NOT NULL DEFAULT '-infinity',
    problem text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX schedules_once
    ON schedules (campaign_id, time_zone, md5(coalesce(windows::text, '')));

-- What became of each list that was added. `format` says how it was read; `problem` why it broke
-- off, where it did.
CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    campaign_id bigint NOT NULL REFERENCES campaigns,
    file_name text NOT NULL DEFAULT '',
    format text NOT NULL DEFAULT '',
    problem text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    added bigint NOT NULL DEFAULT 0,
    undialable bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0
);
CREATE INDEX imports_listed ON imports (campaign_id, id);
-- The rows of a list that were skipped.
CREATE TABLE import_rows (
    import_id bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
    line bigint NOT NULL,
    number text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX import_rows_in_order ON import_rows (import_id, line);

-- `next_number` is what the next attempt dials, or the present one: the number itself, or one of
-- the alternates. `reserves`: the attempt under way holds a place among the unique users of
-- `period`, and counts on `contact_day` among the attempts to its number.
ALTER TABLE calls
    ADD COLUMN schedule_id bigint,
    ADD COLUMN import_id bigint,
    ADD COLUMN alternates text[] NOT NULL DEFAULT '{}',
    ADD COLUMN next_number text NOT NULL DEFAULT '',
    ADD COLUMN period date,
    ADD COLUMN reserves boolean NOT NULL DEFAULT false,
    ADD COLUMN contact_day date,
    ADD COLUMN requeued integer NOT NULL DEFAULT 0,
    ADD COLUMN erased_at timestamptz;
UPDATE calls SET next_number = number;
-- To take out again what a list brought.
CREATE INDEX calls_of_import ON calls (import_id, id) WHERE import_id IS NOT NULL;
INSERT INTO schedules (campaign_id) SELECT id FROM campaigns;
UPDATE calls SET schedule_id = s.id FROM schedules AS s WHERE s.campaign_id = calls.campaign_id;
-- Promotion walks it from its mark, schedule by schedule.
DROP INDEX calls_waiting;
CREATE INDEX calls_waiting ON calls (schedule_id, due, (-priority), position)
    WHERE node IS NULL AND due IS NOT NULL;
DROP TABLE promotion_marks;
CREATE TABLE promotion_marks (
    schedule_id bigint PRIMARY KEY,
    due timestamptz NOT NULL,
    rank integer NOT NULL,
    position bigint NOT NULL
);
-- Nobody is rung twice at once, whosever campaigns they are in.
CREATE UNIQUE INDEX calls_one_live ON calls (next_number) WHERE node IS NOT NULL;
-- The few calls of an account that are held, to hold them against its limits.
CREATE INDEX calls_held_of_account ON calls (account_id) WHERE node IS NOT NULL;
-- Who is to be forgotten may stand as somebody's other number. Few calls have any.
CREATE INDEX calls_by_alternate ON calls USING gin (alternates) WHERE alternates <> '{}';
-- The events of a call, and those of a campaign itself: to be forgotten with them.
CREATE INDEX events_of_call ON events (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX events_of_campaign ON events (campaign_id) WHERE call_id IS NULL;

-- `detail` says in a sentence what the outcome leaves open; `billed_seconds` is the talk time by the
-- plan's increment.
ALTER TABLE attempts
    ADD COLUMN detail text NOT NULL DEFAULT '',
    ADD COLUMN billed_seconds integer NOT NULL DEFAULT 0;
-- A campaign's last attempts. The time of creation, because it never changes.
CREATE INDEX attempts_of_campaign ON attempts (campaign_id, created_at);

-- Soonest-closing windows first; a window that never closes is last.
ALTER TABLE ready ALTER COLUMN window_close SET DEFAULT 'infinity';
UPDATE ready SET window_close = 'infinity' WHERE window_close IS NULL;
ALTER TABLE ready ALTER COLUMN window_close SET NOT NULL;
