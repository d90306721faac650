//! What the operator wrote: the shape of `bourse.toml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::checked::{self, Which};
use super::credentials::RawCredentials;
use super::{RawKey, RawNet, RawSecret, RawTls, RawUrls};

/// The whole file. Unknown keys are refused.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    /// `[server]`: listening and limits.
    pub server: RawServer,
    /// `[net]`: by which road others are reached.
    pub net: RawNet,
    /// `[database]`: where durable things live.
    pub database: RawDatabase,
    /// `[billing]`: what customers pay.
    pub billing: RawBilling,
    /// `[ledger]`: how durable money is.
    pub ledger: RawLedger,
    /// `[retention]`: how long finished calls are kept.
    pub retention: RawRetention,
    /// `[files]`: what callers may keep here.
    pub files: RawFiles,
    /// `[batches]`: what is called for them later.
    pub batches: RawBatches,
    /// `[videos]`: films that providers make.
    pub videos: RawVideos,
    /// `[admission]`: which calls may begin.
    pub admission: RawAdmission,
    /// `[cache]`: answers that are kept.
    pub cache: RawCache,
    /// `[deadlines]`: how long each stage of a call may take.
    pub deadlines: RawDeadlines,
    /// `[routing]`: deadlines by their former names.
    pub routing: RawRouting,
    /// `[options]`: what calls of some models have without asking for it.
    pub options: RawOptions,
    /// `[log]`: what is said, and how.
    pub log: RawLog,
    /// `[alarms]`: who is told what an operator must know.
    pub alarms: RawAlarms,
    /// `[telemetry]`: to whom finished calls are told as traces.
    pub telemetry: RawTelemetry,
    /// `[providers.<slug>]`: whom to call.
    pub providers: BTreeMap<String, RawProvider>,
    /// `[[models]]`: added to, or laid over, the catalog.
    pub models: Vec<bourse_catalog::OverlayModel>,
}

/// `[server]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawServer {
    /// Address and port. Default `127.0.0.1:8787`.
    pub listen: Option<String>,
    /// Names under which the server is called, without ports; `*` for any.
    /// Default: any, or on a loopback address none but `localhost`.
    pub hosts: Option<Vec<String>>,
    /// The certificate with which clients are served by TLS. Default: none, and
    /// plain HTTP.
    pub tls: Option<RawTls>,
    /// Where counters and health are served for operators: an address and port,
    /// or the path of a socket. Default: nowhere but at `listen`.
    pub admin_listen: Option<String>,
    /// Whether `/metrics` is served at `listen`, to management keys. Default true.
    pub public_metrics: Option<bool>,
    /// Prints the first keys although standard output is no terminal. Default:
    /// they go into a file then.
    pub print_first_keys: Option<bool>,
    /// Directory of everything durable. Default `data`.
    pub data_dir: Option<String>,
    /// Serves simulated providers and calls no real one, whatever is
    /// configured. Default: only where none is and none ever was.
    pub simulate: Option<bool>,
    /// Data-plane threads. Default: one for each core but one.
    pub workers: Option<usize>,
    /// The longest a client may take to send a request's head, in
    /// milliseconds. Default 10 s.
    pub head_timeout_ms: Option<u64>,
    /// The longest a kept connection may wait for its next request. Default
    /// 75 s.
    pub idle_timeout_ms: Option<u64>,
    /// The longest silence inside a request's body. Default 30 s.
    pub body_timeout_ms: Option<u64>,
    /// The least that must come of a request's body, in bytes a second.
    /// Default 1024.
    pub body_rate_min: Option<u64>,
    /// The longest a client may read nothing of its answer. Default 60 s.
    pub write_timeout_ms: Option<u64>,
    /// The most a request body may hold, in bytes. Default 32 MiB.
    pub body_bytes_max: Option<usize>,
    /// The most that all request bodies in memory may hold together, in
    /// bytes. Default: 256 MiB, or two of the longest if these are more.
    pub bodies_bytes_max: Option<usize>,
    /// How long new calls are still served once the server is told to stop,
    /// while `/readyz` says so. Default 0.
    pub lame_duck_ms: Option<u64>,
    /// How long running calls may take to end after that. Default 60 s.
    pub stop_timeout_ms: Option<u64>,
    /// Answers that are read on at once although their client has left.
    /// Default 1024.
    pub drains_max: Option<usize>,
}

/// `[database]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawDatabase {
    /// `sqlite` (default): a file inside `data_dir`. Or an address of
    /// PostgreSQL, or a list of addresses of which one takes changes; each
    /// may be a secret, because it may hold a password.
    pub url: Option<RawUrls>,
}

/// `[billing]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawBilling {
    /// Added to upstream prices, in parts per million: 55000 is 5.5 %.
    pub markup_ppm: Option<u64>,
}

/// `[ledger]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawLedger {
    /// `group` (default) or `always`.
    pub durability: Option<String>,
    /// The least time between two syncs of the journal, in milliseconds.
    /// Default 20.
    pub sync_interval_ms: Option<u64>,
}

/// `[retention]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRetention {
    /// Days for which finished calls are kept, with their questions for
    /// reconciliation. Default: for ever.
    pub calls_days: Option<u64>,
}

/// `[files]`.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawFiles {
    /// Bytes of one file. Default 200 MiB.
    pub file_bytes_max: Option<u64>,
    /// Bytes of all files of an account. Default 10 GiB.
    pub account_bytes_max: Option<u64>,
    /// Files of an account. Default 1000.
    pub account_files_max: Option<u64>,
    /// Bytes of all files of everybody. Default 50 GiB.
    pub bytes_max: Option<u64>,
    /// Days for which a file is kept. Default 30.
    pub keep_days: Option<u64>,
}

/// `[batches]`.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawBatches {
    /// Lines that are called at once, of all batches together. Default 32.
    pub lines_at_once: Option<u64>,
    /// Batches of an account that have not ended. Default 100.
    pub account_batches_max: Option<u64>,
    /// Milliseconds between two looks at a batch that a vendor has. Default
    /// 15000.
    pub vendors_every_ms: Option<u64>,
}

/// `[videos]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawVideos {
    /// Milliseconds between two questions after a film, in its first minutes.
    /// Default 5000.
    pub ask_every_ms: Option<u64>,
    /// Hours after which nobody asks any more. Default 24.
    pub give_up_hours: Option<u64>,
    /// Days for which it is known what became of a film. Default 30.
    pub keep_days: Option<u64>,
    /// Origins that callbacks may name although they are private, or plain http.
    pub callback_origins: Vec<String>,
}

/// `[admission]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawAdmission {
    /// How long a ready call waits for its worker until others are refused, in
    /// milliseconds. Default 25.
    pub late_ms: Option<u64>,
    /// Calls of one key that may be under way at once. Default: any number.
    pub key_calls_max: Option<u32>,
    /// The same for all keys of an account. Default: any number.
    pub account_calls_max: Option<u32>,
    /// Batch calls that may wait at each worker. Default 1024.
    pub batch_queue_max: Option<usize>,
    /// Of these, the most of one key, over all workers. Default 256.
    pub batch_queue_of_key_max: Option<u32>,
    /// The longest that one waits, in milliseconds. Default 20 s.
    pub batch_wait_ms: Option<u64>,
    /// Hashes of keys whose calls are batch calls, whatever they say.
    pub batch_keys: Vec<String>,
}

/// `[cache]`.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawCache {
    /// What answers that are kept may take of memory, in bytes; 0 for no
    /// cache. Default 64 MiB.
    pub bytes_max: Option<usize>,
}

/// `[deadlines]`: all in milliseconds.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawDeadlines {
    /// Connecting, TLS included. Default 5 s.
    pub connect_ms: Option<u64>,
    /// To the head of a stream, at the last target. Default 300 s.
    pub head_ms: Option<u64>,
    /// Silence before a stream's first content, where another target is
    /// left. Default 30 s.
    pub first_sign_ms: Option<u64>,
    /// Silence in a stream. Default 120 s.
    pub idle_ms: Option<u64>,
    /// To the last byte of a whole answer, or the first output of a stream.
    /// Default 10 minutes.
    pub whole_ms: Option<u64>,
    /// Before a waiting stream is sent comments. Default 10 s.
    pub keep_alive_ms: Option<u64>,
    /// A drain after a client left. Default 120 s.
    pub drain_ms: Option<u64>,
}

/// `[routing]`: what `[deadlines]` was called before. Still understood.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRouting {
    /// `deadlines.first_sign_ms`.
    pub first_token_timeout_ms: Option<u64>,
    /// `deadlines.head_ms`.
    pub last_first_token_timeout_ms: Option<u64>,
    /// `deadlines.idle_ms`.
    pub idle_timeout_ms: Option<u64>,
    /// `deadlines.connect_ms`.
    pub connect_timeout_ms: Option<u64>,
    /// `deadlines.keep_alive_ms`.
    pub keep_alive_after_ms: Option<u64>,
    /// `deadlines.drain_ms`.
    pub drain_timeout_ms: Option<u64>,
}

/// `[log]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawLog {
    /// `text` (default) or `json`.
    pub format: Option<String>,
    /// A filter such as `info` (default) or `bourse=debug`.
    pub level: Option<String>,
    /// Which finished calls have a line: `none`, `failed` (default) or `all`.
    pub calls: Option<Which>,
    /// The most such lines in a second. Default 100.
    #[serde(deserialize_with = "checked::per_s_max")]
    #[schemars(range(min = 1, max = 100_000))]
    pub calls_per_s_max: Option<u32>,
}

/// `[alarms]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawAlarms {
    /// The address that alarms are posted to. Default: they are in the log
    /// alone.
    #[serde(deserialize_with = "checked::webhook")]
    pub webhook: Option<RawSecret>,
    /// What they are signed with: `whsec_` and 24 to 64 bytes in base64.
    #[serde(deserialize_with = "checked::secret")]
    pub secret: Option<RawSecret>,
    /// After how many minutes an alarm that lasts is told again. Default 60.
    #[serde(deserialize_with = "checked::minutes")]
    #[schemars(range(min = 1, max = 1_440))]
    pub repeat_minutes: Option<u64>,
}

/// `[options]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawOptions {
    /// Models whose streams are gone on with elsewhere if they break, as if
    /// each call had `X-Bourse-Continue: true`. Default none.
    pub continues: Vec<String>,
    /// Models of which a second target is asked beside a late one, as if each
    /// call had `X-Bourse-Hedge: true`. Default none.
    pub hedges: Vec<String>,
}

/// `[telemetry]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawTelemetry {
    /// The address of an OpenTelemetry collector that takes OTLP over HTTP,
    /// such as `http://127.0.0.1:4318`. Default: nobody is told.
    pub otlp_url: Option<String>,
    /// Headers of each request to it, such as a key.
    pub otlp_headers: BTreeMap<String, RawSecret>,
    /// The share of calls that are traced, from 0 to 1, where the caller does
    /// not decide. Default 1.
    pub sample_ratio: Option<f64>,
    /// `service.name` of the traces. Default `bourse`.
    pub service_name: Option<String>,
}

/// `[providers.<slug>]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawProvider {
    /// The key: a string, `{ env = "NAME" }` or `{ file = "path" }`.
    pub api_key: Option<RawSecret>,
    /// Several keys, between which calls are spread: one that is told to slow
    /// down rests while the others go on. In place of `api_key` or beside it.
    /// `{ key = ..., weight = 3 }` is used three times as often as another.
    pub api_keys: Vec<RawKey>,
    /// The vendor's region, of one that has regions.
    pub region: Option<String>,
    /// The project that calls are billed to, of a vendor whose addresses have it.
    pub project: Option<String>,
    /// Who we are to a cloud whose tokens live for minutes: `default`, `machine`
    /// or a table. Default: nobody looks for any.
    pub credentials: Option<RawCredentials>,
    /// How a provider that is not built in is addressed: `azure-openai`. Default:
    /// as the vendor whose format it speaks.
    pub kind: Option<String>,
    /// The version in the address, of a kind that has such. Default `v1`.
    pub api_version: Option<String>,
    /// Who signs, of a provider whose requests are signed with a pair of keys.
    pub access_key_id: Option<RawSecret>,
    /// What is signed with.
    pub secret_access_key: Option<RawSecret>,
    /// The token of the session that the pair belongs to.
    pub session_token: Option<RawSecret>,
    /// Another address. Required for a provider that is not built in.
    pub base_url: Option<String>,
    /// The format of a provider that is not built in.
    pub format: Option<String>,
    /// `auto` (default), `never` or `prior`.
    pub http2: Option<String>,
    /// `cancel` or `drain` the answer when the client has left.
    pub on_disconnect: Option<String>,
    /// How a provider that is not built in is told to go on with an answer that
    /// broke elsewhere: `none` (default), `last-message`, `prefix`,
    /// `prefix-repeated` or `continue-final-message`.
    pub prefill: Option<String>,
    /// Hands addresses of this network, and of files, that callers put into
    /// prompts to the provider. Default: such a prompt is not sent to it.
    pub private_urls: Option<bool>,
    /// The proxy through which it is reached, or `none`. Default: as all others.
    pub proxy: Option<RawSecret>,
    /// Leaves the provider out.
    pub disabled: Option<bool>,
}
