//! How long each stage of a call may take, each deadline by its own name.
//!
//! A whole answer gives no sign before it is done (most providers send even
//! the head last), so only [`Deadlines::whole`] may bound it. A stream gives
//! signs of life, and is bounded by the silence between them: how long it
//! runs is its own business.

use std::time::Duration;

/// How long each stage of a call may take. All are configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Opening a connection, TLS included.
    pub connect: Duration,
    /// A stream, at the last target: from sending the request to the head of
    /// the response.
    pub head: Duration,
    /// A stream, while another target is left: the longest silence before
    /// its first content. The head and any frame are signs of life, thoughts
    /// that the caller does not see and comments included.
    pub first_sign: Duration,
    /// A stream: the longest silence between two frames.
    pub idle: Duration,
    /// From sending the request to the last byte of a whole answer. Of a
    /// stream, to the first output of the model: a provider that sends signs
    /// of life and nothing else is not waited for without end.
    pub whole: Duration,
    /// A waiting stream is sent comments at this interval.
    pub keep_alive: Duration,
    /// Reading on after the client has left, where the provider bills to the
    /// end.
    pub drain: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(300),
            first_sign: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            // What vendors' own SDKs wait for a whole answer.
            whole: Duration::from_secs(600),
            keep_alive: Duration::from_secs(10),
            drain: Duration::from_secs(120),
        }
    }
}

impl Deadlines {
    /// What an exchange is held to. `is_last` says that no other target is
    /// left, so that this one may take all the time there is.
    #[must_use]
    pub fn of_exchange(&self, stream: bool, is_last: bool) -> bourse_net::Deadlines {
        let (head, idle) = match (stream, is_last) {
            (false, _) => (self.whole, self.whole),
            (true, true) => (self.head, self.idle),
            (true, false) => (
                self.first_sign.min(self.head),
                self.first_sign.min(self.idle),
            ),
        };
        bourse_net::Deadlines {
            connect: self.connect,
            head,
            idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_is_bounded_by_one_deadline_alone() {
        let deadlines = Deadlines::default();
        for is_last in [false, true] {
            let exchange = deadlines.of_exchange(false, is_last);
            assert_eq!(exchange.head, deadlines.whole);
            assert_eq!(exchange.idle, deadlines.whole);
        }
    }

    #[test]
    fn a_stream_is_given_up_sooner_while_another_target_is_left() {
        let deadlines = Deadlines::default();
        let early = deadlines.of_exchange(true, false);
        assert_eq!(early.head, deadlines.first_sign);
        assert_eq!(early.idle, deadlines.first_sign);
        let last = deadlines.of_exchange(true, true);
        assert_eq!((last.head, last.idle), (deadlines.head, deadlines.idle));
    }

    #[test]
    fn having_another_target_never_makes_a_wait_longer() {
        let deadlines = Deadlines {
            first_sign: Duration::from_secs(1_000),
            ..Deadlines::default()
        };
        let early = deadlines.of_exchange(true, false);
        assert_eq!((early.head, early.idle), (deadlines.head, deadlines.idle));
    }
}
