-- Files that callers keep here. What is in them lies beside the database, on
-- the disk of the node.
CREATE TABLE files (
    id            BLOB   PRIMARY KEY,
    account_id    BIGINT NOT NULL REFERENCES accounts (id),
    node_id       BIGINT NOT NULL,
    name          TEXT   NOT NULL,
    purpose       TEXT   NOT NULL,
    bytes         BIGINT NOT NULL,
    digest        BLOB   NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX files_by_account ON files (account_id, id);
CREATE INDEX files_by_expiry ON files (expires_at_ms);

-- Batches of calls. A node runs those that it has claimed, until its lease
-- ends; is_ended follows from the state and finds what is to be run.
CREATE TABLE batches (
    id               BLOB   PRIMARY KEY,
    account_id       BIGINT NOT NULL REFERENCES accounts (id),
    key_hash         BLOB   NOT NULL,
    shape            TEXT   NOT NULL,
    endpoint         TEXT   NOT NULL,
    input_file_id    BLOB   NOT NULL,
    output_file_id   BLOB,
    error_file_id    BLOB,
    state            TEXT   NOT NULL,
    is_ended         BIGINT NOT NULL,
    metadata         TEXT   NOT NULL,
    faults           TEXT   NOT NULL,
    paused           TEXT   NOT NULL,
    lines_total      BIGINT NOT NULL,
    lines_completed  BIGINT NOT NULL,
    lines_failed     BIGINT NOT NULL,
    lines_expired    BIGINT NOT NULL,
    lines_cancelled  BIGINT NOT NULL,
    created_at_ms    BIGINT NOT NULL,
    expires_at_ms    BIGINT NOT NULL,
    began_at_ms      BIGINT,
    finalizing_at_ms BIGINT,
    cancelling_at_ms BIGINT,
    ended_at_ms      BIGINT,
    node_id          BIGINT NOT NULL,
    lease_until_ms   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX batches_by_account ON batches (account_id, id);
CREATE INDEX batches_by_state ON batches (is_ended, id);
CREATE INDEX batches_by_input ON batches (input_file_id);
