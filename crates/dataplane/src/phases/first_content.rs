//! How long the first content of an answer is waited for.
//!
//! What is learned of how soon others begin may be learned while this one is
//! waited for: at a cold start calls go to a provider that nobody knows, and
//! if it says nothing they should not wait for longer than the calls after
//! them. So the deadline is asked for again and again.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// How often the deadline is asked for again.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// Awaits `run` until the deadline that is `learned`, or `most` where nothing
/// is; `None` if it has passed.
pub async fn wait<F: Future>(
    mut run: Pin<&mut F>,
    most: Duration,
    learned: impl Fn() -> Option<Duration>,
) -> Option<F::Output> {
    let begun = Instant::now();
    let deadline = || learned().map_or(most, |learned| learned.min(most));
    let mut until = deadline().min(ASKED_EVERY);
    loop {
        if let Ok(output) = timeout_at(begun + until, run.as_mut()).await {
            return Some(output);
        }
        let deadline = deadline();
        if until >= deadline {
            return None;
        }
        until = deadline.min(until + ASKED_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;

    use super::*;

    const WHOLE: Duration = Duration::from_secs(600);

    async fn waited(learned: impl Fn(Duration) -> Option<Duration>) -> Duration {
        let begun = Instant::now();
        let run = pin!(std::future::pending::<()>());
        let none = wait(run, WHOLE, || learned(begun.elapsed())).await;
        assert_eq!(none, None);
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_learned_deadline_counts_and_the_longest_where_nothing_is() {
        let ms = Duration::from_millis;
        assert_eq!(waited(|_| Some(ms(1_300))).await, ms(1_300));
        assert_eq!(waited(|_| Some(ms(300))).await, ms(300));
        assert_eq!(waited(|_| Some(WHOLE * 2)).await, WHOLE);
        assert_eq!(waited(|_| None).await, WHOLE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_learned_while_waiting_counts_for_this_call_too() {
        let learned = |elapsed: Duration| (elapsed.as_secs() >= 3).then_some(WHOLE / 400);
        assert_eq!(waited(learned).await, Duration::from_secs(3));
        // A deadline that moves away is followed.
        let moved = Cell::new(1);
        let learned = |_| {
            moved.set(moved.get() + 1);
            Some(Duration::from_secs(moved.get().min(20)))
        };
        assert_eq!(waited(learned).await, Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_wait_whenever_it_comes() {
        let run = pin!(tokio::time::sleep(Duration::from_secs(7)));
        assert_eq!(wait(run, WHOLE, || None).await, Some(()));
    }
}
