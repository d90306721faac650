//! What a stream costs while it grows: checkpoints, and more money.

use super::harness::{ms, play, secs};
use super::script::{Answer, Fate};

#[tokio::test(start_paused = true)]
async fn a_slow_stream_is_checkpointed_every_quarter_of_a_second() {
    let word = |answer: Answer| answer.text("word").wait(ms(90));
    let played = play()
        .one(
            Answer::stream()
                .times(10, word)
                .finish()
                .usage(10, 10)
                .done(),
        )
        .check("settled 10/10; customer pays one")
        .await;
    // A piece each 90 ms, from 0 on: what was handed over before 250, 500
    // and 750 ms. The stream itself told nothing.
    assert_eq!(played.booked.checkpoints, [3, 6, 9]);
    assert_eq!(played.booked.lists, 3);
}

#[tokio::test(start_paused = true)]
async fn a_fast_stream_is_checkpointed_every_four_kibibytes() {
    let kibibyte = "x".repeat(1024);
    let played = play()
        .one(
            Answer::stream()
                .times(16, |answer| answer.text(&kibibyte))
                .finish()
                .usage(10, 5)
                .done(),
        )
        .check("settled 10/5; customer pays one")
        .await;
    // A quarter of the bytes are counted as tokens.
    assert_eq!(played.booked.checkpoints, [1024, 2048, 3072, 4096]);
}

#[tokio::test(start_paused = true)]
async fn a_short_stream_is_not_checkpointed() {
    let played = play()
        .one(Answer::good())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.booked.checkpoints, [0_u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_not_checkpointed() {
    let played = play()
        .one(
            Answer::stream()
                .text("hi")
                .times(20, |answer| answer.wait(secs(1)).comment())
                .finish()
                .usage(10, 2)
                .done(),
        )
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.booked.checkpoints, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_goes_on_beyond_its_limit_is_paid_for_by_stretches() {
    let long = "x".repeat(4 * 1024);
    let played = play()
        .member("max_tokens", 500)
        .one(
            Answer::stream()
                .times(16, |answer| answer.text(&long).wait(ms(10)))
                .finish()
                .usage(10, 16 * 1024)
                .done(),
        )
        .check("settled 10/16384; customer pays one")
        .await;
    // 500 output tokens at first, and then what is missing and eight stretches
    // of 1,024 tokens more.
    let holds = &played.booked.holds;
    assert_eq!(holds.len(), 3, "{holds:?}");
    assert!((16_000_000..20_000_000).contains(&holds[1]), "{holds:?}");
    assert!(played.booked.is_covered, "{:?}", played.booked);
}

#[tokio::test(start_paused = true)]
async fn no_stream_is_cut_while_money_is_left() {
    // A thousand output tokens are set aside at first, and the provider does
    // not care. There is money for 7,600.
    let piece = "x".repeat(400);
    let stream = |pieces| {
        play()
            .member("max_tokens", 1_000)
            .setup(|setup| setup.credit = 15_200_000)
            .one(
                Answer::stream()
                    .times(pieces, |answer| answer.text(&piece).wait(ms(10)))
                    .finish()
                    .usage(10, 100 * pieces as u64)
                    .done(),
            )
    };
    let played = stream(74).check("settled 10/7400; customer pays one").await;
    assert!(played.booked.is_covered, "{:?}", played.booked.holds);
    assert_eq!(played.got.error(), None);
    // The stream ends with the last of the money, not before.
    let played = stream(80).play().await;
    assert_eq!(played.got.error(), Some(402));
    let delivered = *played.booked.checkpoints.last().unwrap();
    assert!((7_500..=7_700).contains(&delivered), "{delivered}");
}

#[tokio::test(start_paused = true)]
async fn texts_of_long_words_do_not_outgrow_the_limit_that_their_provider_keeps() {
    // A hundred tokens of six bytes each are 150 by our count. The purse has
    // the money for a hundred.
    let played = play()
        .member("max_tokens", 100)
        .setup(|setup| setup.credit = 330_000)
        .one(
            Answer::stream()
                .times(100, |answer| answer.text("sixsix").wait(ms(10)))
                .cut(),
        )
        .check("settled ~/100; customer pays one")
        .await;
    assert_eq!(played.booked.holds.len(), 1, "{:?}", played.booked.holds);
    assert!(played.booked.is_covered, "{:?}", played.booked);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_never_extended() {
    let played = super::harness::play_whole()
        .one(Answer::whole())
        .check("settled 10/2; customer pays one")
        .await;
    assert_eq!(played.booked.holds.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn hidden_thoughts_are_checkpointed_and_extend_the_hold() {
    let long = "x".repeat(4 * 1024);
    let played = play()
        .hides_thoughts()
        .member("max_tokens", 500)
        .one(
            Answer::stream()
                .times(6, |answer| answer.thought(&long).wait(ms(10)))
                .text("hi")
                .finish()
                .usage(10, 6_145)
                .done(),
        )
        .check("settled 10/6145; customer pays one")
        .await;
    // After each thought, and when the client sees the first word.
    let mut expected: Vec<_> = (1..=6).map(|piece| piece * 1024).collect();
    expected.push(6 * 1024 + 1);
    assert_eq!(played.booked.checkpoints, expected);
    assert!(played.booked.holds.len() > 1, "{:?}", played.booked.holds);
}

#[tokio::test(start_paused = true)]
async fn hidden_thoughts_that_outgrow_the_money_are_paid_and_nobody_else_is_asked() {
    let long = "x".repeat(4 * 1024);
    let played = play()
        .hides_thoughts()
        .setup(|setup| setup.credit = 27_000_000)
        .one(
            Answer::stream()
                .times(50, |answer| answer.thought(&long))
                .hang(),
        )
        .two(Answer::good())
        .play()
        .await;
    assert_eq!(played.got.status, 402);
    assert!(
        played.booked.end.starts_with("settled ~/"),
        "{}",
        played.booked.end
    );
    assert_eq!(played.harness.script.called(), ["one"]);
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_breaks_while_it_thinks_is_not_the_customers() {
    let long = "x".repeat(4 * 1024);
    let played = play()
        .hides_thoughts()
        .one(
            Answer::stream()
                .times(4, |answer| answer.thought(&long))
                .cut(),
        )
        .two(Answer::good())
        .check("settled 10/2; customer pays two; possible one")
        .await;
    assert_eq!(played.booked.checkpoints, [1024, 2048, 3072, 4096]);
}

#[tokio::test(start_paused = true)]
async fn shown_thoughts_are_content() {
    let played = play()
        .one(Answer::stream().thought("hm").wait(secs(1)).cut())
        .two(Answer::good())
        .check("settled ~/1; customer pays one")
        .await;
    assert!(played.got.body.contains("hm"));
}
