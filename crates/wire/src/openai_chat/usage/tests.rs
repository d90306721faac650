use bourse_vocab::{Bill, Nanos, Usage, UsageReport, json};

use super::*;

/// Both ways of reading must agree.
fn read(value: &bourse_vocab::json::Value) -> UsageReport {
    let report = read_usage(value);
    assert_eq!(read_usage_text(&value.to_string()), report);
    report
}

#[test]
fn openai_reports_cached_and_reasoning_as_parts() {
    let report = read(&json!({
        "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    }));
    assert_eq!(
        report,
        UsageReport {
            prompt: Some(2006),
            cache_read: Some(1920),
            prompt_audio: Some(0),
            completion: Some(300),
            reasoning: Some(192),
            completion_audio: Some(0),
            accepted_prediction: Some(0),
            rejected_prediction: Some(0),
            ..Default::default()
        }
    );
}

#[test]
fn what_an_answer_is_said_to_cost_is_read_in_every_spelling() {
    use bourse_vocab::ToldCost::{Nonsense, Said, Unsaid};
    for (usage, cost) in [
        (json!({"cost": 0.00095}), Said(Nanos(950_000))),
        (json!({"cost": 4.2e-5}), Said(Nanos(42_000))),
        (json!({"cost": 0}), Unsaid),
        (json!({"cost": null, "cost_details": null}), Unsaid),
        (json!({"cost": -1}), Nonsense),
        (json!({"cost": "0.1"}), Nonsense),
        // What the maker charges is a part of it, or the same,
        (
            json!({"cost": 0.5, "is_byok": false, "cost_details": {"upstream_inference_cost": 0.5}}),
            Said(Nanos(500_000_000)),
        ),
        // unless the gateway called with a key of its customer's.
        (
            json!({"cost": 0.025, "is_byok": true, "cost_details": {"upstream_inference_cost": 0.5}}),
            Said(Nanos(525_000_000)),
        ),
        (
            json!({"cost_details": {"upstream_inference_cost": 0.5}, "is_byok": true, "cost": 0}),
            Said(Nanos(500_000_000)),
        ),
        (
            json!({"cost": {"input_tokens_cost": 0.1, "request_cost": 0.2, "total_cost": 0.3}}),
            Said(Nanos(300_000_000)),
        ),
        (
            json!({"cost_in_usd_ticks": 37_756_000}),
            Said(Nanos(3_775_600)),
        ),
        (
            json!({"cost": [1], "cost_in_usd_ticks": 10}),
            Said(Nanos(1)),
        ),
    ] {
        let report = read(&usage);
        assert_eq!(report.cost, cost, "{usage}");
        assert!(!report.nonsense, "{usage}");
    }
}

#[test]
fn every_spelling_of_searches_is_read() {
    for (usage, searches) in [
        (json!({"num_search_queries": 10}), Some(10)),
        (json!({"num_sources_used": 3}), Some(3)),
        (json!({"web_search_requests": 2}), Some(2)),
        (
            json!({"server_tool_use": {"web_search_requests": 4}}),
            Some(4),
        ),
        (
            json!({"server_tool_use": {"web_search_requests": 0}, "num_search_queries": 5}),
            Some(5),
        ),
        (json!({"plugins": {"search": {"count": 1}}}), Some(1)),
        (json!({"plugins": {"search": {"strategy": "turbo"}}}), None),
        (json!({"plugins": []}), None),
    ] {
        let report = read(&usage);
        assert_eq!(report.web_searches, searches, "{usage}");
        assert!(!report.nonsense, "{usage}");
    }
}

#[test]
fn predictions_are_told_as_they_were_counted() {
    let report = read(&json!({"prompt_tokens": 5, "completion_tokens": 30,
        "completion_tokens_details": {"accepted_prediction_tokens": 12,
            "rejected_prediction_tokens": 7}}));
    let (usage, mended) = report.resolve(&Usage::default());
    assert!(!mended);
    let mut out = Vec::new();
    write_usage(&usage, &Bill::default(), &mut out);
    let text = String::from_utf8(out).unwrap();
    let told = r#""accepted_prediction_tokens":12,"rejected_prediction_tokens":7"#;
    assert!(text.contains(told), "{text}");
}

#[test]
fn every_spelling_of_cached_tokens_is_read() {
    let deepseek = json!({"prompt_tokens": 100, "completion_tokens": 5,
        "prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20});
    let moonshot = json!({"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 80});
    let both = json!({"prompt_tokens": 100, "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 80}, "cached_tokens": 80});
    for usage in [deepseek, moonshot, both] {
        let report = read(&usage);
        assert_eq!((report.prompt, report.cache_read), (Some(100), Some(80)));
    }
}

#[test]
fn written_caches_are_found_under_every_name() {
    let alibaba = json!({"prompt_tokens": 2000, "completion_tokens": 10,
        "prompt_tokens_details": {"cache_creation_input_tokens": 1889, "cache_type": "ephemeral",
            "cached_tokens": 0, "cache_creation": {"ephemeral_5m_input_tokens": 1889}}});
    let openai = json!({"prompt_tokens": 2000, "completion_tokens": 10,
        "prompt_tokens_details": {"cache_write_tokens": 1889}});
    let between = json!({"prompt_tokens": 2000, "completion_tokens": 10,
        "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1889,
        "cache_creation": {"ephemeral_1h_input_tokens": 89}});
    for (usage, written) in [
        (alibaba, (Some(1889), None)),
        (openai, (Some(1889), None)),
        (between, (Some(1800), Some(89))),
    ] {
        let report = read(&usage);
        assert_eq!((report.cache_write_5m, report.cache_write_1h), written);
        assert!(!report.nonsense);
    }
}

#[test]
fn counts_beside_the_details_and_under_other_names_are_read() {
    let sglang = read(&json!({"prompt_tokens": 10.0, "completion_tokens": 30,
        "total_tokens": 40, "reasoning_tokens": 20}));
    assert_eq!((sglang.prompt, sglang.reasoning), (Some(10), Some(20)));
    assert_eq!(sglang.completion, Some(30));
    let mixed = read(&json!({"input_tokens": 10, "output_tokens": 30,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 20}}));
    assert_eq!((mixed.prompt, mixed.completion), (Some(10), Some(30)));
    assert_eq!((mixed.cache_read, mixed.reasoning), (Some(4), Some(20)));
}

#[test]
fn reasoning_counted_beside_the_completion_is_added_to_it() {
    let xai = read(&json!({
        "prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428,
        "completion_tokens_details": {"reasoning_tokens": 2809}
    }));
    assert_eq!(
        (xai.completion, xai.reasoning),
        (Some(1499 + 2809), Some(2809))
    );
    let openai = read(&json!({
        "prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40,
        "completion_tokens_details": {"reasoning_tokens": 20}
    }));
    assert_eq!(openai.completion, Some(30));
}

#[test]
fn a_zero_is_a_report_and_null_is_none() {
    let report = read(&json!({"prompt_tokens": 0, "completion_tokens": null,
        "prompt_tokens_details": null}));
    assert_eq!((report.prompt, report.completion), (Some(0), None));
    assert!(!report.nonsense);
    assert_eq!(read(&json!(null)), UsageReport::default());
}

#[test]
fn one_absurd_count_is_noted_and_the_others_are_kept() {
    for absurd in [
        json!(-1),
        json!(1.5),
        json!("7"),
        json!(true),
        json!([1]),
        json!({"a": 1}),
        json!(u64::MAX),
    ] {
        let report = read(&json!({"prompt_tokens": absurd, "completion_tokens": 3}));
        assert!(report.nonsense, "{absurd}");
        assert_eq!((report.prompt, report.completion), (None, Some(3)));
    }
    assert!(read(&json!("lots")).nonsense);
    assert!(read_usage_text("{").nonsense);
}

#[test]
fn an_empty_list_stands_for_no_details() {
    let report = read(&json!({"prompt_tokens": 1, "completion_tokens": 2,
        "prompt_tokens_details": []}));
    assert_eq!((report.prompt, report.nonsense), (Some(1), false));
}

#[test]
fn a_bill_is_written_with_every_digit() {
    let usage = Usage {
        prompt: 194,
        cache_read: 10,
        cache_write_5m: 3,
        cache_write_1h: 4,
        completion: 2,
        reasoning: 1,
        web_searches: 2,
        ..Default::default()
    };
    let bill = Bill {
        total: Nanos(950_000),
        upstream_prompt: Nanos(900_000),
        upstream_completion: Nanos(1),
        estimated: false,
    };
    let mut out = Vec::new();
    write_usage(&usage, &bill, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.00095,"is_byok":false,"prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":7,"audio_tokens":0,"video_tokens":0},"cost_details":{"upstream_inference_cost":0.000900001,"upstream_inference_prompt_cost":0.0009,"upstream_inference_completions_cost":0.000000001},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"image_tokens":0},"server_tool_use":{"web_search_requests":2}}"#
    );
}
