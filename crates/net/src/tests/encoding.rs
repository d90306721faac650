use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Upstream, call, client, read_request, text};
use crate::{NetError, NetErrorKind};

const CODINGS: [&str; 5] = ["gzip", "X-Gzip", "deflate", "br", "zstd"];

async fn packed(coding: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let done = match coding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => GzipEncoder::new(content).read_to_end(&mut out).await,
        "deflate" => ZlibEncoder::new(content).read_to_end(&mut out).await,
        "br" => BrotliEncoder::new(content).read_to_end(&mut out).await,
        "zstd" => ZstdEncoder::new(content).read_to_end(&mut out).await,
        other => panic!("no coding {other}"),
    };
    done.unwrap();
    out
}

/// An upstream that answers with these bytes, in pieces of `cut`, as content
/// in this coding.
async fn answering(coding: &'static str, content: Vec<u8>, cut: usize) -> Upstream {
    Upstream::start(move |mut socket, _| {
        let content = content.clone();
        async move {
            while read_request(&mut socket).await.is_some() {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
                    content.len()
                );
                socket.write_all(head.as_bytes()).await.unwrap();
                for piece in content.chunks(cut) {
                    if socket.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            }
        }
    })
    .await
}

async fn receive(coding: &'static str, content: Vec<u8>, cut: usize) -> Result<String, NetError> {
    let upstream = answering(coding, content, cut).await;
    let origin = upstream.origin();
    let response = call(&client(&origin), &origin).await?;
    text(response).await
}

#[tokio::test]
async fn content_is_unpacked_in_every_coding_and_any_pieces() {
    let long = "Hello, world. ".repeat(20_000);
    for coding in CODINGS {
        for content in ["", "Hello", &long] {
            let bytes = packed(coding, content.as_bytes()).await;
            for cut in [1, 7, 100_000] {
                let got = receive(coding, bytes.clone(), cut).await.unwrap();
                assert!(got == content, "{coding}, pieces of {cut}");
            }
        }
    }
}

#[tokio::test]
async fn content_that_is_called_identity_is_left_alone() {
    for name in ["identity", "Identity", ""] {
        assert_eq!(receive(name, b"Hello".to_vec(), 5).await.unwrap(), "Hello");
    }
}

#[tokio::test]
async fn a_coding_that_is_not_known_is_refused() {
    for name in ["compress", "gzip, br", "aes128gcm", "dcz"] {
        let error = receive(name, b"Hello".to_vec(), 5).await.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Malformed, "{name}");
        assert!(error.wrote_request, "the upstream has seen the request");
        assert!(error.to_string().contains("gzip, deflate, br and zstd"));
    }
}

#[tokio::test]
async fn content_that_cannot_be_unpacked_is_an_error() {
    for coding in CODINGS {
        let whole = packed(coding, "Hello, world. ".repeat(100).as_bytes()).await;
        let half = whole[..whole.len() / 2].to_vec();
        for wrong in [half, b"Hello, world".to_vec()] {
            let error = receive(coding, wrong, 100).await.unwrap_err();
            assert!(
                matches!(
                    error.kind,
                    NetErrorKind::Malformed | NetErrorKind::Truncated
                ),
                "{coding}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn content_is_bounded_by_what_it_unpacks_to() {
    let zeros = vec![b'0'; 8 << 20];
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let bytes = packed(coding, &zeros).await;
        assert!(bytes.len() < 100_000, "{coding}");
        let upstream = answering(coding, bytes, 100_000).await;
        let origin = upstream.origin();
        let response = call(&client(&origin), &origin).await.unwrap();
        let error = response.body.read_to_end(1 << 20).await.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::TooLarge, "{coding}");
    }
}

#[tokio::test]
async fn what_is_unpacked_comes_as_it_arrives() {
    let (first, rest) = {
        let mut encoder = async_compression::tokio::write::GzipEncoder::new(Vec::new());
        encoder.write_all(b"data: 1\n\n").await.unwrap();
        encoder.flush().await.unwrap();
        let first = encoder.get_ref().clone();
        encoder.write_all(b"data: 2\n\n").await.unwrap();
        encoder.shutdown().await.unwrap();
        let rest = encoder.into_inner()[first.len()..].to_vec();
        (first, rest)
    };
    let go_on = std::sync::Arc::new(tokio::sync::Notify::new());
    let waiting = go_on.clone();
    let upstream = Upstream::start(move |mut socket, _| {
        let (first, rest, waiting) = (first.clone(), rest.clone(), waiting.clone());
        async move {
            read_request(&mut socket).await.unwrap();
            let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n";
            socket.write_all(head).await.unwrap();
            socket.write_all(&first).await.unwrap();
            waiting.notified().await;
            socket.write_all(&rest).await.unwrap();
        }
    })
    .await;
    let origin = upstream.origin();
    let mut body = call(&client(&origin), &origin).await.unwrap().body;
    let piece = body.next().await.unwrap().unwrap();
    assert_eq!(piece, "data: 1\n\n");
    go_on.notify_one();
    let piece = body.next().await.unwrap().unwrap();
    assert_eq!(piece, "data: 2\n\n");
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn the_connection_of_an_unpacked_answer_serves_the_next_one() {
    for coding in ["gzip", "zstd"] {
        let bytes = packed(coding, b"Hello").await;
        let upstream = answering(coding, bytes, 100).await;
        let origin = upstream.origin();
        let client = client(&origin);
        for _ in 0..3 {
            let response = call(&client, &origin).await.unwrap();
            assert_eq!(text(response).await.unwrap(), "Hello");
        }
        assert_eq!(upstream.connections(), 1, "{coding}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_unpacking_panic(
        content in prop::collection::vec(any::<u8>(), 0..2_000),
        coding in prop::sample::select(&CODINGS[..]),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bytes = packed(coding, &content).await;
            if let Some((at, byte)) = damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let upstream = answering(coding, bytes, 100).await;
            let origin = upstream.origin();
            let response = call(&client(&origin), &origin).await.unwrap();
            let read = response.body.read_to_end(16 << 20).await;
            if damage.is_none() {
                assert_eq!(read.unwrap(), content);
            }
        });
    }
}
