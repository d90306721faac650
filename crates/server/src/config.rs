//! What the operator wrote, and what it means.
//!
//! Two stages, like a good command line: [`RawConfig`] is the text, checked
//! for shape with file and line; [`Config`] is its meaning, with every
//! mistake reported at once. Secrets print as `***`.

mod env;
mod raw;
mod secret;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bourse_vocab::Format;

pub use raw::{RawConfig, RawProvider};
pub use secret::RawSecret;

/// Where the server looks when no path is given.
pub const DEFAULT_PATH: &str = "bourse.toml";
/// The most a request body may hold unless configuration says otherwise.
/// Twice the largest image that providers take, with room for a long prompt.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How hard the spool tries to survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A hold proceeds when the kernel has it (survives `kill -9`); the disk
    /// has it within milliseconds.
    Group,
    /// A hold waits until the disk has it.
    Always,
}

/// One provider, as the operator set it up.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Its slug.
    pub slug: String,
    /// Its key, if it needs one. Prints as `***`.
    pub key: Option<bourse_providers::Key>,
    /// Another address than the built-in one.
    pub base_url: Option<String>,
    /// The format that an unknown provider speaks.
    pub format: Option<Format>,
    /// Whether HTTP/2 is used: `auto`, `never` or `prior`.
    pub http2: Option<bourse_net::Http2>,
    /// What to do upstream when the client has left.
    pub on_disconnect: Option<bourse_providers::Disconnect>,
}

/// Deadlines and limits of calls.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// The most a request body may hold.
    pub body_bytes_max: usize,
    /// From sending an attempt to the first content, where another target
    /// is left to try.
    pub first_token_timeout: Duration,
    /// The same for the last target.
    pub last_first_token_timeout: Duration,
    /// The longest silence in the middle of an answer.
    pub idle_timeout: Duration,
    /// Connecting, TLS included.
    pub connect_timeout: Duration,
    /// The longest a client may take to send a request's head.
    pub head_timeout: Duration,
    /// The longest silence inside a request's body.
    pub body_timeout: Duration,
    /// The longest a client may read nothing of its answer.
    pub write_timeout: Duration,
    /// A streaming client waits this long before it is sent comments.
    pub keep_alive_after: Duration,
    /// A detached drain of an answer ends after this long.
    pub drain_timeout: Duration,
}

/// What the configuration means.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Data-plane threads.
    pub workers: usize,
    /// See [`CallLimits`].
    pub limits: CallLimits,
    /// What is added to upstream prices, in parts per million.
    pub markup_ppm: u64,
    /// See [`Durability`].
    pub durability: Durability,
    /// Providers that have a section and are not switched off.
    pub providers: Vec<ProviderConfig>,
    /// Slugs of those that are: their variables count for nothing either.
    pub disabled: Vec<String>,
    /// Models laid over the catalog.
    pub overlay: bourse_catalog::Overlay,
    /// `json` or `text`.
    pub log_json: bool,
    /// Log filter, such as `info` or `bourse=debug`.
    pub log_level: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<String>);

impl std::fmt::Display for ConfigErrors {
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
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigErrors> {
        let (name, text) = match path {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| ConfigErrors(vec![format!("{}: {error}", path.display())]))?;
                (path.display().to_string(), text)
            }
            None => match std::fs::read_to_string(DEFAULT_PATH) {
                Ok(text) => (DEFAULT_PATH.to_owned(), text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    ("(no file)".to_owned(), String::new())
                }
                Err(error) => {
                    return Err(ConfigErrors(vec![format!("{DEFAULT_PATH}: {error}")]));
                }
            },
        };
        let variables = std::env::vars().collect::<Vec<_>>();
        Self::parse(&name, &text, &variables)
    }

    /// The pure part of [`Self::load`]: text and variables are arguments.
    pub fn parse(
        name: &str,
        text: &str,
        variables: &[(String, String)],
    ) -> Result<Self, ConfigErrors> {
        let raw = raw::parse(name, text).map_err(|problem| ConfigErrors(vec![problem]))?;
        let raw = env::overlay(name, text, raw, variables)?;
        Self::resolve(&raw, variables)
    }

    fn resolve(raw: &RawConfig, variables: &[(String, String)]) -> Result<Self, ConfigErrors> {
        let mut problems = Vec::new();
        let server = &raw.server;
        let listen = server.listen.as_deref().unwrap_or("127.0.0.1:8787");
        let listen = listen.parse().unwrap_or_else(|_| {
            problems.push(format!(
                "server.listen: `{listen}` is not an address such as \"127.0.0.1:8787\""
            ));
            SocketAddr::from(([127, 0, 0, 1], 8787))
        });
        match raw.database.url.as_deref() {
            None | Some("sqlite") => {}
            Some(url) => problems.push(format!(
                "database.url: `{}` is not supported by this build; use \"sqlite\", which keeps everything inside server.data_dir",
                url.split("://").next().unwrap_or("")
            )),
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // One core is left to the journal, the database and the control plane.
        let workers = server
            .workers
            .unwrap_or_else(|| cores.saturating_sub(1).max(1));
        if !(1..=256).contains(&workers) {
            problems.push(format!(
                "server.workers: {workers} is not between 1 and 256"
            ));
        }
        let body_bytes_max = server.body_bytes_max.unwrap_or(BODY_BYTES_MAX);
        if !(1024..=1 << 30).contains(&body_bytes_max) {
            problems.push(format!(
                "server.body_bytes_max: {body_bytes_max} is not between 1024 and 1073741824"
            ));
        }
        let mut duration = |field: &str, value: Option<u64>, default: u64, max: u64| {
            let value = value.unwrap_or(default);
            if value == 0 || value > max {
                problems.push(format!("{field}: {value} is not between 1 and {max} ms"));
            }
            Duration::from_millis(value)
        };
        let routing = &raw.routing;
        let limits = CallLimits {
            body_bytes_max,
            first_token_timeout: duration(
                "routing.first_token_timeout_ms",
                routing.first_token_timeout_ms,
                30_000,
                3_600_000,
            ),
            last_first_token_timeout: duration(
                "routing.last_first_token_timeout_ms",
                routing.last_first_token_timeout_ms,
                300_000,
                3_600_000,
            ),
            idle_timeout: duration(
                "routing.idle_timeout_ms",
                routing.idle_timeout_ms,
                120_000,
                3_600_000,
            ),
            connect_timeout: duration(
                "routing.connect_timeout_ms",
                routing.connect_timeout_ms,
                5_000,
                60_000,
            ),
            keep_alive_after: duration(
                "routing.keep_alive_after_ms",
                routing.keep_alive_after_ms,
                10_000,
                60_000,
            ),
            head_timeout: duration(
                "server.head_timeout_ms",
                server.head_timeout_ms,
                10_000,
                600_000,
            ),
            body_timeout: duration(
                "server.body_timeout_ms",
                server.body_timeout_ms,
                30_000,
                600_000,
            ),
            write_timeout: duration(
                "server.write_timeout_ms",
                server.write_timeout_ms,
                60_000,
                600_000,
            ),
            drain_timeout: duration(
                "routing.drain_timeout_ms",
                routing.drain_timeout_ms,
                120_000,
                3_600_000,
            ),
        };
        let markup_ppm = raw.billing.markup_ppm.unwrap_or(0);
        if markup_ppm > 10_000_000 {
            problems.push(format!(
                "billing.markup_ppm: {markup_ppm} is more than 10000000 (ten times the price); 55000 means 5.5 %"
            ));
        }
        let durability = match raw.ledger.durability.as_deref() {
            None | Some("group") => Durability::Group,
            Some("always") => Durability::Always,
            Some(other) => {
                problems.push(format!(
                    "ledger.durability: `{other}` is neither \"group\" nor \"always\""
                ));
                Durability::Group
            }
        };
        let log_json = match raw.log.format.as_deref() {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => {
                problems.push(format!(
                    "log.format: `{other}` is neither \"text\" nor \"json\""
                ));
                false
            }
        };
        let providers = raw
            .providers
            .iter()
            .filter_map(|(slug, raw)| provider(slug, raw, variables, &mut problems))
            .collect();
        let disabled = raw
            .providers
            .iter()
            .filter(|(_, provider)| provider.disabled.unwrap_or(false))
            .map(|(slug, _)| slug.clone())
            .collect();
        if problems.is_empty() {
            Ok(Self {
                listen,
                data_dir: PathBuf::from(server.data_dir.as_deref().unwrap_or("data")),
                workers,
                limits,
                markup_ppm,
                durability,
                providers,
                disabled,
                overlay: bourse_catalog::Overlay {
                    models: raw.models.clone(),
                    ..bourse_catalog::Overlay::default()
                },
                log_json,
                log_level: raw.log.level.clone().unwrap_or_else(|| "info".to_owned()),
            })
        } else {
            Err(ConfigErrors(problems))
        }
    }
}

fn provider(
    slug: &str,
    raw: &RawProvider,
    variables: &[(String, String)],
    problems: &mut Vec<String>,
) -> Option<ProviderConfig> {
    let at = |field: &str| format!("providers.{slug}.{field}");
    let known = bourse_providers::by_slug(slug).is_some();
    if !slug
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
    {
        problems.push(format!(
            "providers.{slug}: a provider's name has only a-z, 0-9, '-', '_' and '.'"
        ));
    }
    if raw.disabled.unwrap_or(false) {
        return None;
    }
    let key = match raw.api_key.as_ref().map(|secret| secret.resolve(variables)) {
        None => None,
        Some(Ok(key)) => Some(bourse_providers::Key::new(&key)),
        Some(Err(problem)) => {
            problems.push(format!("{}: {problem}", at("api_key")));
            None
        }
    };
    let format = match raw.format.as_deref() {
        None => None,
        Some(text) => match Format::by_slug(text) {
            Some(format) => Some(format),
            None => {
                let known: Vec<_> = Format::ALL.iter().map(|format| format.slug()).collect();
                problems.push(format!(
                    "{}: `{text}` is not one of {}",
                    at("format"),
                    known.join(", ")
                ));
                None
            }
        },
    };
    if !known {
        if raw.base_url.is_none() {
            problems.push(format!(
                "{}: required, because {slug} is not a built-in provider",
                at("base_url")
            ));
        }
        if raw.format.is_none() {
            problems.push(format!("{}: required, because {slug} is not a built-in provider; use \"openai-chat\" for most servers", at("format")));
        }
    }
    if let Some(url) = &raw.base_url
        && let Err(error) = bourse_net::Origin::parse_operator(url)
    {
        problems.push(format!("{}: {error}", at("base_url")));
    }
    let http2 = match raw.http2.as_deref() {
        None => None,
        Some("auto") => Some(bourse_net::Http2::Auto),
        Some("never") => Some(bourse_net::Http2::Never),
        Some("prior") => Some(bourse_net::Http2::Prior),
        Some(other) => {
            problems.push(format!(
                "{}: `{other}` is not one of auto, never, prior",
                at("http2")
            ));
            None
        }
    };
    let on_disconnect = match raw.on_disconnect.as_deref() {
        None => None,
        Some("cancel") => Some(bourse_providers::Disconnect::Cancel),
        Some("drain") => Some(bourse_providers::Disconnect::Drain),
        Some(other) => {
            problems.push(format!(
                "{}: `{other}` is neither cancel nor drain",
                at("on_disconnect")
            ));
            None
        }
    };
    Some(ProviderConfig {
        slug: slug.to_owned(),
        key,
        base_url: raw.base_url.clone(),
        format,
        http2,
        on_disconnect,
    })
}

#[cfg(test)]
mod tests;
