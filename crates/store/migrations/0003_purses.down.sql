-- Back to one node whose rows have no slices. Sums of days, weeks and months
-- are those of the latest day that each key has used.

CREATE TABLE progress (
    id         BIGINT PRIMARY KEY,
    change_seq BIGINT NOT NULL
);
INSERT INTO progress (id, change_seq) SELECT id, seq FROM change_counter;
DROP TABLE change_counter;

ALTER TABLE failures RENAME TO failures_after;
CREATE TABLE failures (
    day        BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    key_id     BIGINT NOT NULL,
    model      TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    provider   TEXT   NOT NULL,
    failure    BIGINT NOT NULL,
    calls      BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    PRIMARY KEY (account_id, day, key_id, model, endpoint, provider, failure)
) WITHOUT ROWID;
INSERT INTO failures (day, account_id, key_id, model, endpoint, provider, failure, calls, attempts)
SELECT day, account_id, key_id, model, endpoint, provider, failure, SUM(calls), SUM(attempts)
FROM failures_after GROUP BY account_id, day, key_id, model, endpoint, provider, failure;
DROP TABLE failures_after;

ALTER TABLE activity RENAME TO activity_after;
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
INSERT INTO activity (day, account_id, key_id, model, endpoint, provider, requests, paid, byok,
                      prompt, completion, reasoning, cached)
SELECT day, account_id, key_id, model, endpoint, provider, SUM(requests), SUM(paid), SUM(byok),
       SUM(prompt), SUM(completion), SUM(reasoning), SUM(cached)
FROM activity_after GROUP BY account_id, day, key_id, model, endpoint, provider;
DROP TABLE activity_after;

ALTER TABLE holds DROP COLUMN node_id;

ALTER TABLE journals RENAME TO journals_after;
ALTER TABLE postings RENAME TO postings_after;
ALTER TABLE balances RENAME TO balances_after;
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
INSERT INTO journals (id, at_ms, source) SELECT seq, at_ms, source FROM journals_after;
INSERT INTO postings (journal_id, account, amount) SELECT seq, account, amount FROM postings_after;
INSERT INTO balances (account, amount)
SELECT account, SUM(amount) FROM balances_after GROUP BY account;
DROP TABLE postings_after;
DROP TABLE journals_after;
DROP TABLE balances_after;

ALTER TABLE api_keys ADD COLUMN last_used_at_ms   BIGINT;
ALTER TABLE api_keys ADD COLUMN spent_total       BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_day         BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_day_index   BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_week        BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_week_index  BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_month       BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN spent_month_index BIGINT NOT NULL DEFAULT 0;
UPDATE api_keys SET
    spent_total = (SELECT SUM(spent) FROM key_sums WHERE key_id = api_keys.id),
    last_used_at_ms = (SELECT MAX(last_used_at_ms) FROM key_sums WHERE key_id = api_keys.id)
WHERE id IN (SELECT key_id FROM key_sums);
-- Weeks begin on Mondays, and 1 January 1970 was a Thursday. Months by the
-- arithmetic of Howard Hinnant's "chrono-compatible low-level date
-- algorithms", counted from January 1970.
CREATE TABLE days (key_id BIGINT, day BIGINT, week BIGINT, month BIGINT, spent BIGINT);
INSERT INTO days (key_id, day, week, month, spent)
SELECT key_id, day, (day + 3) / 7,
       (era * 400 + yoe) * 12 + (5 * (doe - (365 * yoe + yoe / 4 - yoe / 100)) + 2) / 153 - 23638,
       spent
FROM (SELECT key_id, day, spent, era, doe,
             (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365 AS yoe
      FROM (SELECT key_id, day, spent, (day + 719468) / 146097 AS era,
                   day + 719468 - (day + 719468) / 146097 * 146097 AS doe
            FROM key_days) AS eras) AS years;
UPDATE api_keys SET
    spent_day_index = (SELECT MAX(day) FROM days WHERE key_id = api_keys.id),
    spent_week_index = (SELECT MAX(week) FROM days WHERE key_id = api_keys.id),
    spent_month_index = (SELECT MAX(month) FROM days WHERE key_id = api_keys.id)
WHERE id IN (SELECT key_id FROM days);
UPDATE api_keys SET
    spent_day = (SELECT SUM(spent) FROM days WHERE key_id = api_keys.id AND day = spent_day_index),
    spent_week = (SELECT SUM(spent) FROM days WHERE key_id = api_keys.id AND week = spent_week_index),
    spent_month = (SELECT SUM(spent) FROM days WHERE key_id = api_keys.id AND month = spent_month_index)
WHERE id IN (SELECT key_id FROM days);
DROP TABLE days;
DROP TABLE key_days;
DROP TABLE key_sums;

ALTER TABLE accounts ADD COLUMN spent BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET spent = (
    SELECT SUM(leases.spent) FROM leases JOIN purses ON purses.id = leases.purse_id
    WHERE purses.kind = 'account' AND purses.subject = accounts.id);
DROP TABLE leases;
DROP TABLE purses;
