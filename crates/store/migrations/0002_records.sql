-- Which installation this is: a number made at random with the tables. Its
-- journals carry it, so that another installation's are recognised.
CREATE TABLE installation (
    id       BIGINT PRIMARY KEY,
    store_id BLOB   NOT NULL
);

-- How far each node's journal has been applied, the running hash of all
-- records up to there, and the same before the last batch. No hash is that of
-- a journal of which nothing was applied since there are hashes. `rows_sum`
-- is the sum of the links of all rows in `generations`.
CREATE TABLE node_spools (
    node_id      BIGINT PRIMARY KEY,
    applied      BIGINT NOT NULL,
    chain        BLOB,
    batch_from   BIGINT NOT NULL,
    chain_before BLOB,
    rows_sum     BLOB
);
INSERT INTO node_spools (node_id, applied, batch_from)
SELECT 1, spool_applied, spool_applied FROM progress WHERE id = 1;
ALTER TABLE progress DROP COLUMN spool_applied;

-- How far whoever else reads a node's journal has come, by name.
CREATE TABLE consumers (
    name     TEXT   NOT NULL,
    node_id  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (name, node_id)
);

-- Why a call cost its customer nothing (none: it was settled), what went
-- wrong (0: nothing), and the hash of the record (none: from before there
-- were hashes).
ALTER TABLE generations ADD COLUMN voided BIGINT;
ALTER TABLE generations ADD COLUMN failure BIGINT NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN link BLOB;
-- So far, of the calls that cost their customer nothing only those have rows
-- that cost us something: nothing was delivered (2). A call that was settled
-- was never charged less than its cost.
UPDATE generations SET voided = 2 WHERE charge = 0 AND upstream <> 0;

-- What went wrong, by day; `failure` 0 is whatever no failure explains.
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
