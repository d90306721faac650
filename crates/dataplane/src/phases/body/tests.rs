#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll, ready};

use http_body::Frame;
use tokio::time::{Sleep, sleep};

use super::*;

/// A body whose pieces come one by one, with a pause before each.
struct Slow {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Slow {
    fn new(pieces: impl IntoIterator<Item = Bytes>, pause: Duration) -> Self {
        Self {
            pieces: pieces.into_iter().collect(),
            pause,
            sleep: None,
        }
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
async fn a_body_that_trickles_for_ever_is_given_up() {
    let body = Slow::new(ones(10_000), Duration::from_secs(1));
    let begun = Instant::now();
    let failure = collect(body, &CallLimits::default(), |_| Ok(()))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::RequestTimeout);
    assert_eq!(begun.elapsed(), BODY_TIME_MAX);
}
