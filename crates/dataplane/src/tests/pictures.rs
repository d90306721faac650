//! What a picture costs where nobody counts it.

use serde_json::json;

use super::harness::{play, secs};
use super::script::Answer;

/// Tokens of a picture of 1,024 by 1,024 pixels where no rule is published.
const PICTURE_TOKENS: i64 = 37 * 37;
/// Nano-dollars of a token of the input.
const INPUT_NANOS: i64 = 1_000;

/// Three megabytes of it.
fn picture() -> String {
    let head = "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAIAAAA";
    format!("data:image/png;base64,{head}{}", "A".repeat(3_000_000))
}

#[tokio::test(start_paused = true)]
async fn a_picture_of_megabytes_costs_its_tokens_however_its_call_ends() {
    let begun = || Answer::stream().text("hi");
    // As text it would be 750,000 tokens, of a model that reads 100,000.
    let content = json!([
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": picture()}},
    ]);
    for (name, answer) in [
        ("no usage", begun().finish().done()),
        ("nonsense", begun().finish().usage(99_999_999, 1).done()),
        ("broken off", begun().cut()),
        ("left midway", begun().hang()),
        ("left before a word", Answer::stream().role().hang()),
    ] {
        let play = play()
            .member("messages", json!([{"role": "user", "content": content}]))
            .member("reasoning", json!({"enabled": false}))
            .leaves(secs(1))
            .one(answer);
        let harness = play.harness().await;
        harness.ask(&play).await;
        let booked = harness.booked().await;
        assert!(
            booked.end.starts_with("settled ~/"),
            "{name}: {}",
            booked.end
        );
        let held: i64 = booked.holds.iter().sum();
        assert!(held < 250_000_000, "{name}: {held} n$ on hold");
        let tokens = harness.spent() / INPUT_NANOS - PICTURE_TOKENS;
        // The question, its JSON and the beginning of an answer.
        assert!((4..60).contains(&tokens), "{name}: {tokens}");
    }
}
