-- Packets each way, loss, jitter, round trip, opinion score; null where no RTP was agreed.
ALTER TABLE legs ADD COLUMN media jsonb;
