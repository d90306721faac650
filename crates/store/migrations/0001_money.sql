-- Amounts are whole nano-dollars. Moments are milliseconds since 1970 UTC,
-- days are counted since 1970-01-01 UTC. Ids are made by the application.

CREATE TABLE accounts (
    id            BIGINT PRIMARY KEY,
    name          TEXT   NOT NULL UNIQUE,
    granted       BIGINT NOT NULL,
    spent         BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    change_seq    BIGINT NOT NULL
);
CREATE INDEX accounts_by_change ON accounts (change_seq);

CREATE TABLE api_keys (
    id                    BIGINT PRIMARY KEY,
    account_id            BIGINT NOT NULL REFERENCES accounts (id),
    hash                  BLOB   NOT NULL UNIQUE,
    label                 TEXT   NOT NULL,
    name                  TEXT   NOT NULL,
    is_management         BIGINT NOT NULL,
    is_disabled           BIGINT NOT NULL,
    limit_nanos           BIGINT,
    limit_reset           TEXT,
    include_byok_in_limit BIGINT NOT NULL,
    expires_at_ms         BIGINT,
    created_at_ms         BIGINT NOT NULL,
    updated_at_ms         BIGINT,
    last_used_at_ms       BIGINT,
    deleted_at_ms         BIGINT,
    spent_total           BIGINT NOT NULL,
    spent_day             BIGINT NOT NULL,
    spent_day_index       BIGINT NOT NULL,
    spent_week            BIGINT NOT NULL,
    spent_week_index      BIGINT NOT NULL,
    spent_month           BIGINT NOT NULL,
    spent_month_index     BIGINT NOT NULL,
    change_seq            BIGINT NOT NULL
);
CREATE INDEX api_keys_by_account ON api_keys (account_id);
CREATE INDEX api_keys_by_change ON api_keys (change_seq);

CREATE TABLE grants (
    id         BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    kind       TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    note       TEXT   NOT NULL,
    reference  TEXT   UNIQUE,
    at_ms      BIGINT NOT NULL
);

-- One journal for a grant, one for each batch of the spool.
CREATE TABLE journals (
    id     BIGINT PRIMARY KEY,
    at_ms  BIGINT NOT NULL,
    source TEXT   NOT NULL UNIQUE
);

CREATE TABLE postings (
    journal_id BIGINT NOT NULL REFERENCES journals (id),
    account    TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    PRIMARY KEY (journal_id, account)
);

CREATE TABLE balances (
    account TEXT PRIMARY KEY,
    amount  BIGINT NOT NULL
);

-- Calls that were running when the last batch ended.
CREATE TABLE holds (
    id         BLOB   PRIMARY KEY,
    account_id BIGINT NOT NULL,
    key_id     BIGINT NOT NULL,
    amount     BIGINT NOT NULL,
    at_ms      BIGINT NOT NULL,
    model      TEXT   NOT NULL,
    provider   TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    earlier    TEXT   NOT NULL,
    ck_charge     BIGINT,
    ck_upstream   BIGINT,
    ck_prompt     BIGINT,
    ck_completion BIGINT
);

CREATE TABLE generations (
    id            BLOB   PRIMARY KEY,
    account_id    BIGINT NOT NULL,
    key_id        BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    settled_at_ms BIGINT NOT NULL,
    model         TEXT   NOT NULL,
    provider      TEXT   NOT NULL,
    endpoint      TEXT   NOT NULL,
    charge        BIGINT NOT NULL,
    paid          BIGINT NOT NULL,
    house_loss    BIGINT NOT NULL,
    upstream      BIGINT NOT NULL,
    prompt        BIGINT NOT NULL,
    completion    BIGINT NOT NULL,
    reasoning     BIGINT NOT NULL,
    cached        BIGINT NOT NULL,
    record        BLOB   NOT NULL
) WITHOUT ROWID;

CREATE TABLE activity (
    day        BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    key_id     BIGINT NOT NULL,
    model      TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    provider   TEXT   NOT NULL,
    requests   BIGINT NOT NULL,
    paid       BIGINT NOT NULL,
    byok       BIGINT NOT NULL,
    prompt     BIGINT NOT NULL,
    completion BIGINT NOT NULL,
    reasoning  BIGINT NOT NULL,
    cached     BIGINT NOT NULL,
    PRIMARY KEY (account_id, day, key_id, model, endpoint, provider)
) WITHOUT ROWID;

CREATE TABLE reconcile (
    id            BIGINT PRIMARY KEY,
    generation_id BLOB   NOT NULL,
    provider      TEXT   NOT NULL,
    at_most       BIGINT NOT NULL,
    at_ms         BIGINT NOT NULL
);

-- How far the spool has been applied, and the number of the last change
-- that a running server must notice.
CREATE TABLE progress (
    id            BIGINT PRIMARY KEY,
    spool_applied BIGINT NOT NULL,
    change_seq    BIGINT NOT NULL
);
INSERT INTO progress (id, spool_applied, change_seq) VALUES (1, 0, 0);
