//! Everything at once: providers that fail in every way, clients that leave
//! at any time. Every answer is lawful, and the books balance.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, ask, script};
use crate::money_math::cost;

/// How long the storm lasts.
const STORM: Duration = Duration::from_secs(4);
const CLIENTS: u64 = 12;

/// A good mixer of bits: the same storm every time, as far as we decide.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn faults() -> Vec<Value> {
    vec![
        json!({}),
        json!({"token_ms": 2}),
        json!({"error_status": 500, "error_rate": 0.5}),
        json!({"error_status": 429, "retry_after": {"ms": 30}, "error_rate": 0.5}),
        json!({"error_status": 503, "html_error": true, "error_rate": 0.7}),
        json!({"close_before_headers": true}),
        json!({"cut_after_tokens": 3, "token_ms": 1}),
        json!({"cut_after_bytes": 700, "cut_with_reset": true}),
        json!({"stall_after_tokens": 2}),
        json!({"never_answer": true}),
        json!({"malformed_after_tokens": 2}),
        json!({"error_after_tokens": 4, "token_ms": 1}),
        json!({"usage": "missing"}),
        json!({"usage": "huge"}),
        json!({"slice_bytes": 3}),
        json!({"latency_ms": 40, "first_token_ms": 40}),
        json!({"ignore_stream": true}),
    ]
}

#[test]
fn in_a_storm_of_faults_every_answer_is_lawful_and_the_books_balance() {
    let exchange = Exchange::start(|setup| {
        setup.workers = 2;
        setup.usd = "1000";
        setup.deadlines(
            "first_sign_ms = 120\nhead_ms = 250\nidle_ms = 120\nwhole_ms = 250\n\
             keep_alive_ms = 60\ndrain_ms = 200",
        );
        setup
            .provider(Provider::new("cheap", CHEAP, script(json!({}))))
            .provider(Provider::new("middle", ("0.50", "2"), script(json!({}))).format("anthropic"))
            .provider(
                Provider::new("dear", DEAR, script(json!({})))
                    .format("gemini")
                    .drains(),
            );
    });
    let seen = AtomicU64::new(0);
    let [whole, broken, refused, left] = [const { AtomicU64::new(0) }; 4];
    let end = Instant::now() + STORM;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let faults = faults();
            let mut turn = 0;
            while Instant::now() < end {
                for slug in ["cheap", "middle", "dear"] {
                    turn += 1;
                    let at = mix(turn) as usize % faults.len();
                    exchange
                        .sim
                        .set_provider_script(slug, script(faults[at].clone()));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        for client in 0..CLIENTS {
            let (exchange, seen) = (&exchange, &seen);
            let (whole, broken, refused, left) = (&whole, &broken, &refused, &left);
            scope.spawn(move || {
                let mut turn = client << 32;
                while Instant::now() < end {
                    turn += 1;
                    let luck = mix(turn);
                    let stream = luck.is_multiple_of(2);
                    let body = ask(json!({"stream": stream, "max_tokens": 60, "provider": {}}));
                    let mut conn = exchange.open(&body);
                    if luck % 5 == 1 {
                        // Leaves after a while, wherever that is.
                        std::thread::sleep(Duration::from_millis(luck >> 8 & 63));
                        left.fetch_add(1, Relaxed);
                        continue;
                    }
                    let got = conn.receive();
                    if got.status != 200 {
                        assert!(matches!(got.status, 429 | 502..=504), "{}", got.text());
                        got.error(got.status);
                        refused.fetch_add(1, Relaxed);
                        continue;
                    }
                    let usage = if stream {
                        let stream = got.stream();
                        if !stream.is_complete() {
                            stream.broken();
                            broken.fetch_add(1, Relaxed);
                            continue;
                        }
                        stream.complete()
                    } else {
                        got.answer()["usage"].clone()
                    };
                    let paid = cost(&usage);
                    assert!(paid > 0, "{usage}");
                    seen.fetch_add(paid as u64, Relaxed);
                    whole.fetch_add(1, Relaxed);
                }
            });
        }
    });
    let counts = [whole, broken, refused, left].map(AtomicU64::into_inner);
    println!("whole, broken, refused, left: {counts:?}");
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    // Calm again, everything is served.
    for slug in ["cheap", "middle", "dear"] {
        exchange.sim.set_provider_script(slug, script(json!({})));
    }
    std::thread::sleep(Duration::from_millis(300));
    let last = cost(&exchange.chat(json!({})).answer()["usage"]);
    let spent = exchange.close();
    assert!(spent >= i128::from(seen.into_inner()) + last, "{spent}");
}
