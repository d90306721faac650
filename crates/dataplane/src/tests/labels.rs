//! Answers whose `Content-Type` does not say what they are.

use super::harness::play;
use super::script::Answer;

/// An answer that says what a good one says, under another label.
fn labelled(label: Option<&str>) -> Answer {
    Answer::labelled(label)
        .text("hi")
        .finish()
        .usage(10, 2)
        .done()
}

#[tokio::test(start_paused = true)]
async fn events_count_under_any_label() {
    for label in [
        None,
        Some("text/plain; charset=utf-8"),
        Some("application/octet-stream"),
        Some("application/json"),
        Some("nonsense"),
    ] {
        let answer = labelled(label);
        let played = play()
            .one(answer)
            .check("settled 10/2; customer pays one")
            .await;
        assert!(
            played.got.text() == "hi" && played.got.is_done(),
            "{label:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_known_by_how_they_begin_in_any_pieces() {
    for beginning in [
        "\u{feff}",
        "\n\n",
        ": wait\n\n",
        "id: 1\n",
        "retry: 5\n\n",
        "event: x\n",
    ] {
        let text = format!(
            "{beginning}data: {}\n\ndata: {}\n\ndata: [DONE]\n\n",
            r#"{"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}}"#,
        );
        for cut in [1, 5, 1000] {
            let pieces = text.as_bytes().chunks(cut);
            let answer = pieces.fold(Answer::labelled(None), |answer, piece| {
                answer.send(piece.to_vec())
            });
            let played = play()
                .one(answer)
                .check("settled 10/2; customer pays one")
                .await;
            assert_eq!(played.got.text(), "hi", "{beginning:?}, pieces of {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_to_a_request_for_a_stream_is_no_stream() {
    let played = play()
        .one(Answer::whole())
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.got.text(), "hi");
    let alone = play()
        .one(Answer::whole())
        .check("void AttemptsFailed; possible one; possible one")
        .await;
    assert_eq!(alone.got.error(), Some(502));
    assert!(!alone.got.body.contains("hi"), "{}", alone.got.body);
}

#[tokio::test(start_paused = true)]
async fn a_page_instead_of_an_answer_goes_to_the_next() {
    for (label, text) in [
        (Some("text/html"), "<html>\n<body>data: no</body></html>"),
        (None, ""),
        (None, "   \n"),
        (Some("text/plain"), "database: down"),
    ] {
        let played = play()
            .one(Answer::labelled(label).send(text))
            .two(Answer::good())
            .check("settled 10/2; customer pays two")
            .await;
        assert_eq!(played.got.text(), "hi", "{label:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_event_without_its_end_is_read() {
    let usage = r#"data: {"choices":[],"usage":{"prompt_tokens":77,"completion_tokens":9}}"#;
    for end in ["", "\n"] {
        let answer = Answer::stream()
            .text("hi")
            .finish()
            .send(format!("{usage}{end}"));
        let played = play()
            .one(answer)
            .check("settled 77/9; customer pays one")
            .await;
        assert!(played.got.text() == "hi" && played.got.is_done());
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_event_may_be_as_long_as_any() {
    let long = "x".repeat(3 << 20);
    let text = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{long}\"}},\"finish_reason\":null}}]}}\n\n"
    );
    let pieces = text.as_bytes().chunks(64 << 10);
    let answer = pieces.fold(Answer::stream(), |answer, piece| {
        answer.send(piece.to_vec())
    });
    let answer = answer.finish().usage(10, 2).done();
    let played = play()
        .one(answer)
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.got.text().len(), long.len());
}
