//! Calls that are not let in.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use http::{Request, Response};
use http_body::{Body, Frame};
use tokio::time::{Instant, advance, sleep, timeout};

use super::harness::{Harness, play, play_whole};
use super::script::Answer;
use crate::admission::priority::Priority;
use crate::admission::{InFlight, Shed};
use crate::endpoints;
use crate::exposition;
use crate::pipeline::call;
use crate::refusal::refuse;
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

/// Many calls run, and a task that is ready waits for 110 ms, as one did before it.
async fn overload(harness: &Harness) -> Vec<InFlight> {
    let door = &harness.worker.door;
    advance(Duration::from_secs(1)).await;
    let running = (0..1_000).map(|_| door.begin_one()).collect();
    for ms in [30, 2, 110] {
        assert!(door.admits(Priority::Interactive));
        advance(Duration::from_millis(ms)).await;
    }
    running
}

/// All that a refusal says.
fn text(body: ReplyBody) -> Bytes {
    match body {
        ReplyBody::Whole(Some(text), _) => text,
        _ => panic!("a refusal is whole"),
    }
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
        let body = text(response.into_body());
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
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
        "bourse_worker_delay_seconds 0.11",
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} in {page}");
    }
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_which_only_the_path_is_known_is_refused_in_the_same_words() {
    let harness = play().harness().await;
    let running = overload(&harness).await;
    assert!(
        !harness.worker.door.keeps_refusing(),
        "nobody was refused yet"
    );
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let (head, body) = ask(&harness, path).await.into_parts();
        assert!(harness.worker.door.keeps_refusing());
        let endpoint = endpoints::at(path).unwrap();
        let (short_head, short) = refuse(&harness.worker, endpoint).into_parts();
        assert_eq!(short_head.status, head.status);
        let without_id = |mut headers: http::HeaderMap| {
            headers
                .remove("x-generation-id")
                .is_some()
                .then_some(headers)
        };
        let (said, short_said) = (without_id(head.headers), without_id(short_head.headers));
        assert!(said.is_some());
        assert_eq!(said, short_said);
        assert_eq!(text(body), text(short));
    }
    assert_eq!(shed(&harness, Shed::Overload), 4);
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

/// A call of the harness's key, with a priority, whose body is not looked at.
async fn ask_with(harness: &Harness, priority: &str) -> Response<ReplyBody> {
    let path = "/v1/chat/completions";
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", harness.key()))
        .header("x-bourse-priority", priority)
        .body(Unread)
        .unwrap();
    call(&harness.worker, endpoints::at(path).unwrap(), request).await
}

/// Somebody is refused twice a second.
async fn keep_busy(harness: &Harness, running: &mut Vec<InFlight>) -> Infallible {
    loop {
        while harness.worker.door.admits(Priority::Interactive) {
            running.push(harness.worker.door.begin_one());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn shed(harness: &Harness, why: Shed) -> u64 {
    harness.gateway().admission.sheds(why)
}

#[tokio::test(start_paused = true)]
async fn a_priority_that_is_none_is_refused_by_name() {
    let harness = play().harness().await;
    let response = ask_with(&harness, "9999999999").await;
    assert_eq!(response.status(), 400);
    let body = text(response.into_body());
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains("X-Bourse-Priority"), "{body}");
    assert_eq!(harness.failures(), [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_call_waits_until_its_worker_has_time_and_a_key_has_few_places() {
    let play = play_whole()
        .one(Answer::whole())
        .setup(|setup| setup.admission.batch_queue_of_key_max = 1);
    let harness = play.harness().await;
    let mut running = overload(&harness).await;
    let began = Instant::now();
    let later = async {
        let while_busy = keep_busy(&harness, &mut running);
        assert!(timeout(Duration::from_secs(3), while_busy).await.is_err());
        assert_eq!(harness.gateway().admission.waiting(), 1);
        let page = exposition::render(harness.gateway());
        assert!(page.contains("bourse_calls_waiting 1\n"), "{page}");
        // Another one of the key has no place.
        let response = ask_with(&harness, "batch").await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
        // A worker that is in time, and whom nobody keeps busy.
        drop(running);
    };
    let mut request = harness.request("/v1/chat/completions", play.body());
    let batch = http::HeaderValue::from_static("batch");
    request.headers_mut().insert("x-bourse-priority", batch);
    let endpoint = endpoints::at("/v1/chat/completions").unwrap();
    let (response, ()) = join(call(&harness.worker, endpoint, request), later).await;
    assert_eq!(response.status(), 200);
    assert!(began.elapsed() >= Duration::from_secs(3));
    assert_eq!(shed(&harness, Shed::Queue), 1);
    drop(response);
    assert_eq!(harness.gateway().admission.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_call_that_has_waited_for_long_is_told_to_come_back() {
    let play = play().setup(|setup| setup.admission.batch_wait = Duration::from_secs(7));
    let harness = play.harness().await;
    let mut running = overload(&harness).await;
    let began = Instant::now();
    tokio::select! {
        response = ask_with(&harness, "batch") => {
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["retry-after"], "5");
        }
        never = keep_busy(&harness, &mut running) => match never {},
    }
    assert_eq!(began.elapsed(), Duration::from_secs(7));
    assert_eq!(shed(&harness, Shed::Wait), 1);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_key_and_an_account_have_no_more_calls_under_way_than_they_may() {
    for (key, account, why) in [(Some(1), None, Shed::Key), (None, Some(1), Shed::Account)] {
        let play = play().one(Answer::good()).setup(|setup| {
            setup.admission.key_calls_max = key;
            setup.admission.account_calls_max = account;
        });
        let harness = play.harness().await;
        let first = harness.answer(&play).await;
        assert_eq!(first.status(), 200);
        // It is under way until its last byte is written.
        let response = ask_with(&harness, "interactive").await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(shed(&harness, why), 1);
        drop(first);
        play.answers_on(&harness);
        assert_eq!(harness.answer(&play).await.status(), 200);
    }
}
