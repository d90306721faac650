//! The journal knows of what has left the process, and of nothing more.

use std::time::Duration;

use bourse_net::h1_server::{Answering, Ended, RequestBody, Service, Waits, serve};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::harness::{Harness, Play, ms, play, secs};
use super::progress::told;
use super::script::{Answer, Script};
use crate::endpoints::{self, Endpoint};
use crate::pipeline::{Worker, call};
use crate::relay::Delivered;
use crate::respond::ReplyBody;

const WAITS: Waits = Waits {
    head: secs(10),
    next: secs(10),
};

/// Serves model calls of a connection.
struct Calls(Worker<Script>);

impl Service<DuplexStream> for Calls {
    type Route = &'static dyn Endpoint;
    type Reply = ReplyBody;

    fn route(&self, path: &str, _: &dyn Fn(&str) -> bool) -> Option<Self::Route> {
        endpoints::at(path)
    }

    fn answer<'a>(
        &'a self,
        endpoint: Self::Route,
        request: Request<RequestBody<'a, DuplexStream>>,
    ) -> Answering<'a, ReplyBody> {
        Box::pin(call(&self.0, endpoint, request))
    }
}

/// A client that has asked, behind a wire that holds so many bytes.
async fn asked(harness: &Harness, body: &str, wire_bytes: usize) -> (DuplexStream, JoinHandle<()>) {
    let (mut client, stream) = duplex(wire_bytes);
    let calls = Calls(harness.worker.clone());
    let served = tokio::spawn(async move {
        let ended = serve(stream, &calls, WAITS, std::future::pending()).await;
        assert!(matches!(ended, Ended::Closed(_)));
    });
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        harness.key(),
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(body.as_bytes()).await.unwrap();
    (client, served)
}

/// What a client has received, by our own count.
fn counted(read: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(read);
    let mut delivered = Delivered::default();
    for rest in text.split("\"content\":\"").skip(1) {
        if let Some((content, _)) = rest.split_once('"') {
            delivered.content_bytes += content.len() as u64;
            delivered.content_pieces += 1;
        }
    }
    delivered.tokens()
}

/// Ends the server while a client reads that is as slow as can be. Returns
/// what the journal knows of and what the client has of it.
async fn killed(play: &Play, after: Duration, wire_bytes: usize) -> (u64, u64) {
    let harness = play.harness().await;
    let (mut client, served) = asked(&harness, &play.body(), wire_bytes).await;
    let mut read = Vec::new();
    let reading = async {
        let mut some = [0; 2_000];
        while let Ok(length @ 1..) = client.read(&mut some).await {
            read.extend_from_slice(&some[..length]);
            sleep(ms(100)).await;
        }
    };
    let _ = timeout(after, reading).await;
    let told = told(&harness);
    // What it has not written is gone; what is on the wire arrives.
    served.abort();
    client.read_to_end(&mut read).await.unwrap();
    let told = told.lists.iter().flatten().chain(&told.single);
    (told.copied().max().unwrap_or(0), counted(&read))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_in_the_journal_that_a_slow_client_could_not_get() {
    // A word every ten milliseconds; then as fast as can be, so that there is
    // more in our hands than on the wire.
    let slow = Answer::stream().times(40, |answer| answer.text("word").wait(ms(10)));
    let long = "x".repeat(1_500);
    let burst = |answer: Answer| answer.times(9, |answer| answer.text(&long)).wait(ms(400));
    let answer = slow.times(4, burst).finish().usage(10, 13_540).done();
    let play = play().one(answer);
    let mut behind = 0;
    for wire_bytes in [500, 4_000, 64_000] {
        for after_ms in (50..3_000).step_by(90) {
            let (told, got) = killed(&play, ms(after_ms), wire_bytes).await;
            let case = format!("after {after_ms} ms behind {wire_bytes} bytes");
            assert!(told <= got, "{told} of {got} {case}");
            behind = behind.max(told);
        }
    }
    assert!(behind > 10_000, "{behind}");
}
