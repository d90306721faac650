//! Streams that break and are gone on with by another provider, on the real
//! program.

use serde_json::{Value, json};

use crate::client::Stream;
use crate::exchange::{CHEAP, DEAR, Exchange, Provider, script, streamed};
use crate::money_math::cost;

const TOKENS: u64 = 8;

/// Two providers that give one answer, in two formats, and go on with it.
fn exchange() -> Exchange {
    Exchange::start(|setup| {
        let pair = [("cheap", CHEAP, "openai-chat"), ("dear", DEAR, "anthropic")];
        for (slug, price, format) in pair {
            let whole = script(json!({"prefill": true, "seed": 7, "tokens": TOKENS}));
            let mut provider = Provider::new(slug, price, whole).format(format);
            provider
                .provider_toml
                .push_str("prefill = \"last-message\"\n");
            setup.provider(provider);
        }
    })
}

fn asked(exchange: &Exchange, header: &str) -> Stream {
    let body = streamed(json!({"max_tokens": 100, "provider": {"order": ["cheap", "dear"]}}));
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n{header}", exchange.key);
    let body = body.to_string();
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        body.as_bytes(),
    );
    conn.receive().stream()
}

#[test]
fn a_stream_that_breaks_is_gone_on_with_exactly_and_paid_once() {
    let exchange = exchange();
    let whole = asked(&exchange, "");
    let mut spent = cost(&whole.complete());
    for at in [1, 4, 7] {
        let broken: Value = json!({"prefill": true, "seed": 7, "tokens": TOKENS, "token_ms": 3,
            "cut_after_tokens": at});
        exchange.sim.set_provider_script("cheap", script(broken));
        let before = exchange.attempts().len();
        let stream = asked(&exchange, "x-bourse-continue: true\r\n");
        assert_eq!(stream.text(), whole.text(), "cut after {at}");
        assert_eq!(stream.finishes(), ["stop"]);
        spent += cost(&stream.complete());
        assert_eq!(exchange.attempts()[before..], ["cheap", "dear"]);
        // Without the header the same is an error.
        let stream = asked(&exchange, "");
        stream.broken();
        assert!(whole.text().starts_with(&stream.text()));
        let (_, all) = crate::exchange::eventually("what was delivered to be booked", || {
            let balance = exchange.balance();
            (balance.1 > spent).then_some(balance)
        });
        spent = all;
    }
    exchange.finish(spent);
}
