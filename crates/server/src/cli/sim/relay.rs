//! `bourse sim relay`: a bad network between two loopback addresses.

use std::net::SocketAddr;

use bourse_sim::relay::{Partition, Relay, RelayControl, RelayPlan};
use clap::Args;

use super::super::{Error, block_on, say};

/// Relays TCP between two loopback addresses, late, with losses, cuts and partitions.
#[derive(Args)]
#[command(after_help = "\
A provider 30 to 40 ms away, and one piece in a hundred lost once:
  bourse sim relay --to 127.0.0.1:9100 --delay-ms 30 --jitter-ms 10 \\
    --stall-rate 0.01 --stall-ms 200

A database that is out of reach for a second in every ten, beginning after five:
  bourse sim relay --to 127.0.0.1:5432 --partition 5000-6000/10000

The same by hand:
  bourse sim relay --to 127.0.0.1:5432 --control 127.0.0.1:9102
  curl -X POST 127.0.0.1:9102/__relay/partition
  curl -X POST 127.0.0.1:9102/__relay/heal
  curl -X POST 127.0.0.1:9102/__relay/plan -d '{\"delay_ms\":200}'
  curl 127.0.0.1:9102/__relay/counts

Streams stay in order, as over TCP: a piece that is late holds up those behind it. What was
sent during a partition arrives after it.")]
pub(super) struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9101")]
    listen: SocketAddr,
    /// Where to go
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
    /// Where control calls are answered [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
    /// Decides jitter and losses
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How late everything comes, in each direction
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Up to how much later, drawn for each piece
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Share of pieces that are lost once, 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    stall_rate: f64,
    /// How long sending one again takes
    #[arg(long, default_value_t = 0)]
    stall_ms: u64,
    /// Ends each connection after so many bytes of answers
    #[arg(long, value_name = "BYTES")]
    cut_after_bytes: Option<u64>,
    /// Ends it with a TCP reset
    #[arg(long, requires = "cut_after_bytes")]
    cut_with_reset: bool,
    /// When nothing passes, in milliseconds from the start: FROM-TO, or FROM-TO/EVERY to repeat;
    /// may be given several times
    #[arg(long, value_name = "FROM-TO")]
    partition: Vec<Partition>,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let plan = RelayPlan {
        seed: options.seed,
        delay_ms: options.delay_ms,
        jitter_ms: options.jitter_ms,
        stall_rate: options.stall_rate,
        stall_ms: options.stall_ms,
        cut_after_bytes: options.cut_after_bytes,
        cut_with_reset: options.cut_with_reset,
        partitions: options.partition.clone(),
    };
    block_on(async {
        let relay = Relay::bind(options.listen, options.to, plan).await?;
        let handle = relay.handle();
        say(format_args!("Relaying {} to {}", handle.addr(), options.to));
        let control = match options.control {
            Some(listen) => Some(RelayControl::bind(listen, handle).await?),
            None => None,
        };
        let control = async {
            match control {
                Some(control) => control.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = relay.run() => Ok(()),
            () = control => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}
