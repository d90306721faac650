use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use super::support::{Upstream, call, client, post, read_request};
use crate::{Client, ClientConfig, Deadlines, NetErrorKind, Origin, Resolve, Resolving};

const fn deadlines(connect: u64, head: u64, idle: u64) -> Deadlines {
    Deadlines {
        connect: Duration::from_millis(connect),
        head: Duration::from_millis(head),
        idle: Duration::from_millis(idle),
    }
}

struct Never;

impl Resolve for Never {
    fn resolve(&self, _: std::sync::Arc<str>) -> Resolving {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn connecting_ends_at_its_deadline() {
    let config = ClientConfig {
        resolver: std::sync::Arc::new(Never),
        ..ClientConfig::default()
    };
    let client = Client::new(config).unwrap();
    let (origin, _) = Origin::parse("http://api.example.com").unwrap();
    let started = Instant::now();
    let request = post(&origin, "{}");
    let error = client
        .send(&origin, &request, &deadlines(100, 5000, 5000))
        .await
        .unwrap_err();
    assert_eq!(error.kind, NetErrorKind::ConnectTimeout);
    assert!(!error.wrote_request);
    assert!((100..300).contains(&started.elapsed().as_millis()));
    assert_eq!(client.stats().open, 0);
}

#[tokio::test]
async fn the_head_ends_at_its_deadline() {
    let upstream = Upstream::start(|mut socket, _| async move {
        read_request(&mut socket).await;
        // A head that trickles in does not move the deadline.
        for byte in b"HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" {
            socket.write_all(&[*byte]).await.ok();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    let request = post(&origin, "{}");
    let started = Instant::now();
    let error = client
        .send(&origin, &request, &deadlines(500, 150, 5000))
        .await
        .unwrap_err();
    assert_eq!(error.kind, NetErrorKind::HeadTimeout);
    assert!(error.wrote_request);
    assert!(
        (150..350).contains(&started.elapsed().as_millis()),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(client.stats().open, 0);
}

#[tokio::test]
async fn a_request_that_is_not_read_ends_at_the_head_deadline() {
    let upstream = Upstream::start(|socket, _| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(socket);
    })
    .await;
    let origin = upstream.origin();
    let request = post(&origin, vec![0; 64 << 20]);
    let client = client(&origin);
    let error = client
        .send(&origin, &request, &deadlines(500, 150, 5000))
        .await
        .unwrap_err();
    assert_eq!(error.kind, NetErrorKind::HeadTimeout);
}

/// Sends a chunk every `every` ms, `count` times, and then nothing.
async fn pulsing(every: u64, count: u32) -> Upstream {
    Upstream::start(move |mut socket, _| async move {
        while read_request(&mut socket).await.is_some() {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(head).await.unwrap();
            for _ in 0..count {
                tokio::time::sleep(Duration::from_millis(every)).await;
                if socket.write_all(b"1\r\nx\r\n").await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
    })
    .await
}

#[tokio::test]
async fn silence_ends_a_body_but_slowness_does_not() {
    let upstream = pulsing(60, 6).await;
    let origin = upstream.origin();
    let client = client(&origin);
    let request = post(&origin, "{}");
    let mut body = client
        .send(&origin, &request, &deadlines(500, 500, 120))
        .await
        .unwrap()
        .body;
    for _ in 0..6 {
        assert_eq!(body.next().await.unwrap().unwrap(), "x");
    }
    let last = Instant::now();
    let error = body.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, NetErrorKind::IdleTimeout);
    let silent = last.elapsed().as_millis();
    assert!((110..220).contains(&silent), "{silent} ms");
    assert!(body.next().await.is_none(), "nothing follows an error");
    assert_eq!(client.stats().open, 0);
}

#[tokio::test]
async fn the_readers_own_pauses_are_not_the_upstreams_silence() {
    let upstream = pulsing(10, 3).await;
    let origin = upstream.origin();
    let request = post(&origin, "{}");
    let client = client(&origin);
    let mut body = client
        .send(&origin, &request, &deadlines(500, 500, 80))
        .await
        .unwrap()
        .body;
    assert_eq!(body.next().await.unwrap().unwrap(), "x");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(body.next().await.unwrap().is_ok());
}

#[tokio::test]
async fn the_idle_timeout_may_change_while_reading() {
    let upstream = pulsing(10, 1).await;
    let origin = upstream.origin();
    let mut body = call(&client(&origin), &origin).await.unwrap().body;
    assert_eq!(body.next().await.unwrap().unwrap(), "x");
    body.set_idle_timeout(Duration::from_millis(50));
    let started = Instant::now();
    assert_eq!(
        body.next().await.unwrap().unwrap_err().kind,
        NetErrorKind::IdleTimeout
    );
    assert!(started.elapsed() < Duration::from_millis(200));
}

#[tokio::test]
async fn a_shorter_deadline_on_a_reused_connection_holds() {
    let upstream = Upstream::start(|mut socket, _| async move {
        read_request(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        read_request(&mut socket).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    let request = post(&origin, "{}");
    client
        .send(&origin, &request, &deadlines(500, 3000, 3000))
        .await
        .unwrap();
    let started = Instant::now();
    let error = client
        .send(&origin, &request, &deadlines(500, 100, 3000))
        .await
        .unwrap_err();
    assert_eq!(error.kind, NetErrorKind::HeadTimeout);
    assert!(error.reused);
    assert!((100..300).contains(&started.elapsed().as_millis()));
}

/// A body that gives a piece at once and then nothing.
struct OnePiece(Option<bytes::Bytes>);

impl http_body::Body for OnePiece {
    type Data = bytes::Bytes;
    type Error = crate::NetError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, crate::NetError>>> {
        match self.0.take() {
            Some(piece) => std::task::Poll::Ready(Some(Ok(http_body::Frame::data(piece)))),
            None => std::task::Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_from_elsewhere_is_held_to_the_same_idle_deadline() {
    let mut body =
        crate::UpstreamBody::from_body(OnePiece(Some("x".into())), Duration::from_secs(30));
    assert_eq!(body.next().await.unwrap().unwrap(), "x");
    body.set_idle_timeout(Duration::from_secs(90));
    let began = tokio::time::Instant::now();
    let error = body.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, NetErrorKind::IdleTimeout);
    assert_eq!(began.elapsed().as_secs(), 90);
    assert!(body.next().await.is_none(), "nothing follows an error");
}
