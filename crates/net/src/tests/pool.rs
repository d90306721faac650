use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::support::{Upstream, answer_all, call, client, client_with, read_request, text};
use crate::{NetErrorKind, PoolLimits};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";

#[tokio::test]
async fn a_connection_is_used_again_after_a_complete_body() {
    for response in [
        OK,
        CHUNKED,
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
    ] {
        let upstream = Upstream::start(move |socket, _| answer_all(socket, response)).await;
        let origin = upstream.origin();
        let client = client(&origin);
        for turn in 0..20 {
            let response = call(&client, &origin).await.unwrap();
            assert_eq!(response.timing.reused, turn > 0);
            assert_eq!(response.timing.connect_us > 0, turn == 0);
            assert_eq!(text(response).await.unwrap(), "hi");
        }
        assert_eq!(upstream.connections(), 1);
        assert_eq!((client.stats().open, client.stats().idle), (1, 1));
    }
}

#[tokio::test]
async fn a_connection_that_must_not_be_reused_is_closed() {
    for response in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nConnection: x, Close\r\ncontent-length: 2\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        // Bytes beyond the end would be read as the next answer.
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n",
    ] {
        let upstream = Upstream::start(move |socket, _| answer_all(socket, response)).await;
        let origin = upstream.origin();
        let client = client(&origin);
        for _ in 0..3 {
            assert_eq!(
                text(call(&client, &origin).await.unwrap()).await.unwrap(),
                "hi"
            );
            assert_eq!(client.stats().open, 0, "{response}");
        }
        assert_eq!(upstream.connections(), 3);
    }
}

#[tokio::test]
async fn an_unsolicited_response_never_answers_the_next_request() {
    let upstream = Upstream::start(|mut socket, number| async move {
        read_request(&mut socket).await;
        socket.write_all(OK.as_bytes()).await.unwrap();
        if number == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let foreign = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret";
            socket.write_all(foreign.as_bytes()).await.unwrap();
        }
        read_request(&mut socket).await;
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    assert_eq!(
        text(call(&client, &origin).await.unwrap()).await.unwrap(),
        "hi"
    );
    tokio::time::sleep(Duration::from_millis(60)).await;
    let response = call(&client, &origin).await.unwrap();
    assert!(!response.timing.reused);
    assert_eq!(text(response).await.unwrap(), "hi");
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_while_idle_is_not_used() {
    let upstream = Upstream::start(|mut socket, _| async move {
        read_request(&mut socket).await;
        socket.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    for turn in 0..5 {
        assert_eq!(
            text(call(&client, &origin).await.unwrap()).await.unwrap(),
            "hi"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(upstream.connections(), turn + 1);
    }
}

#[tokio::test]
async fn a_close_that_crosses_the_request_is_reported_and_not_repeated() {
    let upstream = Upstream::start(|mut socket, _| async move {
        read_request(&mut socket).await;
        socket.write_all(OK.as_bytes()).await.unwrap();
        read_request(&mut socket).await;
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    call(&client, &origin).await.unwrap();
    let error = call(&client, &origin).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::ClosedBeforeResponse);
    assert!(error.reused && error.wrote_request);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn concurrent_requests_have_a_connection_each_and_idle_ones_are_bounded() {
    let upstream = Upstream::start(|mut socket, _| async move {
        while read_request(&mut socket).await.is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            socket.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let origin = upstream.origin();
    let client = client_with(
        &origin,
        PoolLimits {
            idle_per_origin: 3,
            ..PoolLimits::default()
        },
    );
    let calls = (0..10).map(|_| async { text(call(&client, &origin).await.unwrap()).await });
    for outcome in futures_util::future::join_all(calls).await {
        assert_eq!(outcome.unwrap(), "hi");
    }
    assert_eq!(upstream.connections(), 10);
    assert_eq!((client.stats().open, client.stats().idle), (3, 3));
}

#[tokio::test]
async fn the_connection_cap_refuses_and_evicts_idle_ones_first() {
    let first = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let limits = PoolLimits {
        open_per_origin: 2,
        open_total: 2,
        ..PoolLimits::default()
    };
    let hanging = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    let second = Upstream::start(move |socket, _| answer_all(socket, hanging)).await;
    let mut egress = crate::EgressPolicy::deny_private();
    egress.allow_origin(&first.origin());
    egress.allow_origin(&second.origin());
    let config = crate::ClientConfig {
        egress,
        limits,
        ..crate::ClientConfig::default()
    };
    let client = crate::Client::new(config).unwrap();

    call(&client, &first.origin()).await.unwrap();
    assert_eq!(client.stats().idle, 1);
    let one = call(&client, &second.origin()).await.unwrap();
    let two = call(&client, &second.origin()).await.unwrap();
    assert_eq!(client.stats().idle, 0, "the idle one made room");
    let error = call(&client, &second.origin()).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Exhausted);
    assert!(!error.wrote_request);
    drop(one);
    let three = call(&client, &second.origin()).await.unwrap();
    drop((two, three));
    assert_eq!(client.stats().open, 0);
}

#[tokio::test]
async fn sweeping_closes_what_is_idle_too_long_or_closed_by_the_peer() {
    let upstream = Upstream::start(|mut socket, number| async move {
        read_request(&mut socket).await;
        socket.write_all(OK.as_bytes()).await.unwrap();
        if number == 0 {
            read_request(&mut socket).await;
        }
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    let both = futures_util::future::join(call(&client, &origin), call(&client, &origin)).await;
    drop((both.0.unwrap(), both.1.unwrap()));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(client.stats().idle, 2);
    client.sweep(Instant::now());
    assert_eq!(
        client.stats().idle,
        1,
        "the other one was closed by its peer"
    );
    client.sweep(Instant::now() + Duration::from_secs(54));
    assert_eq!(client.stats().idle, 1);
    client.sweep(Instant::now() + Duration::from_secs(56));
    assert_eq!((client.stats().idle, client.stats().open), (0, 0));
}

#[tokio::test]
async fn an_old_connection_is_replaced() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let origin = upstream.origin();
    let limits = PoolLimits {
        age_max: Duration::from_millis(50),
        ..PoolLimits::default()
    };
    let client = client_with(&origin, limits);
    call(&client, &origin).await.unwrap();
    call(&client, &origin).await.unwrap();
    assert_eq!(upstream.connections(), 1);
    tokio::time::sleep(Duration::from_millis(70)).await;
    call(&client, &origin).await.unwrap();
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn the_sweeper_ends_with_its_client() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let client = client(&upstream.origin());
    tokio::time::pause();
    let sweeper = client.spawn_sweeper();
    drop(client);
    tokio::time::advance(Duration::from_secs(6)).await;
    sweeper.await.unwrap();
}
