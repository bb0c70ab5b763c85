"""What must hold in every database at every moment, beyond what its constraints say."""

from __future__ import annotations

BROKEN = {
    "a call under way without an open attempt of its own": """
        SELECT k.id FROM calls k LEFT JOIN attempts a ON a.id = k.attempt_id
        WHERE k.status = 'in_progress'
            AND (a.id IS NULL OR a.call_id <> k.id OR a.ended_at IS NOT NULL)""",
    "an open attempt of a call that is not under way, or not its latest": """
        SELECT k.id FROM attempts a JOIN calls k ON k.id = a.call_id
        WHERE a.ended_at IS NULL AND (k.status <> 'in_progress' OR k.attempt_id <> a.id)""",
    "an open attempt held by another node than its call": """
        SELECT k.id FROM attempts a JOIN calls k ON k.attempt_id = a.id
        WHERE a.ended_at IS NULL AND (a.node, a.epoch) IS DISTINCT FROM (k.node, k.epoch)""",
    "attempts that do not add up": """
        SELECT k.id FROM calls k
        LEFT JOIN (SELECT call_id, count(*) AS made, count(*) FILTER (WHERE counted) AS counted,
                max(ordinal) AS latest FROM attempts GROUP BY call_id) a ON a.call_id = k.id
        WHERE k.attempts <> coalesce(a.made, 0) OR k.attempts <> coalesce(a.latest, 0)
            OR k.attempts_counted > coalesce(a.counted, 0)
            OR k.requeued = 0 AND k.attempts_counted < coalesce(a.counted, 0)""",
    "a call requeued without its event": """
        SELECT k.id FROM calls k
        WHERE k.requeued <> (SELECT count(*) FROM events e
            WHERE e.call_id = k.id AND e.data->>'action' = 'requeue')""",
    "an attempt under way without a leg": """
        SELECT a.id FROM attempts a
        WHERE a.ended_at IS NULL AND NOT EXISTS (SELECT FROM legs WHERE attempt_id = a.id)""",
    "two legs with one SIP Call-ID": """
        SELECT sip_call_id FROM legs GROUP BY sip_call_id HAVING count(*) > 1""",
    "a waiting call in a finished campaign that is not ending": """
        SELECT k.id FROM calls k JOIN campaigns c ON c.id = k.campaign_id
        WHERE c.status = 'finished' AND NOT c.ending AND k.due IS NOT NULL""",
    "a recording that can be heard, of a call that is erased or not there": """
        SELECT r.id FROM recordings r LEFT JOIN calls k ON k.id = r.call_id
        WHERE r.doomed_at IS NULL AND (k.id IS NULL OR k.erased_at IS NOT NULL)""",
    "a recording of another account or campaign than its call": """
        SELECT r.id FROM recordings r JOIN calls k ON k.id = r.call_id
        WHERE (r.account_id, r.campaign_id) <> (k.account_id, k.campaign_id)""",
    "a call of another account than its campaign": """
        SELECT k.id FROM calls k JOIN campaigns c ON c.id = k.campaign_id
        WHERE k.account_id <> c.account_id""",
    "a status without its event, or an event chain that is broken": """
        SELECT call_id FROM (
            SELECT call_id, data->>'from' AS was, kind, data->>'to' AS becomes,
                lag(data->>'to', 1, 'planned')
                    OVER (PARTITION BY call_id ORDER BY xid, id) AS before
            FROM events WHERE call_id IS NOT NULL AND kind <> 'call.opted_out') e
        WHERE was <> before OR kind <> 'call.' || becomes
        UNION
        SELECT k.id FROM calls k
        LEFT JOIN LATERAL (SELECT data->>'to' AS becomes FROM events WHERE call_id = k.id
            ORDER BY xid DESC, id DESC LIMIT 1) e ON true
        WHERE k.status <> coalesce(e.becomes, 'planned')""",
    "a campaign's status without its event": """
        SELECT c.id FROM campaigns c
        LEFT JOIN LATERAL (SELECT data->>'to' AS becomes FROM events
            WHERE campaign_id = c.id AND kind LIKE 'campaign.%'
            ORDER BY xid DESC, id DESC LIMIT 1) e ON true
        WHERE c.status IS DISTINCT FROM e.becomes""",
    "a webhook that waits behind nothing, or two of a chain that do not wait": """
        SELECT min(id) FROM webhook_deliveries
        WHERE status = 'pending' AND NOT chain LIKE 'test:%'
        GROUP BY endpoint_id, chain HAVING count(next_at) <> 1""",
    "a webhook or secret of another account than its receiver": """
        SELECT d.id FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
        WHERE d.account_id <> e.account_id
        UNION
        SELECT s.id FROM webhook_secrets s JOIN webhook_endpoints e ON e.id = s.endpoint_id
        WHERE s.account_id <> e.account_id""",
    "a position given twice in a campaign": """
        SELECT campaign_id FROM calls GROUP BY campaign_id, position HAVING count(*) > 1""",
}


async def find_broken_invariants(db):
    """Return a line for each invariant that does not hold; empty is well."""
    return [
        f"{what}: {[row[0] for row in rows[:5]]}"
        for what, query in BROKEN.items()
        if (rows := await db.fetch(query))
    ]
