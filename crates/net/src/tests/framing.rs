use std::time::Duration;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::support::{Upstream, call, client, read_request, text};
use crate::{NetError, NetErrorKind};

/// What a client makes of a response that arrives in the given pieces,
/// followed by a close.
async fn receive(pieces: Vec<Vec<u8>>) -> Result<String, NetError> {
    let pieces = std::sync::Arc::new(pieces);
    let upstream = Upstream::start(move |mut socket, _| {
        let pieces = pieces.clone();
        async move {
            read_request(&mut socket).await.unwrap();
            for piece in pieces.iter() {
                if socket.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            socket.shutdown().await.ok();
        }
    })
    .await;
    let origin = upstream.origin();
    let response = call(&client(&origin), &origin).await?;
    text(response).await
}

async fn receive_whole(response: &str) -> Result<String, NetError> {
    receive(vec![response.as_bytes().to_vec()]).await
}

#[tokio::test]
async fn every_framing_is_decoded() {
    for (response, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
            "hello",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
        ("HTTP/1.0 200 OK\r\n\r\nuntil close", "until close"),
        ("HTTP/1.1 200 OK\r\n\r\nuntil close", "until close"),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", ""),
        (
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
            "",
        ),
        (
            "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n\
             5\r\nhello\r\n0a;ext=\"1\"\r\n, my world\r\n0\r\ntrailer: 1\r\nother: 2\r\n\r\n",
            "hello, my world",
        ),
        ("HTTP/1.1 200 OK\ncontent-length: 2\n\nok", "ok"),
    ] {
        assert_eq!(
            receive_whole(response).await.unwrap(),
            expected,
            "{response}"
        );
        let sliced = response.bytes().map(|byte| vec![byte]).collect();
        assert_eq!(
            receive(sliced).await.unwrap(),
            expected,
            "byte by byte: {response}"
        );
    }
}

#[tokio::test]
async fn malformed_responses_are_refused() {
    let chunked =
        |body: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
    let headers = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\nxxxxx");
    let mut cases: Vec<String> = [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: -5",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length:",
        "content-length: 99999999999999999999",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "x: a\r\n folded: b",
        "content-length : 5",
        " x: y",
        "no colon",
        "x: a\rb",
        "x: a\0b",
    ]
    .map(headers)
    .to_vec();
    cases.extend(
        [
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhell\r\n0\r\n\r\n",
            "\r\nhello",
            "g\r\nhello\r\n",
            "-5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "00000000000000005\r\nhello\r\n0\r\n\r\n",
            "5;a\nhello\r\n",
            "fffffffffffffffff\r\nx",
            "ffffffffffffffff\r\nx",
            "5\r\nhello\r\n0\r\nbad\n\r\n",
            "5\r\nhello\r\n0\r\n\rx",
        ]
        .map(chunked),
    );
    cases.push(chunked(&format!(
        "5;{}\r\nhello\r\n0\r\n\r\n",
        "x".repeat(2000)
    )));
    cases.push(chunked(&format!("0\r\n{}", "x: y\r\n".repeat(5000))));
    cases.push("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".into());
    cases.push("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".into());
    cases.push("HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n".into());
    cases.push("HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n".into());
    cases.push("ICY 200 OK\r\n\r\n".into());
    for case in cases {
        let shown = &case[..case.len().min(120)];
        let error = receive_whole(&case).await.expect_err(shown);
        assert_eq!(error.kind, NetErrorKind::Malformed, "{shown:?} {error}");
    }
}

#[tokio::test]
async fn heads_are_bounded_in_bytes_and_in_headers() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(129));
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000));
    for response in [long, many, endless] {
        let error = receive_whole(&response).await.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::TooLarge);
    }
    let fits = "x: y\r\n".repeat(127);
    let fits = format!("HTTP/1.1 200 OK\r\n{fits}content-length: 0\r\n\r\n");
    assert!(receive_whole(&fits).await.is_ok());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_not_an_end() {
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
    ] {
        let error = receive_whole(response).await.expect_err(response);
        assert_eq!(error.kind, NetErrorKind::Truncated, "{response}");
        assert!(error.wrote_request);
    }
}

#[tokio::test]
async fn chunks_that_arrive_together_are_one_piece() {
    let upstream = Upstream::start(|mut socket, _| async move {
        read_request(&mut socket).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let chunks = "9\r\ndata: {}\n\r\n".repeat(10);
        socket.write_all(chunks.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        socket.write_all(b"0\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let origin = upstream.origin();
    let client = client(&origin);
    let mut response = call(&client, &origin).await.unwrap();
    let piece = response.body.next().await.unwrap().unwrap();
    assert_eq!(piece, "data: {}\n".repeat(10));
    assert!(response.body.next().await.is_none());
    assert_eq!(
        client.stats().idle,
        1,
        "the connection is back as soon as the body ends"
    );
}

#[tokio::test]
async fn a_bounded_read_stops_at_its_limit() {
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
    ] {
        let upstream =
            Upstream::start(move |socket, _| super::support::answer_all(socket, response)).await;
        let origin = upstream.origin();
        let client = client(&origin);
        let body = call(&client, &origin).await.unwrap().body;
        assert_eq!(
            body.read_to_end(10).await.unwrap_err().kind,
            NetErrorKind::TooLarge
        );
        let body = call(&client, &origin).await.unwrap().body;
        assert_eq!(body.read_to_end(11).await.unwrap(), "hello world");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_chunking_cut_anywhere_decodes_to_the_same_bytes(
        chunks in prop::collection::vec("[a-z\r\n0-9;]{1,40}", 0..12),
        cuts in prop::collection::vec(1_usize..60, 1..20),
        upper in any::<bool>(),
    ) {
        let mut response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        for chunk in &chunks {
            let size = if upper { format!("{:X}", chunk.len()) } else { format!("{:03x}", chunk.len()) };
            response.push_str(&format!("{size}\r\n{chunk}\r\n"));
        }
        response.push_str("0\r\n\r\n");
        let expected = chunks.concat();
        let mut pieces = Vec::new();
        let mut rest = response.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        let got = runtime().block_on(receive(pieces)).unwrap();
        prop_assert_eq!(got, expected);
    }
}

/// The decoder alone, without a socket between, so that many more cuts fit
/// in a second.
mod decoder {
    use proptest::prelude::*;

    use crate::h1::Chunked;

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), ()> {
        let mut decoder = Chunked::new();
        let mut out = Vec::new();
        let mut left = 0;
        for piece in pieces {
            let mut buf = piece.to_vec();
            let decoded = decoder.decode(&mut buf).map_err(|_| ())?;
            out.extend_from_slice(&buf[decoded.start..decoded.end]);
            left += buf.len() - decoded.consumed;
        }
        Ok((out, decoder.is_done(), left))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn two_cuts_change_nothing(
            text in prop_oneof![
                "(([1-9a-f]|0[0-9])(;x)?\r\n[a-z]{0,20}\r\n){0,5}0\r\n(t: v\r\n)?\r\n[a-z]{0,3}",
                "[0-9a-f;\r\n]{0,60}",
            ],
            first in 0_usize..80,
            second in 0_usize..80,
        ) {
            let bytes = text.as_bytes();
            let first = first.min(bytes.len());
            let second = second.clamp(first, bytes.len());
            let whole = decode(&[bytes]);
            let cut = decode(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
            prop_assert_eq!(whole, cut);
        }
    }

    #[test]
    fn bytes_after_the_end_are_left_alone() {
        let (out, done, left) = decode(&[b"3\r\nabc\r\n0\r\n\r\nHTTP/1.1"]).unwrap();
        assert_eq!((out.as_slice(), done, left), (b"abc".as_slice(), true, 8));
    }
}
