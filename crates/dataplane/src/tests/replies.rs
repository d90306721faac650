//! The room that all whole replies share.

use serde_json::json;

use super::harness::{Play, play_whole};
use super::script::Answer;

/// A whole answer of so many bytes, and a few more.
fn long(bytes: usize) -> Answer {
    Answer::reply(&json!({
        "id": "up-1",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "x".repeat(bytes)}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }))
}

fn with_room(replies_bytes_max: usize) -> Play {
    play_whole().setup(|setup| setup.replies_bytes_max = replies_bytes_max)
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_no_room_for_a_whole_answer_is_told_so_and_nobody_else_is_asked() {
    // It would be in memory three times.
    let played = with_room(1 << 20)
        .one(long(400_000))
        .two(Answer::whole())
        .check("void AttemptsFailed; possible one")
        .await;
    let got = &played.got;
    assert_eq!((got.status, got.retry_after.as_deref()), (503, Some("2")));
    assert_eq!(played.harness.script.called(), ["one"]);
    assert_eq!(played.harness.failures(), [0, 0, 1], "it is our fault");
    assert_eq!(played.harness.gateway().replies.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn answers_give_their_room_back_when_their_clients_have_them() {
    let play = with_room(1 << 20).one(long(250_000));
    let harness = play.harness().await;
    for _ in 0..8 {
        assert_eq!(harness.ask(&play).await.status, 200);
        assert_eq!(harness.gateway().replies.used(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_do_not_take_their_answers_are_bounded_together() {
    let play = with_room(1 << 20).one(long(200_000));
    let harness = play.harness().await;
    let mut untaken = Vec::new();
    loop {
        let response = harness.answer(&play).await;
        if response.status() != 200 {
            assert_eq!(response.status(), 503);
            break;
        }
        untaken.push(response);
        assert!(untaken.len() < 6);
    }
    // Two wait, once each; a third would be there three times.
    assert_eq!(untaken.len(), 2);
    untaken.pop();
    assert_eq!(harness.ask(&play).await.status, 200);
}
