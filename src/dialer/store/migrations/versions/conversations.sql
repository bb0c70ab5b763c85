-- What happened after the answer, and what was found out there, as objects of plain values.
ALTER TABLE attempts
    ADD COLUMN conversation jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN report_data jsonb NOT NULL DEFAULT '{}';
