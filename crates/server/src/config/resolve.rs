//! From what was written to what it means, with every mistake noted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::bodies::BODIES_BYTES_MAX;
use bourse_dataplane::cache::{CACHE_BYTES_MAX, CACHE_BYTES_MIN};
use bourse_dataplane::drains::DRAINS_MAX;
use bourse_store::DatabaseUrl;

use super::deadlines::{HOUR_MS, MINUTE_MS};
use super::problem::{Finding, Level};
use super::raw::{RawDatabase, RawServer};
use super::written::Written;
use super::{
    CallLimits, Config, Durability, Environment, ProviderKey, RawConfig, RawUrls, admin, admission,
    alarms, calls, deadlines, doubts, files, level, net, provider, telemetry, tls, videos,
};
use crate::worker::head;

/// Where the server listens unless configuration says otherwise.
const LISTEN: &str = "127.0.0.1:8787";
/// The most a request body may hold unless configuration says otherwise.
/// Twice the largest image that providers take, with room for a long prompt.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// All bodies together hold at least so many of the longest: a part of the
/// room is for short ones.
const BODIES_LONGEST_MIN: usize = 2;
/// The least that must come of a body, in bytes a second: a modem's rate.
const BODY_RATE_MIN: u64 = 1_024;
/// The highest least rate: what a mobile phone can be expected to send.
const BODY_RATE_MIN_MAX: u64 = 1 << 20;
/// Names of one server; each is compared with every request's.
const HOSTS_MAX: usize = 256;
/// Most threads of the data plane: more than any machine has cores to give.
const WORKERS_MAX: usize = 256;
/// The highest markup: ten times the price.
const MARKUP_PPM_MAX: u64 = 10_000_000;

/// A time limit that the operator may set, in milliseconds.
struct TimeLimit {
    key: &'static str,
    default_ms: u64,
    max_ms: u64,
}

impl TimeLimit {
    const fn new(key: &'static str, default_ms: u64, max_ms: u64) -> Self {
        Self {
            key,
            default_ms,
            max_ms,
        }
    }

    fn read(&self, given: Option<u64>, problems: &mut Vec<String>) -> Duration {
        let value = given.unwrap_or(self.default_ms);
        if value == 0 || value > self.max_ms {
            let (key, max) = (self.key, self.max_ms);
            problems.push(format!("{key}: {value} is not between 1 and {max} ms"));
        }
        Duration::from_millis(value)
    }
}

const HEAD: TimeLimit = TimeLimit::new("server.head_timeout_ms", 10_000, 10 * MINUTE_MS);
/// nginx's `keepalive_timeout`: clients of the field keep a connection for 4
/// (undici) to 90 s (Go), and what is closed as it is used again is an error.
const IDLE: TimeLimit = TimeLimit::new("server.idle_timeout_ms", 75_000, HOUR_MS);
const BODY: TimeLimit = TimeLimit::new("server.body_timeout_ms", 30_000, 10 * MINUTE_MS);
const WRITE: TimeLimit = TimeLimit::new("server.write_timeout_ms", 60_000, 10 * MINUTE_MS);
const STOP: TimeLimit = TimeLimit::new("server.stop_timeout_ms", MINUTE_MS, HOUR_MS);
/// What a load balancer may take to notice; none is the default.
const LAME_DUCK_MS_MAX: u64 = 10 * MINUTE_MS;
/// Beyond a second a power cut would cost more than any sync does.
const SYNC: TimeLimit = TimeLimit::new("ledger.sync_interval_ms", 20, 1_000);
/// Most that the cache may take: more than such a machine has to spare.
const CACHE_ALLOWED_MAX: usize = 64 << 30;
/// Most drains that may be allowed: each is a socket, like a connection.
const DRAINS_ALLOWED_MAX: usize = 65_536;

/// Makes sense of everything, or says everything that makes none.
pub(super) fn resolve(raw: &RawConfig, environment: &Environment) -> (Config, Vec<Finding>) {
    let mut problems = Vec::new();
    let disabled: Vec<String> = raw
        .providers
        .iter()
        .filter(|(_, provider)| provider.disabled.unwrap_or(false))
        .map(|(slug, _)| slug.clone())
        .collect();
    let config = Config {
        listen: listen(&raw.server, &mut problems),
        hosts: hosts(&raw.server, &mut problems),
        tls: tls::resolve(raw.server.tls.as_ref(), &mut problems),
        admin_listen: admin::resolve(raw.server.admin_listen.as_deref(), &mut problems),
        public_metrics: raw.server.public_metrics.unwrap_or(true),
        print_first_keys: raw.server.print_first_keys.unwrap_or(false),
        roads: net::resolve(&raw.net, environment, &mut problems),
        data_dir: data_dir(&raw.server, &mut problems),
        database: database(&raw.database, environment, &mut problems),
        simulate: raw.server.simulate.unwrap_or(false),
        workers: workers(&raw.server, &mut problems),
        limits: limits(raw, &mut problems),
        admission: admission::resolve(&raw.admission, &mut problems),
        cache_bytes_max: cache_bytes_max(raw.cache.bytes_max, &mut problems),
        markup_ppm: markup_ppm(raw.billing.markup_ppm, &mut problems),
        durability: durability(raw.ledger.durability.as_deref(), &mut problems),
        sync_interval: SYNC.read(raw.ledger.sync_interval_ms, &mut problems),
        calls_days: calls_days(raw.retention.calls_days, &mut problems),
        files: files::resolve(&raw.files, &raw.batches, &mut problems),
        videos: videos::resolve(&raw.videos, &mut problems),
        log_json: log_json(raw.log.format.as_deref(), &mut problems),
        log_level: level::resolve(raw.log.level.as_deref(), &mut problems),
        call_lines: calls::resolve(&raw.log),
        alarms: alarms::resolve(&raw.alarms, environment, &mut problems),
        telemetry: telemetry::resolve(&raw.telemetry, environment, &mut problems),
        providers: raw
            .providers
            .iter()
            .filter_map(|(slug, raw)| provider::resolve(slug, raw, environment, &mut problems))
            .collect(),
        continues: raw.options.continues.clone(),
        hedges: raw.options.hedges.clone(),
        ambient_keys: ambient_keys(&disabled, environment, &mut problems),
        disabled,
        overlay: bourse_catalog::Overlay {
            models: raw.models.clone(),
            ..bourse_catalog::Overlay::default()
        },
        warnings: Vec::new(),
        source: Arc::default(),
        written: Written::new(),
    };
    let told = |level| move |problem: &String| Finding::told(level, problem);
    let mut found: Vec<_> = problems.iter().map(told(Level::Error)).collect();
    found.extend(doubts::all(raw, &config));
    (config, found)
}

/// Days that finished calls are kept at least: whoever asks what a call cost
/// today or yesterday, in any time zone, finds it, and so does a start what was
/// left today.
const CALLS_DAYS_MIN: u64 = 2;
/// And at most; more is for ever.
const CALLS_DAYS_MAX: u64 = 36_500;

fn calls_days(days: Option<u64>, problems: &mut Vec<String>) -> Option<u64> {
    let is_sane = |days: &u64| (CALLS_DAYS_MIN..=CALLS_DAYS_MAX).contains(days);
    if let Some(days) = days.filter(|days| !is_sane(days)) {
        problems.push(format!(
            "retention.calls_days: {days} is not between {CALLS_DAYS_MIN} and {CALLS_DAYS_MAX}"
        ));
    }
    days
}

fn database(
    raw: &RawDatabase,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> DatabaseUrl {
    let Some(RawUrls(urls)) = &raw.url else {
        return DatabaseUrl::default();
    };
    let urls: Result<Vec<_>, _> = urls.iter().map(|url| url.resolve(environment)).collect();
    urls.and_then(|urls| DatabaseUrl::parse(&urls))
        .unwrap_or_else(|problem| {
            problems.push(format!("database.url: {problem}"));
            DatabaseUrl::default()
        })
}

fn listen(raw: &RawServer, problems: &mut Vec<String>) -> SocketAddr {
    let text = raw.listen.as_deref().unwrap_or(LISTEN);
    text.parse().unwrap_or_else(|_| {
        problems.push(format!(
            "server.listen: `{text}` is not an address such as \"{LISTEN}\""
        ));
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn data_dir(raw: &RawServer, problems: &mut Vec<String>) -> PathBuf {
    let path = PathBuf::from(raw.data_dir.as_deref().unwrap_or("data"));
    if path.as_os_str().is_empty() {
        problems.push("server.data_dir: is empty; \".\" is the working directory".to_owned());
    } else if path.exists() && !path.is_dir() {
        let path = path.display();
        problems.push(format!(
            "server.data_dir: {path} is there and is no directory"
        ));
    }
    path
}

fn hosts(raw: &RawServer, problems: &mut Vec<String>) -> Option<Vec<String>> {
    let names = raw.hosts.as_ref()?;
    if names.len() > HOSTS_MAX {
        problems.push(format!("server.hosts: at most {HOSTS_MAX} names"));
    }
    for name in names {
        // The whole of it: a port would never match.
        if name != head::ANY_HOST && head::name(name) != Some(name) {
            problems.push(format!(
                "server.hosts: `{name}` is neither a name without a port nor \"*\""
            ));
        }
    }
    Some(names.clone())
}

fn workers(raw: &RawServer, problems: &mut Vec<String>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // One core is left to the journal, the database and the control plane.
    let workers = raw
        .workers
        .unwrap_or_else(|| cores.saturating_sub(1).max(1));
    if !(1..=WORKERS_MAX).contains(&workers) {
        problems.push(format!(
            "server.workers: {workers} is not between 1 and {WORKERS_MAX}"
        ));
    }
    workers
}

fn limits(raw: &RawConfig, problems: &mut Vec<String>) -> CallLimits {
    let server = &raw.server;
    let body_bytes_max = server.body_bytes_max.unwrap_or(BODY_BYTES_MAX);
    if !(1024..=1 << 30).contains(&body_bytes_max) {
        problems.push(format!(
            "server.body_bytes_max: {body_bytes_max} is not between 1024 and 1073741824"
        ));
    }
    let least = body_bytes_max.saturating_mul(BODIES_LONGEST_MIN);
    let bodies_bytes_max = server
        .bodies_bytes_max
        .unwrap_or_else(|| BODIES_BYTES_MAX.max(least));
    if bodies_bytes_max < least {
        problems.push(format!(
            "server.bodies_bytes_max: {bodies_bytes_max} is less than twice server.body_bytes_max, {least}"
        ));
    }
    let body_rate_min = server.body_rate_min.unwrap_or(BODY_RATE_MIN);
    if body_rate_min > BODY_RATE_MIN_MAX {
        problems.push(format!(
            "server.body_rate_min: {body_rate_min} is not between 0 and {BODY_RATE_MIN_MAX}"
        ));
    }
    let drains_max = server.drains_max.unwrap_or(DRAINS_MAX);
    if drains_max > DRAINS_ALLOWED_MAX {
        problems.push(format!(
            "server.drains_max: {drains_max} is not between 0 and {DRAINS_ALLOWED_MAX}"
        ));
    }
    let lame_duck_ms = server.lame_duck_ms.unwrap_or(0);
    if lame_duck_ms > LAME_DUCK_MS_MAX {
        problems.push(format!(
            "server.lame_duck_ms: {lame_duck_ms} is not between 0 and {LAME_DUCK_MS_MAX} ms"
        ));
    }
    let deadlines = deadlines::resolve(&raw.deadlines, &raw.routing, problems);
    let mut read = |limit: &TimeLimit, given| limit.read(given, problems);
    CallLimits {
        body_bytes_max,
        bodies_bytes_max,
        body_rate_min,
        drains_max,
        deadlines,
        head_timeout: read(&HEAD, server.head_timeout_ms),
        idle_timeout: read(&IDLE, server.idle_timeout_ms),
        body_timeout: read(&BODY, server.body_timeout_ms),
        write_timeout: read(&WRITE, server.write_timeout_ms),
        lame_duck: Duration::from_millis(lame_duck_ms),
        stop_timeout: read(&STOP, server.stop_timeout_ms),
    }
}

fn cache_bytes_max(given: Option<usize>, problems: &mut Vec<String>) -> usize {
    let bytes = given.unwrap_or(CACHE_BYTES_MAX);
    if bytes != 0 && !(CACHE_BYTES_MIN..=CACHE_ALLOWED_MAX).contains(&bytes) {
        problems.push(format!(
            "cache.bytes_max: {bytes} is neither 0 nor between {CACHE_BYTES_MIN} and {CACHE_ALLOWED_MAX}"
        ));
    }
    bytes
}

fn markup_ppm(given: Option<u64>, problems: &mut Vec<String>) -> u64 {
    let markup_ppm = given.unwrap_or(0);
    if markup_ppm > MARKUP_PPM_MAX {
        problems.push(format!(
            "billing.markup_ppm: {markup_ppm} is more than {MARKUP_PPM_MAX} (ten times the price); 55000 means 5.5 %"
        ));
    }
    markup_ppm
}

fn durability(given: Option<&str>, problems: &mut Vec<String>) -> Durability {
    match given {
        None | Some("group") => Durability::Group,
        Some("always") => Durability::Always,
        Some(other) => {
            problems.push(format!(
                "ledger.durability: `{other}` is neither \"group\" nor \"always\""
            ));
            Durability::Group
        }
    }
}

fn log_json(given: Option<&str>, problems: &mut Vec<String>) -> bool {
    match given {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            problems.push(format!(
                "log.format: `{other}` is neither \"text\" nor \"json\""
            ));
            false
        }
    }
}

/// Keys of built-in providers that the operator has not switched off, each
/// from the first of its variables that says something.
fn ambient_keys(
    disabled: &[String],
    environment: &Environment,
    problems: &mut Vec<String>,
) -> BTreeMap<&'static str, ProviderKey> {
    let mut keys = BTreeMap::new();
    for provider in bourse_providers::all() {
        if disabled.iter().any(|slug| slug == provider.slug()) {
            continue;
        }
        for name in provider.env() {
            match environment.get(name) {
                Ok(Some(key)) if !key.trim().is_empty() => {
                    keys.entry(provider.slug()).or_insert_with(|| ProviderKey {
                        key: bourse_providers::Key::new(key),
                        weight: 1,
                        source: format!("variable {name}"),
                    });
                }
                Ok(_) => {}
                Err(problem) => problems.push(problem),
            }
        }
    }
    keys
}
