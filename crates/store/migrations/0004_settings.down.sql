DROP INDEX generations_by_time;
ALTER TABLE api_keys DROP COLUMN hedges;
ALTER TABLE api_keys DROP COLUMN continues;
ALTER TABLE api_keys DROP COLUMN external_key_hash;
ALTER TABLE api_keys DROP COLUMN external_user;
