//! `[deadlines]`: how long each stage of a call may take.

use std::time::Duration;

use bourse_dataplane::deadlines::Deadlines;

use super::raw::{RawDeadlines, RawRouting};

pub(super) const MINUTE_MS: u64 = 60_000;
pub(super) const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A deadline, with the name that it had under `[routing]`.
struct Named {
    key: &'static str,
    former: Option<&'static str>,
    max_ms: u64,
}

impl Named {
    const fn new(key: &'static str, former: &'static str, max_ms: u64) -> Self {
        Self {
            key,
            former: Some(former),
            max_ms,
        }
    }

    fn read(
        &self,
        given: (Option<u64>, Option<u64>),
        usual: Duration,
        problems: &mut Vec<String>,
    ) -> Duration {
        let former = self.former.unwrap_or_default();
        let key = self.key;
        let (key, value) = match given {
            (None, None) => return usual,
            (Some(_), Some(_)) => {
                problems.push(format!(
                    "{former}: is called {key} now, and both are set; remove the former"
                ));
                return usual;
            }
            (Some(value), None) => (key, value),
            (None, Some(value)) => (former, value),
        };
        if value == 0 || value > self.max_ms {
            let max = self.max_ms;
            problems.push(format!("{key}: {value} is not between 1 and {max} ms"));
        }
        Duration::from_millis(value)
    }
}

const CONNECT: Named = Named::new(
    "deadlines.connect_ms",
    "routing.connect_timeout_ms",
    MINUTE_MS,
);
const HEAD: Named = Named::new(
    "deadlines.head_ms",
    "routing.last_first_token_timeout_ms",
    HOUR_MS,
);
const FIRST_SIGN: Named = Named::new(
    "deadlines.first_sign_ms",
    "routing.first_token_timeout_ms",
    HOUR_MS,
);
const IDLE: Named = Named::new("deadlines.idle_ms", "routing.idle_timeout_ms", HOUR_MS);
const WHOLE: Named = Named {
    key: "deadlines.whole_ms",
    former: None,
    max_ms: HOUR_MS,
};
// Proxies on the way cut what is silent for longer than a minute.
const KEEP_ALIVE: Named = Named::new(
    "deadlines.keep_alive_ms",
    "routing.keep_alive_after_ms",
    MINUTE_MS,
);
const DRAIN: Named = Named::new("deadlines.drain_ms", "routing.drain_timeout_ms", HOUR_MS);

/// Reads `[deadlines]`, and what it was called under `[routing]` before.
pub(super) fn resolve(
    given: &RawDeadlines,
    former: &RawRouting,
    problems: &mut Vec<String>,
) -> Deadlines {
    let usual = Deadlines::default();
    let mut read =
        |named: &Named, given, former, usual| named.read((given, former), usual, problems);
    Deadlines {
        connect: read(
            &CONNECT,
            given.connect_ms,
            former.connect_timeout_ms,
            usual.connect,
        ),
        head: read(
            &HEAD,
            given.head_ms,
            former.last_first_token_timeout_ms,
            usual.head,
        ),
        first_sign: read(
            &FIRST_SIGN,
            given.first_sign_ms,
            former.first_token_timeout_ms,
            usual.first_sign,
        ),
        idle: read(&IDLE, given.idle_ms, former.idle_timeout_ms, usual.idle),
        whole: read(&WHOLE, given.whole_ms, None, usual.whole),
        keep_alive: read(
            &KEEP_ALIVE,
            given.keep_alive_ms,
            former.keep_alive_after_ms,
            usual.keep_alive,
        ),
        drain: read(&DRAIN, given.drain_ms, former.drain_timeout_ms, usual.drain),
    }
}
