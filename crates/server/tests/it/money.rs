//! Every nano-dollar: what is refused, what is charged, what is never lost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bourse_sim::{Outcome, Script};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, Exchange, Provider, Setup, bourse, script, streamed, worth};
use crate::money_math::{charge, cost, marked_up, nanos};

/// The tokens in the literal message that clients match on.
fn affordable(message: &str) -> (u64, u64) {
    let rest = message
        .strip_prefix(
            "This request requires more credits, or fewer max_tokens. You requested up to ",
        )
        .unwrap_or_else(|| panic!("{message}"));
    let (asked, rest) = rest.split_once(" tokens, but can only afford ").unwrap();
    let (fits, rest) = rest.split_once(". ").unwrap();
    assert!(rest.starts_with("To increase"), "{message}");
    (asked.parse().unwrap(), fits.parse().unwrap())
}

#[test]
fn without_credit_a_call_is_refused_before_it_is_made() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "";
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    for body in [json!({}), json!({"stream": true})] {
        let got = exchange.chat(body);
        let error = got.error(402);
        let message = error["message"].as_str().unwrap();
        assert_eq!(affordable(message), (1000, 0));
        assert_eq!(error["metadata"]["error_type"], "payment_required");
        assert!(error["metadata"]["provider_name"].is_null());
        assert!(
            error["metadata"]
                .as_object()
                .unwrap()
                .contains_key("provider_name")
        );
        assert_eq!(error["metadata"]["limit_source"], "openrouter_credits");
        assert_eq!(error["metadata"]["reason"], "weight_exceeds_budget");
    }
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn what_the_refusal_says_is_affordable_is() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.0002";
        setup.provider(Provider::new("cheap", CHEAP, script(json!({"tokens": 1}))));
    });
    let (asked, fits) = affordable(&exchange.chat(json!({})).error_message(402));
    assert_eq!(asked, 1000);
    assert!((100..500).contains(&fits), "{fits}");
    let over = exchange.chat(json!({"max_tokens": fits + 1}));
    over.error(402);
    exchange.chat(json!({"max_tokens": fits})).answer();
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

#[test]
fn credit_granted_beside_the_server_is_there_for_the_next_call() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "";
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    exchange.chat(json!({})).error(402);
    exchange.command(&["credit", "grant", "--usd", "1", "--reference", "invoice-1"]);
    exchange.chat(json!({})).answer();
    // The same reference grants nothing more.
    exchange.command(&["credit", "grant", "--usd", "1", "--reference", "invoice-1"]);
    assert_eq!(exchange.balance().0, nanos("1"));
    let paid = exchange.worth(CHEAP);
    // Taken back, it is gone within a second or so.
    exchange.command(&["credit", "grant", "--usd", "-0.9999"]);
    std::thread::sleep(Duration::from_secs(2));
    exchange.chat(json!({})).error(402);
    exchange.finish(paid);
}

#[test]
fn a_key_made_beside_the_server_works_at_once_and_within_its_limit() {
    let exchange = Exchange::single(script(json!({"tokens": 100})));
    let key = exchange.command(&["key", "create", "--quiet", "--limit", "0.0005"]);
    let key = key.trim();
    let mut spent = 0;
    let refused = loop {
        let got = exchange.chat_as(key, json!({"max_tokens": 100}));
        if got.status != 200 {
            break got;
        }
        spent += cost(&got.answer()["usage"]);
        assert!(spent <= nanos("0.0005"), "{spent}");
    };
    let error = refused.error(402);
    assert_eq!(error["metadata"]["limit_source"], "openrouter_key_limit");
    assert!(spent > nanos("0.0003"), "{spent}");
    // The account itself has plenty.
    spent += cost(&exchange.chat(json!({})).answer()["usage"]);
    let listed: Value =
        serde_json::from_str(&exchange.command(&["key", "list", "--json"])).unwrap();
    assert!(!listed.to_string().contains(key));
    exchange.finish(spent);
}

#[test]
fn a_disabled_key_is_refused_at_once_and_an_enabled_one_served() {
    let exchange = Exchange::single(Script::default());
    let made: Value =
        serde_json::from_str(&exchange.command(&["key", "create", "--json", "--name", "agent"]))
            .unwrap();
    let (key, hash) = (
        made["key"].as_str().unwrap(),
        made["hash"].as_str().unwrap(),
    );
    let management = exchange.command(&["key", "create", "--quiet", "--management"]);
    let change = |method: &str, body: Value| {
        let mut conn = exchange.connect();
        let headers = format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
            management.trim()
        );
        let path = format!("/api/v1/keys/{hash}");
        conn.request(method, &path, &headers, body.to_string().as_bytes());
        let got = conn.receive();
        assert_eq!(got.status, 200, "{}", got.text());
    };
    exchange.chat_as(key, json!({})).answer();
    let mut spent = exchange.worth(CHEAP);
    change("PATCH", json!({"disabled": true}));
    let error = exchange.chat_as(key, json!({})).error(401);
    assert_eq!(error["metadata"]["error_type"], "authentication");
    change("PATCH", json!({"disabled": false}));
    exchange.chat_as(key, json!({})).answer();
    spent += exchange.worth(CHEAP);
    change("DELETE", json!({}));
    exchange.chat_as(key, json!({})).error(401);
    exchange.finish(spent);
}

#[test]
fn a_generation_is_looked_up_with_the_price_that_its_answer_told() {
    let exchange = Exchange::single(Script::default());
    let reply = exchange.chat(json!({})).answer();
    let got = crate::exchange::eventually("the generation to be recorded", || {
        let mut conn = exchange.connect();
        let path = format!("/api/v1/generation?id={}", reply["id"].as_str().unwrap());
        let headers = format!("authorization: Bearer {}\r\n", exchange.key);
        conn.request("GET", &path, &headers, b"");
        let got = conn.receive();
        (got.status == 200).then_some(got)
    });
    let data = got.json()["data"].clone();
    assert_eq!(data["id"], reply["id"]);
    assert_eq!(data["model"], "acme/chat");
    assert_eq!(data["tokens_prompt"], reply["usage"]["prompt_tokens"]);
    let paid = (data["total_cost"].as_f64().unwrap() * 1e9).round() as i128;
    assert_eq!(paid, cost(&reply["usage"]));
    exchange.finish(paid);
}

#[test]
fn concurrent_calls_never_spend_more_than_there_is() {
    const CALLS: usize = 64;
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.002";
        setup.workers = 2;
        setup.provider(Provider::new(
            "cheap",
            CHEAP,
            script(json!({"tokens": 400, "first_token_ms": 150})),
        ));
    });
    let (answered, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let costs = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for call in 0..CALLS {
            let (exchange, answered, refused, costs) = (&exchange, &answered, &refused, &costs);
            scope.spawn(move || {
                let body = json!({"max_tokens": 1000});
                let usage = if call % 2 == 0 {
                    let got = exchange.chat(body);
                    (got.status == 200).then(|| got.answer()["usage"].clone())
                } else {
                    let got = exchange.open(&streamed(body)).receive();
                    (got.status == 200).then(|| got.stream().complete())
                };
                match usage {
                    Some(usage) => {
                        answered.fetch_add(1, Relaxed);
                        costs.fetch_add(cost(&usage) as u64, Relaxed);
                    }
                    None => {
                        refused.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    let (answered, refused) = (answered.into_inner(), refused.into_inner());
    assert_eq!(answered + refused, CALLS as u64);
    // A hold is about 0.00042 USD, so four fit at once, and an answer costs
    // 0.00016: a dozen can be paid in all.
    assert!((4..=12).contains(&answered), "{answered}");
    let sum = exchange
        .upstream()
        .iter()
        .map(|entry| worth(entry, CHEAP))
        .sum::<i128>();
    assert_eq!(sum, i128::from(costs.into_inner()));
    exchange.finish(sum);
}

/// A provider that talks for long, and a model that may.
fn talkative(setup: &mut Setup, tokens: u64) {
    setup
        .models
        .insert("acme/chat", "context_length = 200000\nmax_output = 100000");
    setup.provider(Provider::new(
        "cheap",
        CHEAP,
        script(json!({"tokens": tokens})),
    ));
}

#[test]
fn a_long_stream_without_a_limit_is_paid_for_as_it_grows() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.02";
        talkative(setup, 20_000);
    });
    let stream = exchange.stream(json!({}));
    let usage = stream.complete();
    assert_eq!(usage["completion_tokens"], 20_000);
    let paid = exchange.worth(CHEAP);
    // Far more than what 4096 tokens cost, which was set aside at first.
    assert!(paid > charge(0, 16_000, CHEAP));
    assert_eq!(cost(&usage), paid);
    exchange.finish(paid);
}

#[test]
fn a_stream_on_little_money_ends_at_the_limit_that_the_money_pays_for() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.004";
        talkative(setup, 50_000);
    });
    let stream = exchange.stream(json!({}));
    assert!(stream.is_complete());
    assert_eq!(stream.finishes(), ["length"]);
    assert!(stream.text().len() > 4096);
    assert_eq!(exchange.upstream()[0].outcome, Outcome::Complete);
    let spent = exchange.close();
    assert!(
        spent > nanos("0.0015") && spent <= nanos("0.004"),
        "{spent}"
    );
}

#[test]
fn an_endpoint_without_a_price_is_refused_when_the_configuration_is_read() {
    let mut setup = Setup::default();
    let mut provider = Provider::new("cheap", CHEAP, Script::default());
    provider.price = None;
    provider.base_url = Some("http://127.0.0.1:9/v1".to_owned());
    setup.provider(provider);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("bourse.toml");
    std::fs::write(&config, setup.config(&dir.path().join("data"), None)).unwrap();
    for command in ["serve", "check"] {
        let output = bourse()
            .arg(command)
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("models[0] (acme/chat).endpoints[0].price"),
            "{said}"
        );
    }
}

#[test]
fn nonsense_usage_bills_neither_a_fortune_nor_nothing() {
    std::thread::scope(|scope| {
        for format in ["openai-chat", "anthropic", "gemini"] {
            scope.spawn(move || {
                let exchange = Exchange::start(|setup| {
                    setup.provider(Provider::new("cheap", CHEAP, Script::default()).format(format));
                });
                let mut spent = 0;
                for fault in ["missing", "zero", "negative", "huge"] {
                    exchange.sim.set_provider_script(
                        "cheap",
                        script(json!({"usage": fault, "tokens": 40})),
                    );
                    for stream in [false, true] {
                        let usage = if stream {
                            exchange.stream(json!({"max_tokens": 100})).complete()
                        } else {
                            exchange.chat(json!({"max_tokens": 100})).answer()["usage"].clone()
                        };
                        let paid = cost(&usage);
                        let truth = exchange.worth(CHEAP);
                        let said = format!("{format} {fault} {stream}: {usage}");
                        assert!(paid > truth / 4 && paid < truth * 8, "{said}, {truth}");
                        for count in ["prompt_tokens", "completion_tokens", "total_tokens"] {
                            let tokens = usage[count].as_u64().unwrap();
                            assert!((1..1000).contains(&tokens), "{said}");
                        }
                        spent += paid;
                    }
                }
                exchange.finish(spent);
            });
        }
    });
}

/// A provider whose answer is always the same.
fn fixed_provider(kind: &'static str, body: String) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 16384]);
            let reply = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    base_url
}

#[test]
fn a_count_that_no_call_can_reach_is_not_believed() {
    for (prompt, completion) in [
        (3_u64, 5_000_000_000_u64),
        (5_000_000_000, 3),
        (9_999_999_999, 9_999_999_999),
        (3, 100_000),
        (1_000_000, 3),
    ] {
        let usage = json!({
            "prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion,
        });
        let whole = json!({
            "id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Good day to you"}}],
        });
        let chunk = json!({
            "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": usage,
            "choices": [{"index": 0, "finish_reason": "stop", "delta": {"content": "Good day to you"}}],
        });
        let exchange = Exchange::start(|setup| {
            let mut odd = Provider::new("cheap", CHEAP, Script::default());
            odd.base_url = Some(fixed_provider("application/json", whole.to_string()));
            setup.provider(odd);
            let mut odd = Provider::new("dear", CHEAP, Script::default());
            let stream = format!("data: {chunk}\n\ndata: [DONE]\n\n");
            odd.base_url = Some(fixed_provider("text/event-stream", stream));
            setup.provider(odd);
        });
        let usage = exchange
            .chat(json!({"provider": {"only": ["cheap"]}}))
            .answer()["usage"]
            .clone();
        let too = exchange
            .stream(json!({"provider": {"only": ["dear"]}}))
            .complete();
        let most = charge(8192, 1000, CHEAP);
        for usage in [&usage, &too] {
            let paid = cost(usage);
            assert!(paid > 0 && paid <= most, "{prompt} {completion}: {usage}");
        }
        exchange.finish(cost(&usage) + cost(&too));
    }
}

#[test]
fn thought_that_exceeds_the_output_is_cut_down_to_it() {
    let exchange = Exchange::single(script(json!({
        "usage": "reasoning_over_completion", "tokens": 40,
    })));
    for stream in [false, true] {
        let usage = if stream {
            exchange.stream(json!({})).complete()
        } else {
            exchange.chat(json!({})).answer()["usage"].clone()
        };
        let thought = usage["completion_tokens_details"]["reasoning_tokens"].as_u64();
        assert!(thought <= usage["completion_tokens"].as_u64(), "{usage}");
        let paid = cost(&usage);
        assert!(paid > 0 && paid < 4 * exchange.worth(CHEAP), "{usage}");
    }
    exchange.close();
}

#[test]
fn the_markup_is_added_exactly() {
    for ppm in [1, 55_000, 1_000_000] {
        let exchange = Exchange::start(|setup| {
            setup.toml = format!("[billing]\nmarkup_ppm = {ppm}\n");
            setup.provider(Provider::new(
                "cheap",
                ("0.123456", "0.7"),
                Script::default(),
            ));
        });
        let mut spent = 0;
        for stream in [false, true] {
            let usage = if stream {
                exchange.stream(json!({})).complete()
            } else {
                exchange.chat(json!({})).answer()["usage"].clone()
            };
            let paid = marked_up(exchange.worth(("0.123456", "0.7")), ppm);
            assert_eq!(cost(&usage), paid);
            spent += paid;
        }
        exchange.finish(spent);
    }
}

#[test]
fn an_answer_that_is_only_an_error_costs_nothing() {
    let exchange = Exchange::single(script(json!({"tokens": 0, "finish_reason": "error"})));
    let got = exchange.chat(json!({}));
    if got.status == 200 {
        assert_eq!(cost(&got.json()["usage"]), 0, "{}", got.text());
    }
    exchange.open(&streamed(json!({}))).receive();
    exchange.finish(0);
}

#[test]
fn a_finished_answer_without_words_costs_its_input() {
    let exchange = Exchange::single(script(json!({"tokens": 0})));
    let usage = exchange.chat(json!({})).answer()["usage"].clone();
    assert_eq!(usage["completion_tokens"], 0);
    let paid = exchange.worth(CHEAP);
    assert!(paid > 0);
    assert_eq!(cost(&usage), paid);
    exchange.finish(paid);
}

#[test]
fn cached_input_and_thought_have_prices_of_their_own() {
    let exchange = Exchange::start(|setup| {
        let mut provider = Provider::new(
            "cheap",
            CHEAP,
            script(json!({"cached_tokens": 5, "reasoning_tokens": 7, "tokens": 11})),
        );
        provider.price = None;
        setup.provider(provider.endpoint(
            "price = { prompt = \"1\", completion = \"4\", cache_read = \"0.25\", reasoning = \"8\" }\n",
        ));
    });
    let usage = exchange.chat(json!({})).answer()["usage"].clone();
    let truth = exchange.upstream().pop().unwrap().truth.unwrap();
    assert_eq!((truth.cached_tokens, truth.reasoning_tokens), (5, 7));
    let prompt = i128::from(truth.prompt_tokens - 5) * 1000 + 5 * 250;
    let completion = i128::from(truth.completion_tokens - 7) * 4000 + 7 * 8000;
    assert_eq!(cost(&usage), prompt + completion, "{usage}");
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 5);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 7);
    exchange.finish(prompt + completion);
}

#[test]
fn calls_that_wait_for_the_disk_are_answered_and_paid_like_others() {
    let exchange = Exchange::start(|setup| {
        setup.toml = "[ledger]\ndurability = \"always\"\n".to_owned();
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    // Together, so that some share a sync, and alone, so that some do not.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                exchange.chat(json!({})).answer();
                exchange.stream(json!({})).complete();
            });
        }
    });
    exchange.chat(json!({})).answer();
    let paid = exchange
        .upstream()
        .iter()
        .map(|entry| worth(entry, CHEAP))
        .sum();
    exchange.finish(paid);
}

#[test]
fn a_kill_loses_no_money_that_was_spent() {
    let mut exchange = Exchange::single(Script::default());
    let mut spent = 0;
    for _ in 0..5 {
        spent += cost(&exchange.chat(json!({})).answer()["usage"]);
    }
    exchange
        .sim
        .set_provider_script("cheap", script(json!({"tokens": 1000, "token_ms": 20})));
    let mut conn = exchange.open(&streamed(json!({})));
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    exchange.server.signal(Signal::KILL);
    exchange.server.child.wait().unwrap();
    exchange.server = crate::exchange::Server::start(&exchange.config, &[]);
    exchange.sim.set_provider_script("cheap", Script::default());
    // The call that was cut off delivered less than a checkpoint: its hold
    // is freed and it is the house's.
    spent += cost(&exchange.chat(json!({})).answer()["usage"]);
    exchange.finish(spent);
}

#[test]
fn a_wish_for_more_output_than_a_model_has_is_refused_and_not_billed() {
    let exchange = Exchange::single(Script::default());
    exchange.chat(json!({"max_tokens": 1001})).error(400);
    exchange.chat(json!({"max_tokens": 0})).error(400);
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn several_answers_are_set_aside_and_paid_together() {
    let exchange = Exchange::single(script(json!({"tokens": 30})));
    let reply = exchange.chat(json!({"n": 3})).answer();
    assert_eq!(reply["choices"].as_array().unwrap().len(), 3);
    assert_eq!(reply["usage"]["completion_tokens"], 90);
    let paid = exchange.worth(CHEAP);
    assert_eq!(cost(&reply["usage"]), paid);
    exchange.finish(paid);
}

#[test]
fn two_accounts_do_not_share_their_money() {
    let exchange = Exchange::single(Script::default());
    // Only the default account comes into being by being named.
    let output = bourse()
        .args(["credit", "grant", "--usd", "1", "--account", "nobody"])
        .arg("--config")
        .arg(&exchange.config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("nobody") && said.contains("default"),
        "{said}"
    );
    exchange.command(&["ledger", "verify"]);
    exchange.finish(0);
}
