-- Whose a key is in the eyes of whoever made it: a user of theirs, and the
-- hash of a key of their own, in hexadecimal. And what calls with it have
-- that say nothing of it themselves (none: their model says).
ALTER TABLE api_keys ADD COLUMN external_user     TEXT;
ALTER TABLE api_keys ADD COLUMN external_key_hash TEXT;
ALTER TABLE api_keys ADD COLUMN continues         BIGINT;
ALTER TABLE api_keys ADD COLUMN hedges            BIGINT;

-- Finished calls by time: an export of an hour reads an hour.
CREATE INDEX generations_by_time ON generations (settled_at_ms, id);
