//! Answers, and clients that leave.

use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Client, Road, Server, exchange};

fn post(path: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes()
}

const BOTH: [Road; 2] = [Road::Ours, Road::Hypers];

/// The part of an answer behind its head.
fn body(said: &str) -> &str {
    said.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_passed_on_piece_by_piece_and_ends_with_the_last_chunk() {
    for road in BOTH {
        let server = Server::new();
        let stream = server.stream();
        let mut client = Client::connect(&server, road);
        client.send(&post("/stream")).await;
        let (said, _) = client.receive().await;
        assert!(said.contains("transfer-encoding: chunked\r\n"), "{said}");
        assert_eq!(body(&said), "");
        for (piece, chunk) in [
            ("a", "1\r\na\r\n"),
            ("0123456789abcdef", "10\r\n0123456789abcdef\r\n"),
        ] {
            stream.send(Bytes::from(piece)).unwrap();
            assert_eq!(
                client.receive().await,
                (chunk.to_owned(), false),
                "{road:?}"
            );
        }
        // An empty piece would be the end.
        stream.send(Bytes::new()).unwrap();
        stream.send(Bytes::from("b")).unwrap();
        drop(stream);
        let end = ("1\r\nb\r\n0\r\n\r\n".to_owned(), false);
        assert_eq!(client.receive().await, end, "{road:?}");
        assert_eq!(server.seen.cut.load(SeqCst), 0);
        // The connection serves on.
        client.send(&post("/a")).await;
        assert!(client.receive().await.0.starts_with("HTTP/1.1 200 OK"));
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_of_every_size_arrive_through_a_narrow_wire() {
    for road in BOTH {
        let server = Server::new();
        let stream = server.stream();
        let mut client = Client::connect_by(&server, road, 100);
        client.send(&post("/stream")).await;
        let sizes = [
            1, 15, 16, 255, 256, 2_047, 2_048, 2_049, 1, 16_384, 65_536, 3,
        ];
        let mut expected = Vec::new();
        for (size, letter) in sizes.into_iter().zip(b'a'..) {
            let piece = vec![letter; size];
            expected.extend_from_slice(&piece);
            stream.send(piece.into()).unwrap();
        }
        drop(stream);
        let (said, is_closed) = client.receive().await;
        let mut rest = body(&said);
        let mut got = Vec::new();
        loop {
            let (size, after) = rest.split_once("\r\n").unwrap();
            let (piece, after) = after.split_at(usize::from_str_radix(size, 16).unwrap());
            rest = after.strip_prefix("\r\n").unwrap();
            got.extend_from_slice(piece.as_bytes());
            if piece.is_empty() {
                break;
            }
        }
        assert!(got == expected && rest.is_empty() && !is_closed, "{road:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_as_long_as_it_says_ends_the_connection() {
    for (path, least) in [("/long", "connection"), ("/short", "abc")] {
        let server = Server::new();
        let mut client = Client::connect(&server, Road::Ours);
        client.send(&post(path)).await;
        let (said, is_closed) = client.receive().await;
        assert!(is_closed, "{path}: {said} {least}");
        assert!(!said.ends_with("abc") || path == "/short", "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_close_the_connection() {
    let both = [post("/close"), post("/a")].concat();
    for road in BOTH {
        let outcome = exchange(road, &[&both]).await;
        assert_eq!(outcome.answers.len(), 1, "{road:?}");
        assert!(outcome.is_closed);
        assert_eq!(outcome.answers[0].matches("connection: close").count(), 1);
    }
}

/// A client that closes its side only is taken for one that has left, as
/// ever: the two look the same.
#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_drops_the_call() {
    for road in BOTH {
        for is_half in [false, true] {
            let server = Server::new();
            let mut client = Client::connect(&server, road);
            client.send(&post("/never")).await;
            client.receive().await;
            let seen = &server.seen;
            assert_eq!((seen.begun.load(SeqCst), seen.dropped.load(SeqCst)), (1, 0));
            if is_half {
                client.wire.shutdown().await.unwrap();
            } else {
                drop(client.wire);
            }
            client.served.await.unwrap();
            assert_eq!(seen.dropped.load(SeqCst), 1, "{road:?} {is_half}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_drops_the_stream() {
    for road in BOTH {
        let server = Server::new();
        let stream = server.stream();
        let mut client = Client::connect(&server, road);
        client.send(&post("/stream")).await;
        stream.send(Bytes::from("a")).unwrap();
        assert!(client.receive().await.0.ends_with("1\r\na\r\n"));
        assert_eq!(server.seen.cut.load(SeqCst), 0);
        drop(client.wire);
        client.served.await.unwrap();
        assert_eq!(server.seen.cut.load(SeqCst), 1, "{road:?}");
    }
}

/// One that takes nothing and leaves is noticed, too.
#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_full_wire_drops_the_stream() {
    let server = Server::new();
    let stream = server.stream();
    let mut client = Client::connect_by(&server, Road::Ours, 100);
    client.send(&post("/stream")).await;
    stream.send(vec![b'x'; 5_000].into()).unwrap();
    let mut some = [0; 50];
    client.wire.read_exact(&mut some).await.unwrap();
    assert_eq!(server.seen.cut.load(SeqCst), 0);
    client.wire.shutdown().await.unwrap();
    client.served.await.unwrap();
    assert_eq!(server.seen.cut.load(SeqCst), 1);
}

/// A slow reader keeps what is gathered for one write, and its provider waits.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_keeps_little_of_its_answer_in_memory() {
    const PIECE: usize = 1_024;
    for (road, most) in [
        (Road::Ours, 16 * 1_024 + PIECE),
        (Road::Hypers, 512 * 1_024),
    ] {
        let server = Server::new();
        let stream = server.stream();
        let mut client = Client::connect_by(&server, road, 100);
        client.send(&post("/stream")).await;
        for _ in 0..4_096 {
            stream.send(vec![b'x'; PIECE].into()).unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let taken = server.seen.taken.load(SeqCst) as usize;
        assert!((PIECE..=most).contains(&taken), "{road:?}: {taken} bytes");
        // What it reads makes room for no more than that.
        let mut some = [0; 10 * PIECE];
        client.wire.read_exact(&mut some).await.unwrap();
        let grown = server.seen.taken.load(SeqCst) as usize - taken;
        assert!(grown <= most, "{road:?}: {grown} bytes more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_hears_that_it_is_written_once_the_wire_has_taken_all_of_it() {
    let server = Server::new();
    let stream = server.stream();
    let mut client = Client::connect_by(&server, Road::Ours, 400);
    client.send(&post("/stream")).await;
    let seen = || {
        let seen = &server.seen;
        (seen.taken.load(SeqCst), seen.written.load(SeqCst))
    };
    stream.send(vec![b'x'; 100].into()).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(seen(), (100, 100), "the wire has room for it");
    // The wire is full before all of these are out.
    for _ in 0..3 {
        stream.send(vec![b'y'; 100].into()).unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(seen(), (400, 100));
    client.receive().await;
    assert_eq!(seen(), (400, 400));
}

#[tokio::test(start_paused = true)]
async fn a_second_request_waits_for_its_turn_and_is_not_read_before() {
    let server = Server::new();
    let stream = server.stream();
    let mut client = Client::connect_by(&server, Road::Ours, 4_096);
    client.send(&post("/stream")).await;
    client.receive().await;
    let second = format!(
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    let (mut reader, mut writer) = tokio::io::split(client.wire);
    let sending = tokio::spawn(async move { writer.write_all(second.as_bytes()).await });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    // What the wire does not hold waits with the client.
    assert!(!sending.is_finished());
    assert_eq!(server.seen.begun.load(SeqCst), 1);
    drop(stream);
    let mut said = vec![0; 100_000];
    reader.read_exact(&mut said).await.unwrap();
    sending.await.unwrap().unwrap();
    assert_eq!(server.seen.begun.load(SeqCst), 2);
}
