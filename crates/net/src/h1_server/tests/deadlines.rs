//! Time, which is paused: it goes on when nobody has anything to do.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::support::{Client, HEAD_TIMEOUT, NEXT_TIMEOUT, Road, Server};

const REQUEST: &[u8] = b"POST /a HTTP/1.1\r\nhost: a\r\n\r\n";
const BOTH: [Road; 2] = [Road::Ours, Road::Hypers];

/// Waits until the server closes; says how long that took and that it said
/// nothing.
async fn closed(client: &mut Client, began: Instant) -> Duration {
    let mut said = Vec::new();
    let _ = client.wire.read_to_end(&mut said).await;
    assert_eq!(said, b"");
    began.elapsed()
}

/// Timers are of milliseconds.
fn is_about(took: Duration, expected: Duration) -> bool {
    took >= expected && took < expected + Duration::from_millis(50)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_brings_no_head_is_closed_in_time() {
    for road in BOTH {
        for begun in [
            &b""[..],
            b"\r\n",
            b"POST /a HTT",
            &REQUEST[..REQUEST.len() - 2],
        ] {
            let began = Instant::now();
            let mut client = Client::connect(&Server::new(), road);
            client.send(begun).await;
            let took = closed(&mut client, began).await;
            assert!(is_about(took, HEAD_TIMEOUT), "{road:?} {begun:?}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_buys_no_time() {
    for road in BOTH {
        let began = Instant::now();
        let client = Client::connect(&Server::new(), road);
        let (mut reader, mut writer) = tokio::io::split(client.wire);
        let trickle = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            writer.write_all(b"POST /a HTTP/1.1\r\nx: ").await.unwrap();
            while writer.write_all(b"y").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let mut said = Vec::new();
        let _ = reader.read_to_end(&mut said).await;
        let took = began.elapsed();
        assert!(is_about(took, HEAD_TIMEOUT), "{road:?}: {took:?}");
        trickle.abort();
        client.served.await.unwrap();
        client.stop.send(true).unwrap_or(());
    }
}

/// How long a kept connection may be idle: hyper has one time for a head and
/// the pause before it.
fn idle(road: Road) -> Duration {
    match road {
        Road::Ours => NEXT_TIMEOUT,
        Road::Hypers => HEAD_TIMEOUT,
    }
}

/// Each pause may take the whole time, and a call is not counted.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_is_closed_so_long_after_its_last_answer() {
    for road in BOTH {
        let server = Server::new();
        let mut client = Client::connect(&server, road);
        for _ in 0..4 {
            client.send(REQUEST).await;
            assert!(client.receive().await.0.starts_with("HTTP/1.1 200 OK"));
            tokio::time::sleep(idle(road) * 8 / 10).await;
        }
        let stream = server.stream();
        client
            .send(b"POST /stream HTTP/1.1\r\nhost: a\r\n\r\n")
            .await;
        tokio::time::sleep(HEAD_TIMEOUT * 10).await;
        let (_, is_closed) = client.receive().await;
        assert!(!is_closed, "{road:?}");
        drop(stream);
        let began = Instant::now();
        let mut end = [0; 5];
        client.wire.read_exact(&mut end).await.unwrap();
        let took = closed(&mut client, began).await;
        assert!(is_about(took, idle(road)), "{road:?}: {took:?}");
    }
}

/// A client that has paused is not slow; one that has begun is.
#[tokio::test(start_paused = true)]
async fn a_head_after_a_pause_has_its_time_from_its_first_byte() {
    for pause in [Duration::ZERO, NEXT_TIMEOUT * 8 / 10] {
        let mut client = Client::connect(&Server::new(), Road::Ours);
        client.send(REQUEST).await;
        assert!(client.receive().await.0.starts_with("HTTP/1.1 200 OK"));
        tokio::time::sleep(pause).await;
        client.send(&REQUEST[..9]).await;
        tokio::time::sleep(HEAD_TIMEOUT * 8 / 10).await;
        client.send(&REQUEST[9..]).await;
        assert!(client.receive().await.0.starts_with("HTTP/1.1 200 OK"));
        tokio::time::sleep(pause).await;
        let began = Instant::now();
        client.send(&REQUEST[..9]).await;
        let took = closed(&mut client, began).await;
        assert!(is_about(took, HEAD_TIMEOUT), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_what_is_idle_at_once_and_what_is_busy_behind_its_answer() {
    let server = Server::new();
    for begun in [&b""[..], b"POST /a HT"] {
        let mut idle = Client::connect(&server, Road::Ours);
        idle.send(begun).await;
        assert_eq!(idle.receive().await, (String::new(), false));
        idle.stop.send(true).unwrap();
        assert_eq!(closed(&mut idle, Instant::now()).await, Duration::ZERO);
    }

    let stream = server.stream();
    let mut busy = Client::connect(&server, Road::Ours);
    busy.send(b"POST /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
    busy.receive().await;
    busy.stop.send(true).unwrap();
    stream.send("a".into()).unwrap();
    assert_eq!(busy.receive().await, ("1\r\na\r\n".to_owned(), false));
    drop(stream);
    assert_eq!(busy.receive().await, ("0\r\n\r\n".to_owned(), true));

    // Before an answer has begun, it can still say so.
    let mut busy = Client::connect(&server, Road::Ours);
    busy.send(b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\no")
        .await;
    busy.receive().await;
    busy.stop.send(true).unwrap();
    busy.send(b"k").await;
    let (said, is_closed) = busy.receive().await;
    assert!(
        said.contains("\r\nconnection: close\r\n") && said.ends_with("ok"),
        "{said}"
    );
    assert!(is_closed);
    assert_eq!(server.seen.dropped.load(SeqCst), 0);
}
