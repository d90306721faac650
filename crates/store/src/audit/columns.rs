//! Which columns `ledger verify` holds to something else, and why it leaves
//! the others alone.
//!
//! A column that is listed as compared is edited in a test and must be found;
//! another test reads the tables, so that a new column is in one of the two
//! lists or the test fails.

/// A table's columns.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Columns that are compared: with a record, with a sum of others, or with
    /// a hash.
    pub compared: &'static [&'static str],
    /// Columns that are not, and why.
    pub left: &'static [(&'static str, &'static str)],
}

const NODE: &str = "says whose slice it is: sums are compared over all slices";
const OF_PEOPLE: &str = "is what people call it: no record tells of it";
const ADMINISTERED: &str = "administrators set it, and no record tells of it";
const LOCAL: &str = "numbers a row, and nothing is found by it but the row";
const RUNNING: &str = "its record is in the journal until the call ends; a running server compares \
                       the call with its memory";
const UNKEPT: &str = "counts calls too whose records are not kept: refused ones, and free ones \
                      beyond the first of a batch";
const COUNTED: &str = "is told in reports, and no sum beside it counts calls that cost nothing";
const LATER: &str = "counts where no later call of the key is kept, and mostly one is";
const WHERE: &str =
    "is compared with the journal's own bytes, at every start and on a stopped server";
const TOLD: &str = "is what somebody else said of itself, and moves no money";

const KEPT: &str = "says what callers keep here, which no record tells of and moves no money: \
                    their lines are calls, and compared as such";

const FILM: &str = "says how far a provider is with a job: its hold and its settlement are records, \
                    and compared as such";

/// Every table and every column of it.
pub const TABLES: &[Table] = &[
    Table {
        name: "accounts",
        compared: &["granted"],
        left: &[
            ("id", LOCAL),
            ("name", OF_PEOPLE),
            ("created_at_ms", ADMINISTERED),
            ("change_seq", ADMINISTERED),
        ],
    },
    Table {
        name: "api_keys",
        compared: &[],
        left: &[
            ("id", LOCAL),
            ("account_id", ADMINISTERED),
            ("hash", ADMINISTERED),
            ("label", ADMINISTERED),
            ("name", OF_PEOPLE),
            ("is_management", ADMINISTERED),
            ("is_disabled", ADMINISTERED),
            ("limit_nanos", ADMINISTERED),
            ("limit_reset", ADMINISTERED),
            ("include_byok_in_limit", ADMINISTERED),
            ("expires_at_ms", ADMINISTERED),
            ("created_at_ms", ADMINISTERED),
            ("updated_at_ms", ADMINISTERED),
            ("deleted_at_ms", ADMINISTERED),
            ("change_seq", ADMINISTERED),
            ("external_user", ADMINISTERED),
            ("external_key_hash", ADMINISTERED),
            ("continues", ADMINISTERED),
            ("hedges", ADMINISTERED),
            ("is_strict", ADMINISTERED),
        ],
    },
    Table {
        name: "grants",
        compared: &["id", "account_id", "kind", "amount"],
        left: &[
            ("note", OF_PEOPLE),
            ("reference", ADMINISTERED),
            ("at_ms", ADMINISTERED),
        ],
    },
    Table {
        name: "purses",
        compared: &["cap", "lent"],
        left: &[
            ("id", LOCAL),
            ("kind", LOCAL),
            ("subject", LOCAL),
            ("period", LOCAL),
            ("period_index", LOCAL),
        ],
    },
    Table {
        name: "leases",
        compared: &["lent", "returned", "spent"],
        left: &[("purse_id", LOCAL), ("node_id", NODE)],
    },
    Table {
        name: "journals",
        compared: &[],
        left: &[
            ("node_id", NODE),
            ("seq", LOCAL),
            (
                "at_ms",
                "is when a batch was booked; each call has its own moment",
            ),
            (
                "source",
                "names a batch; that of a grant is compared with the grant",
            ),
        ],
    },
    Table {
        name: "postings",
        compared: &["account", "amount"],
        left: &[("node_id", NODE), ("seq", LOCAL)],
    },
    Table {
        name: "balances",
        compared: &["account", "node_id", "amount"],
        left: &[],
    },
    Table {
        name: "holds",
        compared: &["account_id", "amount"],
        left: &[
            ("id", RUNNING),
            ("node_id", NODE),
            ("key_id", RUNNING),
            ("at_ms", RUNNING),
            ("model", RUNNING),
            ("provider", RUNNING),
            ("endpoint", RUNNING),
            ("earlier", RUNNING),
            ("ck_charge", RUNNING),
            ("ck_upstream", RUNNING),
            ("ck_prompt", RUNNING),
            ("ck_completion", RUNNING),
        ],
    },
    Table {
        name: "generations",
        compared: &[
            "id",
            "account_id",
            "key_id",
            "created_at_ms",
            "settled_at_ms",
            "model",
            "provider",
            "endpoint",
            "charge",
            "paid",
            "house_loss",
            "upstream",
            "prompt",
            "completion",
            "reasoning",
            "cached",
            "voided",
            "failure",
            "record",
            "link",
        ],
        left: &[],
    },
    Table {
        name: "activity",
        compared: &[
            "day",
            "account_id",
            "key_id",
            "model",
            "endpoint",
            "provider",
            "requests",
            "paid",
            "byok",
            "prompt",
            "completion",
            "reasoning",
            "cached",
        ],
        left: &[("node_id", NODE)],
    },
    Table {
        name: "failures",
        compared: &[],
        left: &[
            ("day", UNKEPT),
            ("account_id", UNKEPT),
            ("key_id", UNKEPT),
            ("model", UNKEPT),
            ("endpoint", UNKEPT),
            ("provider", UNKEPT),
            ("failure", UNKEPT),
            ("node_id", NODE),
            ("calls", UNKEPT),
            ("attempts", UNKEPT),
        ],
    },
    Table {
        name: "retired_calls",
        compared: &["account_id", "key_id", "paid", "house_loss", "upstream"],
        left: &[("calls", COUNTED), ("last_used_at_ms", LATER)],
    },
    Table {
        name: "retired_days",
        compared: &[
            "day",
            "account_id",
            "key_id",
            "model",
            "endpoint",
            "provider",
            "requests",
            "paid",
            "byok",
            "prompt",
            "completion",
            "reasoning",
            "cached",
        ],
        left: &[],
    },
    Table {
        name: "retired_costs",
        compared: &["provider", "amount"],
        left: &[],
    },
    Table {
        name: "reconcile",
        compared: &["generation_id", "provider", "at_most", "at_ms"],
        left: &[("id", LOCAL)],
    },
    Table {
        name: "key_sums",
        compared: &["key_id", "spent", "last_used_at_ms"],
        left: &[("node_id", NODE)],
    },
    Table {
        name: "key_days",
        compared: &["key_id", "day", "spent"],
        left: &[("node_id", NODE)],
    },
    Table {
        name: "node_spools",
        compared: &["rows_sum"],
        left: &[
            ("node_id", NODE),
            ("applied", WHERE),
            ("chain", WHERE),
            ("batch_from", WHERE),
            ("chain_before", WHERE),
        ],
    },
    Table {
        name: "consumers",
        compared: &[],
        left: &[("name", TOLD), ("node_id", NODE), ("position", TOLD)],
    },
    Table {
        name: "files",
        compared: &[],
        left: &[
            ("id", KEPT),
            ("account_id", KEPT),
            ("node_id", KEPT),
            ("name", KEPT),
            ("purpose", KEPT),
            ("bytes", KEPT),
            ("digest", KEPT),
            ("created_at_ms", KEPT),
            ("expires_at_ms", KEPT),
        ],
    },
    Table {
        name: "batches",
        compared: &[],
        left: &[
            ("id", KEPT),
            ("account_id", KEPT),
            ("key_hash", KEPT),
            ("shape", KEPT),
            ("endpoint", KEPT),
            ("input_file_id", KEPT),
            ("output_file_id", KEPT),
            ("error_file_id", KEPT),
            ("state", KEPT),
            ("is_ended", KEPT),
            ("metadata", KEPT),
            ("faults", KEPT),
            ("paused", KEPT),
            ("lines_total", KEPT),
            ("lines_completed", KEPT),
            ("lines_failed", KEPT),
            ("lines_expired", KEPT),
            ("lines_cancelled", KEPT),
            ("lines_at_vendor", KEPT),
            ("at_vendor", KEPT),
            ("created_at_ms", KEPT),
            ("expires_at_ms", KEPT),
            ("began_at_ms", KEPT),
            ("finalizing_at_ms", KEPT),
            ("cancelling_at_ms", KEPT),
            ("ended_at_ms", KEPT),
            ("node_id", KEPT),
            ("lease_until_ms", KEPT),
        ],
    },
    Table {
        name: "installation",
        compared: &[],
        left: &[("id", LOCAL), ("store_id", WHERE)],
    },
    Table {
        name: "change_counter",
        compared: &[],
        left: &[("id", LOCAL), ("seq", ADMINISTERED)],
    },
    Table {
        name: "videos",
        compared: &[],
        left: &[
            ("id", FILM),
            ("account_id", FILM),
            ("node_id", FILM),
            ("state", FILM),
            ("is_open", FILM),
            ("is_running", FILM),
            ("job", FILM),
            ("created_at_ms", FILM),
            ("due_at_ms", FILM),
        ],
    },
    Table {
        name: "webhook_secrets",
        compared: &[],
        left: &[
            ("account_id", ADMINISTERED),
            ("secret", ADMINISTERED),
            ("created_at_ms", ADMINISTERED),
        ],
    },
];
