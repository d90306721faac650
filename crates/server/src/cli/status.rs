//! `bourse status`: what serves, since when, and whether it is well.

use std::fmt::Write as _;

use bourse_control::status::Status;
use bourse_vocab::Nanos;
use clap::Args;
use serde_json::{Value, json};

use super::output::{plain, say_json, table};
use super::server::Asking;
use super::{Common, Error, block_on, say, top, when};

#[derive(Args)]
#[command(after_help = "\
It asks a running server once, with a management key. Calls, money and attempts are those since
that server began. Providers that were never asked are not shown; `bourse doctor --online` asks
them.

The exit status is 0 if calls are served, and 1 if they are not or nobody answers; the reason is
on the standard error. `--json` prints what GET /api/v1/routing/status tells, with `server`,
`serves`, `money` and `providers`.

Examples:
  BOURSE_MANAGEMENT_KEY=$(bourse key create --management --quiet) bourse status
  bourse status --json | jq '.alarms'")]
pub(super) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    asking: Asking,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Error> {
    let config = options.common.load()?;
    let server = options.asking.server(&config)?;
    let status = block_on(top::ask(&server))?;
    if options.json {
        say_json(&object(server.url(), &status)?)?;
    } else {
        say(text(server.url(), &status).trim_end());
    }
    match &status.journal.trouble {
        None => Ok(()),
        Some(why) => Err(format!("no call can be served: {}", plain(why)).into()),
    }
}

/// What all calls have cost and brought since the server began.
struct Money {
    cost: Nanos,
    charge: Nanos,
}

impl Money {
    fn of(status: &Status) -> Self {
        let sum = |amounts: &mut dyn Iterator<Item = Nanos>| {
            amounts.fold(Nanos::ZERO, Nanos::saturating_add)
        };
        Self {
            cost: sum(&mut status.endpoints.iter().map(|one| one.cost)),
            charge: sum(&mut status.endpoints.iter().map(|one| one.charge)),
        }
    }

    fn left(&self) -> Nanos {
        self.charge.saturating_sub(self.cost)
    }
}

/// What the server tells, and what is found from it.
fn object(server: &str, status: &Status) -> Result<Value, Error> {
    let mut object = serde_json::to_value(status)?;
    let money = Money::of(status);
    if let Some(members) = object.as_object_mut() {
        let more = [
            ("server", json!(server)),
            ("serves", json!(status.journal.trouble.is_none())),
            (
                "money",
                json!({"cost": money.cost, "charge": money.charge, "left": money.left()}),
            ),
            ("providers", serde_json::to_value(status.providers())?),
        ];
        members.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(object)
}

/// The same for people.
fn text(server: &str, status: &Status) -> String {
    let mut out = String::new();
    let mut line = |name: &str, said: String| {
        let _ = writeln!(out, "{name:<9} {}", plain(&said));
    };
    line("server", format!("Bourse {} at {server}", status.version));
    let ran_ms = status.at_ms.saturating_sub(status.started_ms);
    line(
        "since",
        format!("{} ({})", when::shown(status.started_ms), ran(ran_ms)),
    );
    line("serves", serves(status));
    let calls = &status.calls;
    line(
        "calls",
        format!(
            "{} under way; {} since the start, {} failed, {} not let in",
            calls.in_flight,
            calls.admitted,
            calls.failed.values().sum::<u64>(),
            calls.shed.values().sum::<u64>()
        ),
    );
    let money = Money::of(status);
    line(
        "money",
        format!(
            "{} USD charged, {} USD cost, {} USD left since the start; {} holds open",
            money.charge,
            money.cost,
            money.left(),
            status.journal.holds_open
        ),
    );
    line("journal", journal(status));
    line("alarms", alarms(status));
    for alarm in &status.alarms {
        line(
            "",
            format!("{} {}: {}", alarm.kind, alarm.subject, alarm.remedy),
        );
    }
    line("providers", providers_in_short(status));
    out.push_str(&providers(status));
    out
}

fn serves(status: &Status) -> String {
    match (&status.journal.trouble, status.simulated) {
        (Some(why), _) => format!("no: {why}"),
        (None, true) => "yes, by simulated providers".to_owned(),
        (None, false) => "yes".to_owned(),
    }
}

fn journal(status: &Status) -> String {
    let journal = &status.journal;
    let database = match (journal.database_away_s, journal.database_behind_s) {
        (Some(s), _) => format!("the database does not answer since {s} s"),
        (None, Some(s)) => format!("the database takes nothing over since {s} s"),
        (None, None) => "the database is well".to_owned(),
    };
    format!(
        "{} bytes are not applied; {database}",
        journal.unapplied_bytes
    )
}

fn alarms(status: &Status) -> String {
    match status.alarms.len() {
        0 => "none".to_owned(),
        1 => "1 is not over".to_owned(),
        many => format!("{many} are not over"),
    }
}

fn providers_in_short(status: &Status) -> String {
    match status.providers().len() {
        0 => "none was asked since the start".to_owned(),
        many => format!("{many} asked since the start"),
    }
}

fn providers(status: &Status) -> String {
    let known = status.providers();
    if known.is_empty() {
        return String::new();
    }
    let mut rows = table(["provider", "state", "answered", "failed"]);
    for (slug, provider) in known {
        rows.add_row([
            plain(slug),
            provider.state(),
            provider.succeeded.to_string(),
            provider.failed.to_string(),
        ]);
    }
    rows.to_string()
}

/// How long, in its two largest units.
fn ran(ms: u64) -> String {
    let s = ms / 1_000;
    let (d, h, min) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    match (d, h, min) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{min} min {} s", s % 60),
        (0, ..) => format!("{h} h {min} min"),
        _ => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bourse_control::status::{Alarm, Attempts, Credential, Endpoint, Journal};

    fn sample() -> Status {
        Status {
            at_ms: 1_795_262_400_000 + 7_384_000,
            version: "9.9.9".to_owned(),
            started_ms: 1_795_262_400_000,
            alarms: vec![Alarm {
                kind: "credential_refused".to_owned(),
                subject: "acme/0".to_owned(),
                remedy: "set another key".to_owned(),
            }],
            endpoints: vec![Endpoint {
                provider: "acme".to_owned(),
                attempts: Attempts {
                    succeeded: 7,
                    failed: 2,
                    rate_limited: 1,
                    cancelled: 4,
                },
                cost: Nanos(1_000_000_001),
                charge: Nanos(1_250_000_000),
                credentials: vec![Credential::default()],
                ..Endpoint::default()
            }],
            ..Status::default()
        }
    }

    #[test]
    fn what_serves_is_said_line_by_line_with_exact_money() {
        let text = text("http://127.0.0.1:8787", &sample());
        for line in [
            "server    Bourse 9.9.9 at http://127.0.0.1:8787",
            "since     2026-11-21T12:00:00Z (2 h 3 min)",
            "serves    yes",
            "money     1.25 USD charged, 1.000000001 USD cost, 0.249999999 USD left since the start; 0 holds open",
            "alarms    1 is not over",
            "          credential_refused acme/0: set another key",
            "providers 1 asked since the start",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        let row = text.lines().find(|line| line.contains("acme ")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["acme", "well", "7", "3"], "{text}");
    }

    #[test]
    fn trouble_and_a_database_that_is_away_are_said() {
        let status = Status {
            journal: Journal {
                trouble: Some("the disk\u{1b} is full".to_owned()),
                database_away_s: Some(9),
                ..Journal::default()
            },
            ..Status::default()
        };
        let text = text("x", &status);
        assert!(
            text.contains("serves    no: the disk\\u{1b} is full"),
            "{text}"
        );
        assert!(text.contains("does not answer since 9 s"), "{text}");
        assert!(text.contains("none was asked"), "{text}");
        let object = object("x", &status).unwrap();
        assert_eq!(object["serves"], false);
        assert_eq!(object["journal"]["database_away_s"], 9);
    }

    #[test]
    fn times_have_their_two_largest_units() {
        let said = [900, 61_000, 7_384_000, 200_000_000].map(ran);
        assert_eq!(said, ["0 s", "1 min 1 s", "2 h 3 min", "2 d 7 h"]);
    }
}
