-- Money as nodes borrow it: credit is a purse, and what a node may spend of
-- it a lease. The one node of this database, number 1, is lent everything.
-- Rows that nodes write often have a slice for each node, so that no two
-- nodes wait for one another. Rows of one node have ids of its own making.

CREATE TABLE purses (
    id           BIGINT PRIMARY KEY,
    kind         TEXT   NOT NULL,
    subject      BIGINT NOT NULL,
    period       TEXT   NOT NULL,
    period_index BIGINT NOT NULL,
    cap          BIGINT NOT NULL,
    lent         BIGINT NOT NULL,
    UNIQUE (kind, subject, period, period_index),
    CHECK (lent >= 0)
);

CREATE TABLE leases (
    purse_id BIGINT NOT NULL REFERENCES purses (id),
    node_id  BIGINT NOT NULL,
    lent     BIGINT NOT NULL,
    returned BIGINT NOT NULL,
    spent    BIGINT NOT NULL,
    PRIMARY KEY (purse_id, node_id),
    CHECK (returned >= 0 AND spent >= 0 AND returned + spent <= lent)
);

-- An account was lent the most that it was ever granted: a correction takes
-- back credit, not what a node has been told it may spend. The purse of an
-- account's credit has the account's id.
INSERT INTO purses (id, kind, subject, period, period_index, cap, lent)
SELECT accounts.id, 'account', accounts.id, '', 0, accounts.granted, COALESCE(most.lent, 0)
FROM accounts LEFT JOIN (
    SELECT account_id, MAX(running) AS lent FROM (
        SELECT account_id, SUM(amount) OVER (PARTITION BY account_id ORDER BY id) AS running
        FROM grants) AS sums
    WHERE running > 0 GROUP BY account_id) AS most ON most.account_id = accounts.id;
INSERT INTO leases (purse_id, node_id, lent, returned, spent)
SELECT purses.id, 1, purses.lent, 0, accounts.spent
FROM purses JOIN accounts ON accounts.id = purses.subject;
ALTER TABLE accounts DROP COLUMN spent;

-- What a key has spent: ever, and on each day, by the day of the hold.
-- Weeks and months are whole days.
CREATE TABLE key_sums (
    key_id          BIGINT NOT NULL REFERENCES api_keys (id),
    node_id         BIGINT NOT NULL,
    spent           BIGINT NOT NULL,
    last_used_at_ms BIGINT NOT NULL,
    PRIMARY KEY (key_id, node_id)
);
INSERT INTO key_sums (key_id, node_id, spent, last_used_at_ms)
SELECT id, 1, spent_total, last_used_at_ms FROM api_keys WHERE last_used_at_ms IS NOT NULL;

CREATE TABLE key_days (
    key_id  BIGINT NOT NULL,
    day     BIGINT NOT NULL,
    node_id BIGINT NOT NULL,
    spent   BIGINT NOT NULL,
    PRIMARY KEY (key_id, day, node_id)
) WITHOUT ROWID;
-- Until now a payment counted on the day of its settlement, and so do these.
INSERT INTO key_days (key_id, day, node_id, spent)
SELECT key_id, day, 1, SUM(paid) FROM activity GROUP BY key_id, day;

ALTER TABLE api_keys DROP COLUMN last_used_at_ms;
ALTER TABLE api_keys DROP COLUMN spent_total;
ALTER TABLE api_keys DROP COLUMN spent_day;
ALTER TABLE api_keys DROP COLUMN spent_day_index;
ALTER TABLE api_keys DROP COLUMN spent_week;
ALTER TABLE api_keys DROP COLUMN spent_week_index;
ALTER TABLE api_keys DROP COLUMN spent_month;
ALTER TABLE api_keys DROP COLUMN spent_month_index;

-- Journals by node and number.
ALTER TABLE journals RENAME TO journals_before;
ALTER TABLE postings RENAME TO postings_before;
ALTER TABLE balances RENAME TO balances_before;
CREATE TABLE journals (
    node_id BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    at_ms   BIGINT NOT NULL,
    source  TEXT   NOT NULL UNIQUE,
    PRIMARY KEY (node_id, seq)
);
CREATE TABLE postings (
    node_id BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    account TEXT   NOT NULL,
    amount  BIGINT NOT NULL,
    PRIMARY KEY (node_id, seq, account),
    FOREIGN KEY (node_id, seq) REFERENCES journals (node_id, seq)
);
CREATE TABLE balances (
    account TEXT   NOT NULL,
    node_id BIGINT NOT NULL,
    amount  BIGINT NOT NULL,
    PRIMARY KEY (account, node_id)
);
INSERT INTO journals (node_id, seq, at_ms, source) SELECT 1, id, at_ms, source FROM journals_before;
INSERT INTO postings (node_id, seq, account, amount)
SELECT 1, journal_id, account, amount FROM postings_before;
INSERT INTO balances (account, node_id, amount) SELECT account, 1, amount FROM balances_before;
DROP TABLE postings_before;
DROP TABLE journals_before;
DROP TABLE balances_before;

-- Only the node that runs a call closes its hold.
ALTER TABLE holds RENAME TO holds_before;
CREATE TABLE holds (
    id         BLOB   PRIMARY KEY,
    node_id    BIGINT NOT NULL,
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
INSERT INTO holds (id, node_id, account_id, key_id, amount, at_ms, model, provider, endpoint,
                   earlier, ck_charge, ck_upstream, ck_prompt, ck_completion)
SELECT id, 1, account_id, key_id, amount, at_ms, model, provider, endpoint,
       earlier, ck_charge, ck_upstream, ck_prompt, ck_completion FROM holds_before;
DROP TABLE holds_before;

ALTER TABLE activity RENAME TO activity_before;
CREATE TABLE activity (
    day        BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    key_id     BIGINT NOT NULL,
    model      TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    provider   TEXT   NOT NULL,
    node_id    BIGINT NOT NULL,
    requests   BIGINT NOT NULL,
    paid       BIGINT NOT NULL,
    byok       BIGINT NOT NULL,
    prompt     BIGINT NOT NULL,
    completion BIGINT NOT NULL,
    reasoning  BIGINT NOT NULL,
    cached     BIGINT NOT NULL,
    PRIMARY KEY (account_id, day, key_id, model, endpoint, provider, node_id)
) WITHOUT ROWID;
INSERT INTO activity (day, account_id, key_id, model, endpoint, provider, node_id, requests, paid,
                      byok, prompt, completion, reasoning, cached)
SELECT day, account_id, key_id, model, endpoint, provider, 1, requests, paid,
       byok, prompt, completion, reasoning, cached FROM activity_before;
DROP TABLE activity_before;

ALTER TABLE failures RENAME TO failures_before;
CREATE TABLE failures (
    day        BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    key_id     BIGINT NOT NULL,
    model      TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    provider   TEXT   NOT NULL,
    failure    BIGINT NOT NULL,
    node_id    BIGINT NOT NULL,
    calls      BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    PRIMARY KEY (account_id, day, key_id, model, endpoint, provider, failure, node_id)
) WITHOUT ROWID;
INSERT INTO failures (day, account_id, key_id, model, endpoint, provider, failure, node_id, calls,
                      attempts)
SELECT day, account_id, key_id, model, endpoint, provider, failure, 1, calls, attempts
FROM failures_before;
DROP TABLE failures_before;

-- All that is left of `progress` is the number of the last change. The lock
-- of its row orders changes.
CREATE TABLE change_counter (
    id  BIGINT PRIMARY KEY,
    seq BIGINT NOT NULL
);
INSERT INTO change_counter (id, seq) SELECT id, change_seq FROM progress;
DROP TABLE progress;
