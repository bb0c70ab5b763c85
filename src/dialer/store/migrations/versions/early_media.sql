-- Ringback, busy, special information, speech and the like, each with its time; null where no RTP
-- came before the answer.
ALTER TABLE legs ADD COLUMN early_media jsonb;
