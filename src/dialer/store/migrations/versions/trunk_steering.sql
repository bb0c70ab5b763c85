ALTER TABLE campaigns ADD COLUMN trunk_order text NOT NULL DEFAULT 'listed'
    CHECK (trunk_order IN ('listed', 'weighted'));

-- A trunk that a person holds gets no new calls: claims lock its row and look.
ALTER TABLE trunks
    ADD COLUMN held_at timestamptz,
    ADD COLUMN held_reason text NOT NULL DEFAULT '',
    ADD COLUMN held_by text NOT NULL DEFAULT '',
    ADD CONSTRAINT trunks_held_for_a_reason CHECK ((held_at IS NULL) = (held_reason = ''));

-- How each leg ended; an attempt has the outcome of its last one.
ALTER TABLE legs
    ADD COLUMN outcome text,
    ADD COLUMN rule text;
-- What a trunk has carried lately. The time of creation, because it never changes: an update of a
-- leg then touches no index.
CREATE INDEX legs_of_trunk ON legs (trunk, created_at);
