//! What the server under test sells: models, the providers behind them,
//! and what a token costs, all known to the checker.
//!
//! Every price is a whole number of nano-dollars a token and the markup is
//! nothing, so a charge is two products and a sum: the checker computes it
//! without any of the server's code.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use crate::script::{Script, ScriptSet, UsageFault};

/// Credit of the account, in whole dollars: more than a run spends.
pub const RICH_USD: i64 = 100;
/// What a key with a limit may spend, in nano-dollars: soon too little.
pub const LIMIT_NANOS: i64 = 1_500_000;
/// One grant while the server runs, in nano-dollars.
pub const GIFT_NANOS: i64 = 1_500_000;
/// The model that is asked for more than the balance buys: the refusal says
/// what the server believes is left, to [`PROBE_NANOS`].
pub const PROBE_MODEL: &str = "crash/probe";
/// Output tokens of that request, the most that the API takes.
pub const PROBE_TOKENS: u64 = 1_000_000_000;
/// Nano-dollars for a token of that model's output; input is free. Dear
/// enough that [`RICH_USD`] never buys [`PROBE_TOKENS`], and less than the
/// smallest hold.
pub const PROBE_NANOS: i64 = 110;
/// What the server adds to a bound for lines that are rounded up.
pub const PROBE_SLACK_NANOS: i64 = 12;

/// A provider's offer of a model.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Slug, in the configuration and in the books.
    pub provider: &'static str,
    /// Nano-dollars for a token of input.
    pub prompt: i64,
    /// Nano-dollars for a token of output.
    pub completion: i64,
}

impl Offer {
    /// What so many tokens cost, in nano-dollars.
    #[must_use]
    pub fn price(&self, prompt: u64, completion: u64) -> i64 {
        let of = |tokens: u64, price: i64| i64::try_from(tokens).unwrap_or(i64::MAX) * price;
        of(prompt, self.prompt) + of(completion, self.completion)
    }
}

/// How a model's providers end their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Whole and counted.
    Honest,
    /// Cut off midway.
    Cuts,
    /// Whole, and never counted.
    Mute,
    /// Whole, with counts that cannot be.
    Lies,
    /// Without an end: its callers always leave.
    Overruns,
}

/// A model of the run.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Its slug.
    pub slug: &'static str,
    /// Of a hundred calls, so many are for it.
    pub weight: u64,
    /// How its answers end.
    pub manner: Manner,
    /// Most output that the catalog states. Smaller than the truth where
    /// holds shall grow while a stream runs.
    pub max_output: Option<u64>,
    /// Who offers it.
    pub offers: &'static [Offer],
}

const fn offer(provider: &'static str, prompt: i64, completion: i64) -> Offer {
    Offer {
        provider,
        prompt,
        completion,
    }
}

const fn model(
    slug: &'static str,
    weight: u64,
    manner: Manner,
    max_output: Option<u64>,
    offers: &'static [Offer],
) -> Model {
    Model {
        slug,
        weight,
        manner,
        max_output,
        offers,
    }
}

/// The models of an ordinary run; the weights sum to a hundred.
pub static USUAL: [Model; 9] = [GOOD, PLAIN, LONG, CUT, FLAKY, STALL, DRAIN, MUTE, CLAUDE];

pub static GOOD: Model = model(
    "crash/good",
    28,
    Manner::Honest,
    None,
    &[offer("good", 100, 400)],
);
const PLAIN: Model = model(
    "crash/plain",
    16,
    Manner::Honest,
    None,
    &[offer("plain", 150, 600)],
);
const LONG: Model = model(
    "crash/long",
    14,
    Manner::Honest,
    Some(64),
    &[offer("long", 100, 1000)],
);
const CUT: Model = model(
    "crash/cut",
    8,
    Manner::Cuts,
    None,
    &[offer("cut", 200, 800)],
);
const FLAKY: Model = model(
    "crash/flaky",
    12,
    Manner::Honest,
    None,
    &[offer("flaky", 50, 200), offer("good", 100, 400)],
);
const STALL: Model = model(
    "crash/stall",
    4,
    Manner::Honest,
    None,
    &[offer("stall", 50, 200), offer("good", 100, 400)],
);
const DRAIN: Model = model(
    "crash/drain",
    10,
    Manner::Honest,
    None,
    &[offer("drain", 300, 1200)],
);
const MUTE: Model = model(
    "crash/mute",
    4,
    Manner::Mute,
    None,
    &[offer("mute", 100, 500)],
);
const CLAUDE: Model = model(
    "crash/claude",
    4,
    Manner::Honest,
    None,
    &[offer("claude", 300, 1500)],
);

/// The same, and such as are sold by providers that mean harm.
pub static WIDE: [Model; 16] = [
    GOOD,
    PLAIN,
    LONG,
    CUT,
    FLAKY,
    STALL,
    DRAIN,
    MUTE,
    CLAUDE,
    // Counts that no answer can have.
    model(
        "crash/negative",
        4,
        Manner::Lies,
        None,
        &[offer("negative", 100, 500)],
    ),
    model(
        "crash/huge",
        4,
        Manner::Lies,
        None,
        &[offer("huge", 100, 500)],
    ),
    model(
        "crash/zero",
        4,
        Manner::Lies,
        None,
        &[offer("zero", 100, 500)],
    ),
    // More than was asked for, until somebody hangs up.
    model(
        "crash/overrun",
        6,
        Manner::Overruns,
        Some(64),
        &[offer("overrun", 100, 500)],
    ),
    // An error after 200, and an answer in crumbs with comments between them.
    model(
        "crash/fails",
        5,
        Manner::Cuts,
        None,
        &[offer("fails", 100, 500)],
    ),
    model(
        "crash/crumbs",
        6,
        Manner::Honest,
        None,
        &[offer("crumbs", 100, 500)],
    ),
    // Whatever the first one says, the second one answers.
    model(
        "crash/impostor",
        8,
        Manner::Honest,
        None,
        &[offer(IMPOSTOR, 1, 1), offer("good", 100, 400)],
    ),
];

/// The provider that is none, see `impostor.rs`.
pub const IMPOSTOR: &str = "impostor";

/// Longest that running calls may go on after a gentle stop was asked for, in
/// seconds.
pub const STOP_S: u64 = 60;
/// Milliseconds between two tokens of a stream.
pub const TOKEN_MS: u64 = 5;

/// The providers' behaviour. Paces are chosen so that a kill finds calls in
/// every state and two cores still keep up in a debug build.
#[must_use]
pub fn scripts(seed: u64) -> ScriptSet {
    let calm = Script {
        seed,
        first_token_ms: 10,
        token_ms: TOKEN_MS,
        ..Script::default()
    };
    let like = |change: fn(&mut Script)| {
        let mut script = calm.clone();
        change(&mut script);
        script
    };
    let named = [
        ("good", calm.clone()),
        ("plain", like(|script| script.latency_ms = 30)),
        ("long", like(|script| script.tokens = Some(250))),
        (
            "cut",
            like(|script| {
                script.tokens = Some(60);
                script.cut_after_tokens = Some(25);
            }),
        ),
        (
            "flaky",
            like(|script| {
                script.error_rate = Some(0.5);
                script.error_status = Some(500);
            }),
        ),
        ("stall", like(|script| script.never_answer = true)),
        ("drain", like(|script| script.tokens = Some(80))),
        ("mute", like(|script| script.usage = UsageFault::Missing)),
        ("claude", calm.clone()),
        (
            "negative",
            like(|script| script.usage = UsageFault::Negative),
        ),
        ("huge", like(|script| script.usage = UsageFault::Huge)),
        ("zero", like(|script| script.usage = UsageFault::Zero)),
        ("overrun", like(|script| script.oversize = true)),
        (
            "fails",
            like(|script| {
                script.tokens = Some(60);
                script.error_after_tokens = Some(25);
            }),
        ),
        (
            "crumbs",
            like(|script| {
                script.slice_bytes = Some(5);
                script.crlf = true;
                script.comment_every = Some(3);
                script.duplicate_headers = true;
            }),
        ),
    ];
    ScriptSet {
        default: calm,
        providers: named
            .into_iter()
            .map(|(name, script)| (name.to_owned(), script))
            .collect(),
        ..ScriptSet::default()
    }
}

fn usd_per_million(nanos: i64) -> String {
    // A nano-dollar a token is a thousandth of a dollar a million.
    format!("{}.{:03}", nanos / 1000, nanos % 1000)
}

/// Who plays the providers.
#[derive(Debug, Clone, Copy)]
pub struct Players {
    /// The simulator.
    pub sim: SocketAddr,
    /// The impostor, where there is one.
    pub impostor: Option<SocketAddr>,
}

/// The server's configuration file, which sells these models.
#[must_use]
pub fn config(listen: SocketAddr, data_dir: &Path, players: Players, models: &[Model]) -> String {
    let mut out = format!(
        "[server]\nlisten = \"{listen}\"\ndata_dir = \"{}\"\nworkers = 2\n\n\
         [log]\nlevel = \"warn\"\n\n\
         [deadlines]\nfirst_sign_ms = 150\nhead_ms = 5000\nwhole_ms = 1500\n\
         idle_ms = 5000\ndrain_ms = 5000\n\n",
        data_dir.display()
    );
    let mut seen = Vec::new();
    for offer in models.iter().flat_map(|model| model.offers) {
        if seen.contains(&offer.provider) {
            continue;
        }
        seen.push(offer.provider);
        let name = offer.provider;
        let format = match name {
            "claude" => "anthropic",
            _ => "openai-chat",
        };
        let policy = match name {
            "drain" => "drain",
            _ => "cancel",
        };
        let address = match players.impostor.filter(|_| name == IMPOSTOR) {
            Some(impostor) => format!("{impostor}/v1"),
            None => format!("{}/p/{name}/v1", players.sim),
        };
        let _ = writeln!(
            out,
            "[providers.{name}]\nformat = \"{format}\"\napi_key = \"k\"\nhttp2 = \"never\"\n\
             on_disconnect = \"{policy}\"\nbase_url = \"http://{address}\"\n"
        );
    }
    let endpoint = |out: &mut String, offer: &Offer| {
        let _ = writeln!(
            out,
            "[[models.endpoints]]\nprovider = \"{}\"\nupstream_model = \"sim-model\"\n\
             price = {{ prompt = \"{}\", completion = \"{}\" }}\n",
            offer.provider,
            usd_per_million(offer.prompt),
            usd_per_million(offer.completion),
        );
    };
    for model in models {
        let _ = writeln!(
            out,
            "[[models]]\nslug = \"{}\"\ncontext_length = 20000\n{}",
            model.slug,
            model
                .max_output
                .map_or_else(String::new, |max| format!("max_output = {max}\n")),
        );
        for offer in model.offers {
            endpoint(&mut out, offer);
        }
    }
    let _ = writeln!(
        out,
        "[[models]]\nslug = \"{PROBE_MODEL}\"\ncontext_length = {PROBE_TOKENS}\n"
    );
    endpoint(&mut out, &offer("good", 0, PROBE_NANOS));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_calls_are_shared_out() {
        assert_eq!(USUAL.iter().map(|model| model.weight).sum::<u64>(), 100);
    }

    #[test]
    fn prices_are_written_as_the_configuration_wants_them() {
        assert_eq!(usd_per_million(1), "0.001");
        assert_eq!(usd_per_million(1500), "1.500");
    }

    #[test]
    fn every_provider_has_a_script() {
        let scripts = scripts(1);
        for offer in WIDE.iter().flat_map(|model| model.offers) {
            let is_known = scripts.providers.contains_key(offer.provider);
            assert!(is_known || offer.provider == IMPOSTOR, "{offer:?}");
        }
    }
}
