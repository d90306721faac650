//! Calls that are not let in.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tokio::time::advance;

use super::harness::{Harness, play};
use crate::admission::priority::Priority;
use crate::admission::{InFlight, Shed};
use crate::endpoints;
use crate::exposition;
use crate::pipeline::call;
use crate::respond::ReplyBody;

/// A body that nobody is to look at.
struct Unread;

impl Body for Unread {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body is read");
    }
}

/// Many calls run, and a task that is ready waits for 30 ms.
async fn overload(harness: &Harness) -> Vec<InFlight> {
    let door = &harness.worker.door;
    advance(Duration::from_secs(1)).await;
    let running = (0..1_000).map(|_| door.begin()).collect();
    assert!(door.admits(Priority::Interactive));
    advance(Duration::from_millis(30)).await;
    running
}

async fn ask(harness: &Harness, path: &str) -> Response<ReplyBody> {
    // Without a key: nobody gets as far as that.
    let request = Request::post(path).body(Unread).unwrap();
    call(&harness.worker, endpoints::at(path).unwrap(), request).await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_while_others_are_late_is_told_when_to_come_back_and_is_not_read() {
    let harness = play().harness().await;
    let running = overload(&harness).await;
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let response = ask(&harness, path).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert!(response.headers().contains_key("x-generation-id"));
        let Ok(body) = response.into_body().collect().await else {
            panic!("a refusal has a body");
        };
        let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        assert_eq!(body["error"]["code"], 503);
    }
    let gateway = harness.gateway();
    assert_eq!(gateway.admission.sheds(Shed::Overload), 2);
    assert_eq!(harness.failures(), [0, 0, 0], "nothing has gone wrong");
    let page = exposition::render(gateway);
    for line in [
        "bourse_calls_shed_total{reason=\"overload\"} 2",
        "bourse_calls_limit 1000",
        "bourse_calls_in_flight 1000",
        "bourse_worker_delay_seconds 0.030000",
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} in {page}");
    }
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn when_the_worker_is_in_time_again_calls_are_let_in() {
    let harness = play().harness().await;
    drop(overload(&harness).await);
    assert_eq!(ask(&harness, "/v1/chat/completions").await.status(), 401);
    assert_eq!(harness.in_flight(), 0);
    let page = exposition::render(harness.gateway());
    assert!(page.contains("bourse_calls_limit +Inf\n"));
}
