#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use http_body::Frame;
use tokio::time::{Sleep, sleep};

use super::*;
use crate::bodies::{Bodies, Room};

/// A body whose pieces come one by one, with a pause before each.
struct Slow {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Behind the pieces comes nothing, and no end.
    is_silent: bool,
}

impl Slow {
    fn new(pieces: impl IntoIterator<Item = Bytes>, pause: Duration) -> Self {
        Self {
            pieces: pieces.into_iter().collect(),
            pause,
            sleep: None,
            is_silent: false,
        }
    }

    fn then_silent(mut self) -> Self {
        self.is_silent = true;
        self
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.pause.is_zero() {
            let pause = self.pause;
            let sleeping = self.sleep.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(sleeping.as_mut().poll(cx));
            self.sleep = None;
        }
        if self.is_silent && self.pieces.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

fn ones(count: usize) -> impl Iterator<Item = Bytes> {
    std::iter::repeat_n(Bytes::from_static(b"x"), count)
}

#[tokio::test]
async fn a_body_of_single_bytes_is_kept_in_few_pieces() {
    let body = Slow::new(ones(100_000), Duration::ZERO);
    let mut seen = 0;
    let pieces = collect(body, &CallLimits::default(), |piece| {
        seen += piece.len();
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(seen, 100_000);
    assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), 100_000);
    assert_eq!(pieces.len(), 100_000_usize.div_ceil(PIECE_BYTES_MIN));
}

#[tokio::test]
async fn order_is_kept_and_what_is_large_or_alone_is_not_copied() {
    let small = Bytes::from_static(b"a small one");
    let alone = Slow::new([small.clone()], Duration::ZERO);
    let limits = CallLimits::default();
    let pieces = collect(alone, &limits, |_| Ok(())).await.unwrap();
    assert_eq!(pieces.first().unwrap().as_ptr(), small.as_ptr());

    let large = Bytes::from(vec![b'b'; PIECE_BYTES_MIN]);
    let mixed = [
        small.clone(),
        large.clone(),
        small.clone(),
        small.clone(),
        Bytes::new(),
        large.clone(),
    ];
    let all = mixed.concat();
    let body = Slow::new(mixed, Duration::ZERO);
    let pieces = collect(body, &limits, |_| Ok(())).await.unwrap();
    assert_eq!(pieces.concat(), all);
    let at = |index: usize| pieces.get(index).unwrap().as_ptr();
    assert_eq!(pieces.len(), 4);
    assert_eq!(at(0), small.as_ptr());
    assert_eq!((at(1), at(3)), (large.as_ptr(), large.as_ptr()));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_is_given_up() {
    let limits = CallLimits::default();
    let body = Slow::new(ones(1), limits.body_timeout + Duration::from_secs(1));
    let begun = Instant::now();
    let failure = collect(body, &limits, |_| Ok(())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::RequestTimeout);
    assert_eq!(begun.elapsed(), limits.body_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_for_ever_is_given_up() {
    let pieces = std::iter::repeat_n(Bytes::from_static(&[b'x'; 2_048]), 10_000);
    let body = Slow::new(pieces, Duration::from_secs(1));
    let begun = Instant::now();
    let failure = collect(body, &CallLimits::default(), |_| Ok(()))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::RequestTimeout);
    assert_eq!(begun.elapsed(), BODY_TIME_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_given_up_however_much_came_at_once() {
    let limits = CallLimits::default();
    let large = Bytes::from(vec![b'x'; 16 << 20]);
    let body = Slow::new(
        std::iter::once(large).chain(ones(10_000)),
        Duration::from_secs(1),
    );
    let begun = Instant::now();
    let failure = collect(body, &limits, |_| Ok(())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::RequestTimeout);
    // What came at once bought the time from then on, and no more.
    let most = Duration::from_secs(1) + limits.body_timeout;
    assert_eq!(begun.elapsed(), most);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_that_keeps_the_least_rate_arrives() {
    let limits = CallLimits::default();
    let piece = Bytes::from(vec![b'x'; 31 * 1_024]);
    let body = Slow::new(
        std::iter::repeat_n(piece, 9),
        limits.body_timeout - Duration::from_secs(1),
    );
    let pieces = collect(body, &limits, |_| Ok(())).await.unwrap();
    assert_eq!(pieces.len(), 9);
}

/// Two hundred clients send a megabyte each and then nothing more.
#[tokio::test(start_paused = true)]
async fn unfinished_bodies_of_all_callers_share_one_bound_and_give_it_back() {
    const MOST: usize = 32 << 20;
    let bodies = Arc::new(Bodies::new(MOST));
    let (refused, silent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for _ in 0..200 {
        let (bodies, refused, silent) = (bodies.clone(), refused.clone(), silent.clone());
        clients.push(tokio::spawn(async move {
            let mut room = Room::begin(&bodies);
            let piece = Bytes::from_static(&[b'x'; 64 * 1_024]);
            let pieces = std::iter::repeat_n(piece, 16);
            let body = Slow::new(pieces, Duration::from_millis(10)).then_silent();
            let limits = CallLimits::default();
            let kept = collect(body, &limits, |piece| {
                let grown = room.grow(piece.len());
                assert!(grown.is_err() || bodies.used() <= MOST);
                grown
            });
            let failure = kept.await.unwrap_err();
            let count = match failure.kind {
                FailureKind::Overloaded => &refused,
                FailureKind::RequestTimeout => &silent,
                other => panic!("{other:?}"),
            };
            count.fetch_add(1, Relaxed);
        }));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bodies.used() <= MOST);
    assert!(refused.load(Relaxed) >= 168, "{refused:?}");
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(refused.load(Relaxed) + silent.load(Relaxed), 200);
    assert!(silent.load(Relaxed) >= 20, "{silent:?}");
    assert_eq!(bodies.used(), 0);
}
