use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::support::{Upstream, call, client, h2c, post, soon, text};
use crate::NetErrorKind;

/// Streams `1`, waits, and streams `2`. Counts streams open at the moment,
/// and the most there ever were.
pub(super) struct Slow {
    pub(super) wait: Duration,
    pub(super) now: AtomicUsize,
    pub(super) most: AtomicUsize,
}

struct Leaving(Arc<Slow>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

struct SlowBody {
    step: u32,
    sleep: std::pin::Pin<Box<tokio::time::Sleep>>,
    _leaving: Leaving,
}

impl hyper::body::Body for SlowBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.step == 1 {
            std::task::ready!(std::future::Future::poll(self.sleep.as_mut(), cx));
        }
        self.step += 1;
        std::task::Poll::Ready(match self.step {
            1 => Some(Ok(Frame::data(Bytes::from_static(b"1")))),
            2 => Some(Ok(Frame::data(Bytes::from_static(b"2")))),
            _ => None,
        })
    }
}

pub(super) async fn serve_h2<S>(socket: S, max_streams: u32, slow: Arc<Slow>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: http::Request<Incoming>| {
        let slow = slow.clone();
        async move {
            let now = slow.now.fetch_add(1, Ordering::SeqCst) + 1;
            slow.most.fetch_max(now, Ordering::SeqCst);
            let leaving = Leaving(slow.clone());
            let length = request.headers().get("content-length").cloned();
            #[allow(clippy::disallowed_methods)]
            let body = Limited::new(request.into_body(), 1 << 20)
                .collect()
                .await
                .unwrap();
            assert_eq!(body.to_bytes(), "{}");
            assert_eq!(length.unwrap(), "2");
            let sleep = Box::pin(tokio::time::sleep(slow.wait));
            let body = SlowBody {
                step: 0,
                sleep,
                _leaving: leaving,
            };
            Ok::<_, Infallible>(
                http::Response::builder()
                    .header("x-request-id", "h2")
                    .body(body)
                    .unwrap(),
            )
        }
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(max_streams)
        .serve_connection(TokioIo::new(socket), service)
        .await
        .ok();
}

pub(super) async fn slow_upstream(max_streams: u32, wait_ms: u64) -> (Upstream, Arc<Slow>) {
    let slow = Arc::new(Slow {
        wait: Duration::from_millis(wait_ms),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let shared = slow.clone();
    let upstream =
        Upstream::start(move |socket, _| serve_h2(socket, max_streams, shared.clone())).await;
    (upstream, slow)
}

#[tokio::test]
async fn a_call_over_http2_streams_and_the_connection_is_shared() {
    let (upstream, _) = slow_upstream(100, 5).await;
    let origin = h2c(&upstream.origin());
    let client = client(&origin);
    for turn in 0..5 {
        let mut response = call(&client, &origin).await.unwrap();
        assert_eq!(response.timing.reused, turn > 0);
        assert_eq!(response.headers.get_str("X-Request-Id"), Some("h2"));
        assert_eq!(response.body.next().await.unwrap().unwrap(), "1");
        assert_eq!(client.stats().h2_streams, 1);
        assert_eq!(response.body.next().await.unwrap().unwrap(), "2");
        assert!(response.body.next().await.is_none());
        assert_eq!(client.stats().h2_streams, 0);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn streams_beyond_the_peers_limit_get_more_connections_and_none_waits() {
    let (upstream, slow) = slow_upstream(2, 300).await;
    let origin = h2c(&upstream.origin());
    let client = client(&origin);
    let started = std::time::Instant::now();
    let calls = (0..8).map(|_| async { text(call(&client, &origin).await.unwrap()).await });
    for outcome in futures_util::future::join_all(calls).await {
        assert_eq!(outcome.unwrap(), "12");
    }
    assert!(
        started.elapsed() < Duration::from_millis(590),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(slow.most.load(Ordering::SeqCst), 8, "all at the same time");
    assert!(upstream.connections() >= 4, "{}", upstream.connections());
}

#[tokio::test]
async fn a_burst_on_a_cold_origin_shares_few_connections() {
    let (upstream, slow) = slow_upstream(100, 100).await;
    let origin = h2c(&upstream.origin());
    let client = client(&origin);
    let calls = (0..60).map(|_| async { text(call(&client, &origin).await.unwrap()).await });
    for outcome in futures_util::future::join_all(calls).await {
        assert_eq!(outcome.unwrap(), "12");
    }
    assert_eq!(slow.most.load(Ordering::SeqCst), 60);
    assert!(upstream.connections() <= 3, "{}", upstream.connections());
}

#[tokio::test]
async fn no_connection_carries_more_than_64_streams() {
    let (upstream, _) = slow_upstream(1000, 300).await;
    let origin = h2c(&upstream.origin());
    let client = client(&origin);
    let calls = (0..100).map(|_| async { call(&client, &origin).await.unwrap() });
    let responses = futures_util::future::join_all(calls).await;
    let stats = client.stats();
    assert_eq!(stats.h2_streams, 100);
    assert!(stats.h2_connections >= 2, "{stats:?}");
    drop(responses);
    assert_eq!(
        client.stats().h2_streams,
        0,
        "slots come back however a stream ends"
    );
}

#[tokio::test]
async fn dropping_an_http2_body_resets_its_stream_only() {
    let (upstream, slow) = slow_upstream(100, 500).await;
    let origin = h2c(&upstream.origin());
    let client = client(&origin);
    let mut stays = call(&client, &origin).await.unwrap();
    let mut leaves = call(&client, &origin).await.unwrap();
    assert_eq!(stays.body.next().await.unwrap().unwrap(), "1");
    assert_eq!(leaves.body.next().await.unwrap().unwrap(), "1");
    assert_eq!(slow.now.load(Ordering::SeqCst), 2);
    drop(leaves);
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(slow.now.load(Ordering::SeqCst), 1);
    assert_eq!(stays.body.next().await.unwrap().unwrap(), "2");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn http2_bodies_and_heads_have_deadlines() {
    let (upstream, _) = slow_upstream(100, 5000).await;
    let origin = h2c(&upstream.origin());
    let client = client(&origin);
    let mut body = call(&client, &origin).await.unwrap().body;
    assert_eq!(body.next().await.unwrap().unwrap(), "1");
    body.set_idle_timeout(Duration::from_millis(50));
    assert_eq!(
        body.next().await.unwrap().unwrap_err().kind,
        NetErrorKind::IdleTimeout
    );
    assert_eq!(client.stats().h2_streams, 0);

    let silent = Upstream::start(|socket, _| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(socket);
    })
    .await;
    let origin = h2c(&silent.origin());
    let client = super::support::client(&origin);
    let mut deadlines = soon();
    deadlines.head = Duration::from_millis(50);
    let error = client
        .send(&origin, &post(&origin, "{}"), &deadlines)
        .await
        .unwrap_err();
    assert_eq!(error.kind, NetErrorKind::HeadTimeout);
}

#[tokio::test]
async fn a_closed_http2_connection_is_replaced() {
    let (upstream, slow) = slow_upstream(100, 1).await;
    let address = upstream.address;
    let origin = h2c(&upstream.origin());
    let client = client(&origin);
    assert_eq!(
        text(call(&client, &origin).await.unwrap()).await.unwrap(),
        "12"
    );
    let idle = tokio::time::Instant::now() + Duration::from_secs(56);
    client.sweep(idle);
    assert_eq!(client.stats().h2_connections, 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        client.stats().open,
        0,
        "an idle connection is closed by the sweep"
    );
    assert_eq!(
        text(call(&client, &origin).await.unwrap()).await.unwrap(),
        "12"
    );
    assert_eq!((upstream.connections(), upstream.address), (2, address));
    assert_eq!(slow.now.load(Ordering::SeqCst), 0);
}
