//! `bourse route`: how a call would be routed, without making it.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bourse_dataplane::bodies::Bodies;
use bourse_dataplane::clock::now_ms;
use bourse_dataplane::explain::{Asked, explain};
use bourse_dataplane::gateway::CallLimits;
use bourse_dataplane::identity::Identity;
use bourse_dataplane::market::Memory;
use bourse_vocab::{AccountId, StoreId};
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use super::server::{Asking, Server};
use super::{Common, Error, block_on, output, say};
use crate::config::Config;
use crate::control::EXPLAINED;
use crate::market::{self, Providers};

/// Where a running server is asked.
const PATH: &str = "/api/v1/routing/explain";
/// Longest request that is explained, as the server has it.
const BODY_BYTES_MAX: u64 = 1 << 20;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Says who would be asked, in which order, and why not the others
    #[command(after_help = "\
Nothing is sent to a provider, and no money is set aside.

A running server knows who fails, rests or is busy. It is asked if a management key is given,
and if it answers where the configuration says that it listens. Otherwise the answer comes from
the configuration alone, as if nothing had been called yet. The first line says which.

Where nobody asks for an order, the first endpoint is drawn by price, so another run may name
another one first: a third of the price is nine times as likely.

Why an endpoint is left out:
  resting            its provider said when to ask again
  broken             it fails; one call will find out whether it is back
  allow_fallbacks    the request wants no other than the first
  operation          it cannot be called for chat
  service_tier       it sells another tier than the one that is asked for
  supports_fewer_parameters
                     others support more of the tools and formats of the request
  allowed_providers, max_price, context_length, ...
                     as `excluded_by` of a call's error has it

Examples:
  bourse route explain --model acme/chat
  bourse route explain --model acme/chat --provider '{\"sort\":\"price\",\"zdr\":true}'
  bourse route explain --body request.json --json
  BOURSE_MANAGEMENT_KEY=sk-... bourse route explain --model acme/chat")]
    Explain(Explain),
}

#[derive(clap::Args)]
pub(super) struct Explain {
    /// The model, in place of the one in the body
    #[arg(long, value_name = "SLUG", required_unless_present = "body")]
    model: Option<String>,
    /// A chat request as JSON; `-` reads it from the standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The `provider` object, in place of the one in the body
    #[arg(long, value_name = "JSON")]
    provider: Option<String>,
    #[command(flatten)]
    asking: Asking,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    let Command::Explain(options) = command;
    let config = common.load()?;
    let request = request(options)?;
    let (told, from) = block_on(answer(options, &config, request))?;
    if options.json {
        let mut told = told;
        if let Some(members) = told.as_object_mut() {
            members.insert("health_known".to_owned(), from.is_live().into());
            members.insert("from".to_owned(), from.to_string().into());
        }
        say(serde_json::to_string_pretty(&told)?);
    } else {
        print(&told, &from);
    }
    Ok(())
}

/// Where an answer comes from.
enum Source {
    /// A running server, at this address.
    Server(String),
    /// The configuration, for this reason.
    Configuration(String),
}

impl Source {
    const fn is_live(&self) -> bool {
        matches!(self, Self::Server(_))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(url) => write!(f, "the server at {url}, with the health that it knows"),
            Self::Configuration(why) => {
                write!(f, "the configuration alone, with no health known: {why}")
            }
        }
    }
}

/// The request that is explained: the body, or a plain one, with what the
/// options say in its place.
fn request(options: &Explain) -> Result<String, Error> {
    let mut request = match &options.body {
        None => json!({"messages": [{"role": "user", "content": "Hello"}]}),
        Some(path) => {
            let name = path.display();
            let text = read_body(path).map_err(|error| format!("{name}: {error}"))?;
            serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?
        }
    };
    let members = request
        .as_object_mut()
        .ok_or("--body: must be a JSON object, as POST /chat/completions takes it")?;
    if let Some(model) = &options.model {
        members.remove("models");
        members.insert("model".to_owned(), model.as_str().into());
    }
    if let Some(provider) = &options.provider {
        let wishes: Value = serde_json::from_str(provider)
            .map_err(|error| format!("--provider: must be a JSON object: {error}"))?;
        members.insert("provider".to_owned(), wishes);
    }
    Ok(request.to_string())
}

fn read_body(path: &std::path::Path) -> Result<String, Error> {
    let from: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path)?)
    };
    let mut text = String::new();
    from.take(BODY_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BODY_BYTES_MAX {
        return Err(format!("is longer than {BODY_BYTES_MAX} bytes").into());
    }
    Ok(text)
}

async fn answer(
    options: &Explain,
    config: &Config,
    request: String,
) -> Result<(Value, Source), Error> {
    let asking = &options.asking;
    let url = asking.url(config);
    let why = match &asking.key {
        None if asking.server.is_some() => {
            return Err(
                "--server: needs a management key, as --key or in BOURSE_MANAGEMENT_KEY".into(),
            );
        }
        None => "a management key was not given".to_owned(),
        Some(key) => match ask((&url, key), config, request.clone()).await? {
            Some(told) => return Ok((told, Source::Server(url))),
            None if asking.server.is_some() => {
                return Err(format!("{url}: no server answers there").into());
            }
            None => format!("no server answers at {url}"),
        },
    };
    let told = planned_alone(config, request).await?;
    Ok((told, Source::Configuration(why)))
}

/// Asks a server; `None` if there is none.
async fn ask(
    (url, key): (&str, &str),
    config: &Config,
    request: String,
) -> Result<Option<Value>, Error> {
    let asking = Server::new(url, key, &config.roads)?;
    let Some(text) = asking.ask(Method::POST, PATH, request).await? else {
        return Ok(None);
    };
    let mut reply: Value = serde_json::from_slice(&text)
        .map_err(|error| format!("{url}: answered without JSON: {error}"))?;
    let told = reply.get_mut("data").map(Value::take);
    told.map(Some)
        .ok_or_else(|| format!("{url}: answered without `data`").into())
}

/// Plans with what is configured, as if nothing had been called yet.
async fn planned_alone(config: &Config, request: String) -> Result<Value, Error> {
    let providers = if market::is_any_configured(config) {
        Providers::Configured
    } else {
        // Nothing is sent, so it does not matter where they would be.
        Providers::Simulated(SocketAddr::from(([127, 0, 0, 1], 9)))
    };
    let tokens = crate::tokens::Tokens::idle();
    let built = market::build(config, &providers, &Memory::default(), &tokens)?;
    let limits = CallLimits::default();
    let asked = Asked {
        path: EXPLAINED,
        market: &built.market,
        // Where a session's lot falls is known to its installation alone.
        identity: &Identity::of(StoreId([0; 16])),
        account: AccountId(0),
        limits: &limits,
        bodies: &Arc::new(Bodies::new(limits.body_bytes_max)),
        now_ms: now_ms(),
    };
    let told = explain(&asked, request).await;
    told.map_err(|failure| failure.message.to_string().into())
}

/// The answer as a table.
fn print(told: &Value, from: &Source) {
    say(format_args!("From {from}."));
    let list = |name: &str| {
        told.get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let models: Vec<_> = list("requested").filter_map(Value::as_str).collect();
    let order = text_at(told, "/order").unwrap_or_default();
    say(format_args!(
        "{}, in the order `{order}`:",
        models.join(", ")
    ));
    let mut table = output::table([
        "place", "endpoint", "key", "USD", "calls", "first ms", "breaker", "tools", "left out",
    ]);
    for line in list("candidates") {
        let word = |name: &str| match line.get(name) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let left_out = match (line.get("left_out"), line.get("rest_ms")) {
            (Some(Value::String(why)), Some(Value::Number(ms))) => format!("{why} for {ms} ms"),
            (Some(Value::String(why)), _) => why.clone(),
            _ => String::new(),
        };
        // Of how many, where the provider has refused more.
        let calls = match line.get("calls_max") {
            Some(Value::Number(max)) => format!("{} of {max}", word("in_flight")),
            _ => word("in_flight"),
        };
        table.add_row([
            word("place"),
            word("endpoint"),
            word("credential"),
            word("price_usd"),
            calls,
            word("expected_ms"),
            word("standing"),
            quality(line).unwrap_or_else(|| "-".to_owned()),
            left_out,
        ]);
    }
    say(table);
    if let Some(message) = text_at(told, "/refused/message") {
        let status = told.pointer("/refused/status").and_then(Value::as_u64);
        let status = status.unwrap_or_default();
        say(format_args!("A call would get {status}: {message}"));
    }
}

/// How good an endpoint is for calls with tools, and why it is not; `None` where
/// the order is not by that.
fn quality(line: &Value) -> Option<String> {
    let tier = line.get("quality")?.as_str()?;
    let why = line.get("quality_why").and_then(Value::as_array);
    let why: Vec<_> = why
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    Some(if why.is_empty() {
        tier.to_owned()
    } else {
        format!("{tier}: {}", why.join(", "))
    })
}

/// The text at a place of JSON.
fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}
