//! What the operator wrote, and what it means.
//!
//! Two stages, like a good command line: [`RawConfig`] is the text, checked
//! for shape with file and line; [`Config`] is its meaning, with every
//! mistake reported at once. Secrets print as `***`.

mod admin;
mod admission;
mod alarms;
mod calls;
mod changes;
mod checked;
mod credentials;
mod deadlines;
mod doubts;
mod env;
mod environment;
mod examine;
mod files;
pub(crate) mod level;
mod near;
mod net;
mod picture;
mod problem;
mod provider;
mod raw;
mod resolve;
mod restart;
mod schema;
mod secret;
mod shape;
mod show;
mod snippet;
mod source;
mod syntax;
mod telemetry;
mod tls;
mod videos;
mod written;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::admission::bounds::Limits;
use bourse_dataplane::deadlines::Deadlines;
use bourse_net::h1_server::Waits;
use bourse_store::DatabaseUrl;
use bourse_vocab::Format;

pub use admin::AdminListen;
pub use alarms::{Alarms, Webhook};
pub use calls::CallLines;
pub use changes::{Changes, Description};
pub use checked::Which;
pub use environment::Environment;
pub use examine::Examined;
pub use files::Files;
pub use net::RawNet;
pub use picture::told;
pub use problem::{Level, Place, Problem};
pub use raw::{RawConfig, RawProvider};
pub use restart::waiting as waiting_for_restart;
pub use schema::schema;
pub use secret::{RawKey, RawSecret, RawUrls};
pub use show::{Shown, show};
pub use source::Source;
pub use telemetry::Telemetry;
pub use tls::{RawTls, TlsFiles};
pub use videos::Videos;
pub use written::Written;

/// Where the server looks when no path is given.
pub const DEFAULT_PATH: &str = "bourse.toml";

/// How hard the spool tries to survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A hold proceeds when the kernel has it (survives `kill -9`); the disk
    /// has it within milliseconds.
    Group,
    /// A hold waits until the disk has it.
    Always,
}

/// A key of a provider.
#[derive(Debug, Clone)]
pub struct ProviderKey {
    /// The key. It prints as `***`.
    pub key: bourse_providers::Key,
    /// How often it is used, to the other keys of the provider.
    pub weight: u32,
    /// Where it was found, for whoever looks for it.
    pub source: String,
}

/// A pair of keys that signs requests, and the session it belongs to. Each
/// prints as `***`.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// Who signs.
    pub id: bourse_providers::Key,
    /// What is signed with.
    pub secret: bourse_providers::Key,
    /// The token of the session, if it is one.
    pub session: Option<bourse_providers::Key>,
}

/// One provider, as the operator set it up.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Its slug.
    pub slug: String,
    /// Its keys, each a target of its own of every endpoint; none if it needs
    /// none. They print as `***`.
    pub keys: Vec<ProviderKey>,
    /// A pair of keys with which its requests are signed, a target beside those
    /// of the keys. It prints as `***`.
    pub key_pair: Option<KeyPair>,
    /// Somebody who gets tokens for it, a target beside those. It prints without
    /// its secrets.
    pub identity: Option<bourse_providers::Identity>,
    /// How it is called, of a kind that is neither built in nor plain.
    pub kind: Option<bourse_providers::azure::Azure>,
    /// Where it is called, of one that is in many places.
    pub place: bourse_providers::Place,
    /// Another address than the built-in one.
    pub base_url: Option<String>,
    /// The format that an unknown provider speaks.
    pub format: Option<Format>,
    /// Whether HTTP/2 is used: `auto`, `never` or `prior`.
    pub http2: Option<bourse_net::Http2>,
    /// What to do upstream when the client has left.
    pub on_disconnect: Option<bourse_providers::Disconnect>,
    /// How it is told to go on with an answer that has begun.
    pub prefill: Option<bourse_providers::Prefill>,
    /// Whether it may be sent private addresses that callers wrote.
    pub private_urls: bool,
    /// Its own road, if it has one.
    pub via: Option<bourse_net::Via>,
}

/// Deadlines and limits of calls.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// The most a request body may hold.
    pub body_bytes_max: usize,
    /// The most that all of them may hold together.
    pub bodies_bytes_max: usize,
    /// The least that must come of one, in bytes a second.
    pub body_rate_min: u64,
    /// How long each stage of a call may take.
    pub deadlines: Deadlines,
    /// The longest a client may take to send a request's head.
    pub head_timeout: Duration,
    /// The longest a kept connection may wait for its client's next request.
    pub idle_timeout: Duration,
    /// The longest silence inside a request's body.
    pub body_timeout: Duration,
    /// The longest a client may read nothing of its answer.
    pub write_timeout: Duration,
    /// How long new calls are still served once the server is told to stop.
    pub lame_duck: Duration,
    /// How long running calls may take to end once no new ones are served.
    pub stop_timeout: Duration,
    /// Answers that are read on at once although their client has left.
    pub drains_max: usize,
}

impl CallLimits {
    /// How long a connection waits for its client.
    #[must_use]
    pub const fn waits(&self) -> Waits {
        Waits {
            head: self.head_timeout,
            next: self.idle_timeout,
        }
    }
}

/// What the configuration means.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Names under which it is called, if any are written.
    pub hosts: Option<Vec<String>>,
    /// The certificate with which it speaks TLS, if it does.
    pub tls: Option<TlsFiles>,
    /// Where operators look, if they have a listener of their own.
    pub admin_listen: Option<AdminListen>,
    /// Whether clients' listener shows counters, to management keys.
    pub public_metrics: bool,
    /// Whether the first keys are printed wherever standard output leads.
    pub print_first_keys: bool,
    /// By which roads everything else is reached.
    pub roads: Arc<bourse_net::Roads>,
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Where accounts, keys and finished calls are.
    pub database: DatabaseUrl,
    /// Simulated providers whatever is configured.
    pub simulate: bool,
    /// Data-plane threads.
    pub workers: usize,
    /// See [`CallLimits`].
    pub limits: CallLimits,
    /// What keys and accounts may have at once, and how batch calls wait.
    pub admission: Limits,
    /// What answers that are kept may take of memory, in bytes; 0 for no cache.
    pub cache_bytes_max: usize,
    /// What is added to upstream prices, in parts per million.
    pub markup_ppm: u64,
    /// See [`Durability`].
    pub durability: Durability,
    /// The least time between two syncs of the journal.
    pub sync_interval: Duration,
    /// Days for which finished calls are kept; for ever, if absent.
    pub calls_days: Option<u64>,
    /// What callers may keep here, and what is called for them later.
    pub files: Files,
    /// Films that providers make.
    pub videos: Videos,
    /// Providers that have a section and are not switched off.
    pub providers: Vec<ProviderConfig>,
    /// Slugs of those that are: their variables count for nothing either.
    pub disabled: Vec<String>,
    /// Keys of built-in providers from their own variables, such as
    /// `OPENAI_API_KEY`, by slug. A key in the file goes before.
    pub ambient_keys: BTreeMap<&'static str, ProviderKey>,
    /// Models whose streams are gone on with where they break.
    pub continues: Vec<String>,
    /// Models of which a second target is asked beside a late one.
    pub hedges: Vec<String>,
    /// Models laid over the catalog.
    pub overlay: bourse_catalog::Overlay,
    /// `json` or `text`.
    pub log_json: bool,
    /// Log filter, such as `info` or `bourse=debug`.
    pub log_level: String,
    /// Which calls have a line of their own.
    pub call_lines: CallLines,
    /// Who is told what an operator must know.
    pub alarms: Alarms,
    /// To whom traces are told, if to anybody.
    pub telemetry: Option<Telemetry>,
    /// What is hardly meant, although it can be understood.
    pub warnings: Vec<Problem>,
    /// The text that all this was read from.
    pub source: Arc<Source>,
    /// It, key by key.
    pub written: Written,
}

/// The longest configuration: some 50,000 models.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<Problem>);

impl ConfigErrors {
    fn one(sentence: String, place: Place) -> Self {
        Self(vec![Problem {
            level: Level::Error,
            key: String::new(),
            sentence,
            help: None,
            place,
        }])
    }

    /// All of it on one line, for a record of the log.
    #[must_use]
    pub fn on_one_line(&self) -> String {
        self.to_string().replace('\n', "; ")
    }
}

impl std::fmt::Display for ConfigErrors {
    /// Each on a line of its own.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads a file, the environment over it, and makes sense of both. A
    /// missing file is an error only where the path was given explicitly.
    ///
    /// # Errors
    /// Everything that is wrong with the two.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigErrors> {
        Self::examine(path)?.good()
    }

    /// The same, with what can be understood although something is wrong.
    ///
    /// # Errors
    /// There is no text to be read.
    pub fn examine(path: Option<&Path>) -> Result<Examined, ConfigErrors> {
        let (name, text) = read_file(path)?;
        Ok(examine::examine(&name, &text, &Environment::of_process()))
    }

    /// The pure part of [`Self::load`]: text and variables are arguments.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(name: &str, text: &str, environment: &Environment) -> Result<Self, ConfigErrors> {
        examine::examine(name, text, environment).good()
    }

    /// Mistakes that were found later, each a sentence behind the key that it
    /// is about, with their places.
    #[must_use]
    pub fn located(&self, problems: impl IntoIterator<Item = String>) -> ConfigErrors {
        let found = problems.into_iter();
        let found = found.map(|problem| doubts::meant(self, &problem));
        ConfigErrors(examine::sorted(self.source.located(found.collect())))
    }
}

/// The configuration's name, for messages, and its text.
fn read_file(path: Option<&Path>) -> Result<(String, String), ConfigErrors> {
    let shown = path.unwrap_or(Path::new(DEFAULT_PATH));
    let name = shown.display().to_string();
    let wrong = |why: String| ConfigErrors::one(format!("{name}: {why}"), Place::Nowhere);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(shown).and_then(|file| {
        file.take(FILE_BYTES_MAX.saturating_add(1))
            .read_to_end(&mut bytes)
    });
    match read {
        Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => Err(wrong(format!(
            "is longer than {} MiB",
            FILE_BYTES_MAX >> 20
        ))),
        Ok(_) => text(&name, bytes).map(|text| (name, text)),
        Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(("(no file)".to_owned(), String::new()))
        }
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// The text of a file, or where it stops being one.
fn text(name: &str, bytes: Vec<u8>) -> Result<String, ConfigErrors> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (good, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
    let before = String::from_utf8_lossy(bytes.get(..good).unwrap_or_default());
    let byte = bytes.get(good).copied().unwrap_or_default();
    let sentence = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16; save it as UTF-8".to_owned(),
        _ => format!("the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"),
    };
    let source = Source {
        name: name.to_owned(),
        text: before.into_owned(),
        is_broken: true,
        ..Source::default()
    };
    Err(ConfigErrors::one(sentence, source.place(good..good, &[])))
}

#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod tests;
