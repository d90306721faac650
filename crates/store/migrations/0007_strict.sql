-- Whether calls with a key are refused rather than told to a provider in part.
ALTER TABLE api_keys ADD COLUMN is_strict BIGINT NOT NULL DEFAULT 0;
