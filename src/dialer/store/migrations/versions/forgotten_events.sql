-- The last event that was forgotten. Who has seen less cannot be told all that came after.
CREATE TABLE forgotten_events (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    xid xid8 NOT NULL,
    id bigint NOT NULL
);
-- What was forgotten before is not known, so whatever is there counts.
INSERT INTO forgotten_events (xid, id)
SELECT coalesce((SELECT xid FROM events ORDER BY xid DESC LIMIT 1), '0'), 0;

CREATE FUNCTION mark_forgotten_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE forgotten_events AS f SET xid = g.xid, id = g.id
    FROM (SELECT xid, id FROM gone ORDER BY xid DESC, id DESC LIMIT 1) AS g
    WHERE (f.xid, f.id) < (g.xid, g.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER events_forgotten AFTER DELETE ON events
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION mark_forgotten_events();
