use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::support::{Upstream, answer_all, call, client, post, read_request, soon, text};
use crate::{HeadTemplate, NetErrorKind, OutgoingRequest, Segments};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Request-Id: abc\r\n\r\nhi";

#[tokio::test]
async fn a_request_is_written_as_head_and_segments() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            while let Some(request) = read_request(&mut socket).await {
                seen.send(String::from_utf8(request).unwrap()).unwrap();
                socket.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let origin = upstream.origin();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer k"));
    let head = HeadTemplate::new(&origin, Method::POST, "/v1/chat?x=1", headers).unwrap();
    let body = ["{\"a\":", "", "1}"].map(|part| Bytes::from_static(part.as_bytes()));
    let mut request = OutgoingRequest::new(head, Segments::from_iter(body));
    let name = HeaderName::from_static("x-extra");
    request
        .add_header(name, HeaderValue::from_static("yes"))
        .unwrap();

    let client = client(&origin);
    let response = client.send(&origin, &request, &soon()).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.headers.get_str("x-request-id"), Some("abc"));
    assert_eq!(response.headers.get("absent"), None);
    assert_eq!(response.headers.len(), 2);
    assert_eq!(text(response).await.unwrap(), "hi");
    let authority = origin.authority();
    assert_eq!(
        requests.recv().await.unwrap(),
        format!(
            "POST /v1/chat?x=1 HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer k\r\naccept-encoding: identity\r\n\
             x-extra: yes\r\ncontent-length: 7\r\n\r\n{{\"a\":1}}"
        )
    );
}

#[tokio::test]
async fn headers_of_the_connection_are_refused() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let origin = upstream.origin();
    for name in [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "upgrade",
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static("x"));
        assert!(
            HeadTemplate::new(&origin, Method::POST, "/", headers).is_err(),
            "{name}"
        );
    }
    for path in ["", "v1", "/a b", "/a\r\nx: y", "http://other/"] {
        let head = HeadTemplate::new(&origin, Method::POST, path, HeaderMap::new());
        assert!(head.is_err(), "{path:?}");
    }
}

#[tokio::test]
async fn a_body_of_many_segments_and_megabytes_arrives_whole() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            let request = read_request(&mut socket).await.unwrap();
            seen.send(request).unwrap();
            socket.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let origin = upstream.origin();
    let segments: Segments = (0..200_u8)
        .map(|part| Bytes::from(vec![part; 20_000 + usize::from(part)]))
        .collect();
    let expected: Vec<u8> = segments.iter().flat_map(|part| part.to_vec()).collect();
    let head = HeadTemplate::new(&origin, Method::POST, "/", HeaderMap::new()).unwrap();
    let request = OutgoingRequest::new(head, segments);
    let response = client(&origin)
        .send(&origin, &request, &soon())
        .await
        .unwrap();
    assert_eq!(text(response).await.unwrap(), "hi");
    let got = requests.recv().await.unwrap();
    assert!(got.ends_with(&expected));
}

#[tokio::test]
async fn an_early_refusal_of_a_large_upload_is_returned() {
    for reads_some in [true, false] {
        let upstream = Upstream::start(move |mut socket, _| async move {
            if reads_some {
                socket.read_exact(&mut [0; 1000]).await.unwrap();
            }
            let refusal = "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
            socket.write_all(refusal.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
            // Reads nothing of the rest, but lets the answer through.
            tokio::time::sleep(Duration::from_millis(200)).await;
        })
        .await;
        let origin = upstream.origin();
        let client = client(&origin);
        let request = post(&origin, vec![b'x'; 32 << 20]);
        let response = client.send(&origin, &request, &soon()).await.unwrap();
        assert_eq!(response.status, 413);
        assert_eq!(text(response).await.unwrap(), "big");
        assert_eq!(
            client.stats().open,
            0,
            "half-written connections are not kept"
        );
    }
}

#[tokio::test]
async fn an_upstream_that_answers_before_reading_still_gets_the_whole_request() {
    let (seen, mut lengths) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            socket.write_all(OK.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            seen.send(read_request(&mut socket).await.unwrap().len())
                .unwrap();
        }
    })
    .await;
    let origin = upstream.origin();
    let request = post(&origin, vec![b'x'; 16 << 20]);
    let response = client(&origin)
        .send(&origin, &request, &soon())
        .await
        .unwrap();
    assert_eq!(text(response).await.unwrap(), "hi");
    assert!(lengths.recv().await.unwrap() > 16 << 20);
}

#[tokio::test]
async fn a_close_without_an_answer_says_that_the_request_was_written() {
    let upstream = Upstream::start(|mut socket, _| async move {
        read_request(&mut socket).await;
    })
    .await;
    let origin = upstream.origin();
    let error = call(&client(&origin), &origin).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::ClosedBeforeResponse);
    assert!(error.wrote_request && !error.reused);
    assert_eq!(
        upstream.connections(),
        1,
        "a request that may have run is not sent again"
    );
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_error_with_nothing_written() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let origin = upstream.origin();
    drop(upstream);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = call(&client(&origin), &origin).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Connect);
    assert!(!error.wrote_request);
}

/// Streams chunks until the client is gone, then reports when it noticed.
async fn closes_within_50_ms(leave: impl AsyncFnOnce(crate::Client, crate::Origin) -> Instant) {
    let (seen, mut gone) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            read_request(&mut socket).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
            socket.write_all(head.as_bytes()).await.unwrap();
            assert_eq!(socket.read(&mut [0; 10]).await.unwrap_or(0), 0);
            seen.send(Instant::now()).unwrap();
        }
    })
    .await;
    let origin = upstream.origin();
    let left = leave(client(&origin), origin.clone()).await;
    let noticed = gone.recv().await.unwrap();
    assert!(
        noticed - left < Duration::from_millis(50),
        "{:?}",
        noticed - left
    );
}

#[tokio::test]
async fn dropping_a_body_closes_the_upstream_connection() {
    closes_within_50_ms(async |client, origin| {
        let mut response = call(&client, &origin).await.unwrap();
        assert_eq!(response.body.next().await.unwrap().unwrap(), "abc");
        drop(response);
        assert_eq!(client.stats().open, 0);
        Instant::now()
    })
    .await;
}

#[tokio::test]
async fn dropping_the_send_closes_the_upstream_connection() {
    let (seen, mut gone) = mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            read_request(&mut socket).await.unwrap();
            assert_eq!(socket.read(&mut [0; 10]).await.unwrap_or(0), 0);
            seen.send(Instant::now()).unwrap();
        }
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    let sending = tokio::time::timeout(Duration::from_millis(100), call(&client, &origin));
    assert!(sending.await.is_err());
    let left = Instant::now();
    assert_eq!(client.stats().open, 0);
    assert!(gone.recv().await.unwrap() - left < Duration::from_millis(50));
}

#[tokio::test]
async fn interim_responses_are_skipped_and_bounded() {
    for (interims, ok) in [(1, true), (16, true), (17, false)] {
        let upstream = Upstream::start(move |mut socket, _| async move {
            read_request(&mut socket).await.unwrap();
            let mut response = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(interims);
            response.push_str(OK);
            socket.write_all(response.as_bytes()).await.unwrap();
        })
        .await;
        let origin = upstream.origin();
        let outcome = call(&client(&origin), &origin).await;
        assert_eq!(outcome.is_ok(), ok, "{interims}");
    }
}

#[tokio::test]
async fn a_private_address_needs_an_operator_and_an_allowance() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let operators = upstream.origin();
    let anyones = crate::Origin::parse(&format!("http://{}", upstream.address))
        .unwrap()
        .0;
    let allowing = client(&operators);
    assert!(call(&allowing, &operators).await.is_ok());
    let error = call(&allowing, &anyones).await.unwrap_err();
    assert_eq!(error.kind, NetErrorKind::Egress);
    let strict = crate::Client::new(crate::ClientConfig::default()).unwrap();
    assert_eq!(
        call(&strict, &operators).await.unwrap_err().kind,
        NetErrorKind::Egress
    );
    assert_eq!(upstream.connections(), 1);
}

/// An upstream whose answer ends `ms` before its response.
async fn ending_late(ms: u64) -> Upstream {
    Upstream::start(move |mut socket, _| async move {
        while read_request(&mut socket).await.is_some() {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nlast\r\n";
            if socket.write_all(head).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(ms)).await;
            if socket.write_all(b"0\r\n\r\n").await.is_err() {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_response_that_ends_after_its_answer_keeps_its_connection() {
    for (late_ms, wait_ms, connections) in [(30, 1_000, 1), (500, 50, 2)] {
        let upstream = ending_late(late_ms).await;
        let origin = upstream.origin();
        let client = client(&origin);
        let mut body = call(&client, &origin).await.unwrap().body;
        assert_eq!(body.next().await.unwrap().unwrap(), "last");
        body.finish(Duration::from_millis(wait_ms));
        // Until it has ended, or was closed because it did not.
        while client.stats().idle == 0 && client.stats().open > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        call(&client, &origin).await.unwrap();
        assert_eq!(upstream.connections(), connections, "{late_ms} ms");
    }
}
