//! `bourse sim`: simulated providers.

use std::net::SocketAddr;
use std::path::PathBuf;

use bourse_sim::{ScriptSet, SimConfig};
use clap::Args;

use super::{Error, block_on, say};

/// OpenAI chat, Anthropic Messages and Gemini, with faults to order.
#[derive(Args)]
#[command(after_help = "\
Point a provider at it:
  [providers.openai]
  base_url = \"http://127.0.0.1:9100/v1\"

Faults come from a script file, or from the request header x-sim-script:
  curl … -H 'x-sim-script: {\"error_status\":429,\"retry_after\":7}'

A script file has one table for each provider path (/p/NAME/v1/…):
  [providers.flaky]
  error_rate = 0.5")]
pub(super) struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// A script file (TOML)
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Answers as cheaply as possible, for benchmarks
    #[arg(long)]
    fast: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let mut config = SimConfig::default();
    if let Some(path) = &options.script {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        config.scripts =
            ScriptSet::from_toml(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    config.scripts.default.fast |= options.fast;
    say(format_args!(
        "Simulated providers on http://{}: /v1/chat/completions, /v1/messages, /v1beta/models/…:generateContent",
        options.listen
    ));
    block_on(async {
        tokio::select! {
            served = bourse_sim::serve(options.listen, config) => Ok(served?),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}
