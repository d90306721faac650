-- What finished calls added that are not kept any more. The sums beside the
-- calls (balances, days, keys, costs) are those of both.
CREATE TABLE retired_calls (
    account_id      BIGINT NOT NULL,
    key_id          BIGINT NOT NULL,
    calls           BIGINT NOT NULL,
    paid            BIGINT NOT NULL,
    house_loss      BIGINT NOT NULL,
    upstream        BIGINT NOT NULL,
    last_used_at_ms BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_id)
) WITHOUT ROWID;

CREATE TABLE retired_days (
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

CREATE TABLE retired_costs (
    provider TEXT   PRIMARY KEY,
    amount   BIGINT NOT NULL
) WITHOUT ROWID;

-- The questions of a call go with it.
CREATE INDEX reconcile_by_call ON reconcile (generation_id);
