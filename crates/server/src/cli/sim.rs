//! `bourse sim`: simulated providers.

mod relay;

use std::net::SocketAddr;
use std::path::PathBuf;

use bourse_sim::{ScriptSet, SimConfig};
use clap::{Args, Subcommand};

use super::{Error, block_on, say};

/// OpenAI chat, Anthropic Messages and Gemini, with faults to order.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Point a provider at it:
  [providers.openai]
  base_url = \"http://127.0.0.1:9100/v1\"

Faults come from a script file, or from the request header x-sim-script:
  curl … -H 'x-sim-script: {\"error_status\":429,\"retry_after\":{\"seconds\":7}}'

A script file has one table for each provider path (/p/NAME/v1/…):
  [providers.flaky]
  error_rate = 0.5                          # half of its requests fail
  limits = { requests_per_minute = 600 }    # 429 beyond, in the vendor's shape
  [[providers.flaky.schedule]]              # down for a second in every ten
  from_ms = 5000
  to_ms = 6000
  every_ms = 10000
  down = \"reset\"                            # or error, close, silent

docs/how-to/script-a-provider.md has every setting. While it runs:
  curl 127.0.0.1:9100/__sim/log             what arrived and what was answered
  curl 127.0.0.1:9100/__sim/counters        the same in numbers
  curl -X POST 127.0.0.1:9100/__sim/reset   forget it; schedules begin again"
)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
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

#[derive(Subcommand)]
enum Command {
    /// Relays TCP between two loopback addresses, late, with losses, cuts and partitions
    Relay(relay::Options),
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    if let Some(Command::Relay(options)) = &options.command {
        return relay::run(options);
    }
    let mut config = SimConfig::default();
    if let Some(path) = &options.script {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        config.scripts = ScriptSet::from_toml(&text)
            .map_err(|error| error.in_file(&path.display().to_string()))?;
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
