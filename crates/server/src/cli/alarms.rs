//! `bourse alarms test`: whether alarms arrive.

use bourse_dataplane::alarms::kind::Kind;
use bourse_dataplane::alarms::{Event, State};
use bourse_dataplane::clock::now_ms;
use clap::Subcommand;

use super::{Common, Error, block_on, say};
use crate::alarms::{Posted, Receiver, message, message_id};

/// What can be done with alarms.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Sends an alarm to the webhook that the configuration names, and says what it answers
    #[command(after_help = "\
It is sent from here and once, signed as a running server signs, and no server is asked.
docs/how-to/alarms.md says how a receiver checks it.")]
    Test,
}

pub(super) fn run(command: &Command, common: &Common) -> Result<(), Error> {
    let Command::Test = command;
    let config = common.load()?;
    let webhook = config.alarms.webhook.as_ref();
    let webhook = webhook.ok_or("the configuration has no alarms.webhook")?;
    let receiver = Receiver::new(webhook, &config.roads)?;
    let at_ms = now_ms();
    let event = Event {
        kind: Kind::Test,
        subject: "bourse alarms test".to_owned(),
        state: State::Raised,
        since_ms: at_ms,
        at_ms,
        message: "this is a test, and nothing is wrong".to_owned(),
        count: 1,
    };
    let (id, body) = (message_id(), message(&event, &config.listen.to_string()));
    // Not where the address leads within it: that may be a secret.
    let origin = &webhook.origin;
    match block_on(async { Ok(receiver.post(&id, &body, at_ms / 1_000).await) })? {
        Posted::Taken(status) => {
            say(format_args!("{origin} took {id} (status {status})"));
            Ok(())
        }
        Posted::Refused(status) => {
            Err(format!("{origin} refused {id} with status {status}").into())
        }
        Posted::Later { why, .. } => Err(format!("{origin} did not take {id}: {why}").into()),
    }
}
