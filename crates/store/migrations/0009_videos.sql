-- Jobs at providers: films that are being made, and what has become of them.
-- How one is asked after and settled is a JSON object; a node asks after its
-- own. is_open finds those of which something is still to be done.
CREATE TABLE videos (
    id            BLOB   PRIMARY KEY,
    account_id    BIGINT NOT NULL REFERENCES accounts (id),
    node_id       BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    is_open       BIGINT NOT NULL,
    is_running    BIGINT NOT NULL,
    job           TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL,
    due_at_ms     BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX videos_by_due ON videos (is_open, due_at_ms);
CREATE INDEX videos_by_account ON videos (account_id, is_running);
CREATE INDEX videos_by_age ON videos (created_at_ms);

-- What messages to an account's callbacks are signed with.
CREATE TABLE webhook_secrets (
    account_id    BIGINT PRIMARY KEY REFERENCES accounts (id),
    secret        BLOB   NOT NULL,
    created_at_ms BIGINT NOT NULL
) WITHOUT ROWID;
