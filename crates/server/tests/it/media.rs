//! Pictures, sounds and documents: what they hold, what they are estimated
//! as, and what they cost.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, Setup, eventually, script};
use crate::money_math::{charge, cost, nanos};

/// A model that takes everything, with a context of 128,000 tokens.
const MODEL: &str = "context_length = 128000\nmax_output = 1000\n\
                     input_modalities = [\"text\", \"image\", \"audio\", \"file\"]";
/// Tokens of a picture of 1,024 by 1,024 pixels where no rule is published.
const PICTURE_TOKENS: u64 = 37 * 37;

/// A picture of 1,024 by 1,024 pixels in base64, padded to a length.
fn picture(bytes: usize) -> String {
    let head = "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAIAAAA";
    format!("data:image/png;base64,{head}{}", "A".repeat(bytes))
}

fn ask(parts: &[Value]) -> Value {
    let mut content = vec![json!({"type": "text", "text": "What is this?"})];
    content.extend_from_slice(parts);
    json!({"messages": [{"role": "user", "content": content}]})
}

fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

fn file(data: &str) -> Value {
    json!({"type": "file", "file": {"filename": "a.pdf", "file_data": data}})
}

fn exchange(usd: &'static str, fields: Value) -> Exchange {
    Exchange::start(|setup: &mut Setup| {
        setup.usd = usd;
        setup.models.insert("acme/chat", MODEL);
        setup.provider(Provider::new("cheap", CHEAP, script(fields)));
    })
}

/// The providers of these tests are on a loopback address: those that an
/// operator runs at home would fetch what is only there.
#[test]
fn a_private_address_in_a_part_goes_to_no_provider_unless_the_operator_allows_it() {
    let private = [
        "file:///etc/passwd",
        "http://127.0.0.1:8000/x.png",
        "http://169.254.169.254/latest/meta-data/",
        "http:\\/\\/10.0.0.1\\/x.png",
        "\\u0068ttp://localhost/x.png",
        "http://2130706433/x.png",
    ];
    let escaped = |url: &str, name: &str| {
        let part = if name == "file" {
            format!(r#"{{"type":"file","file":{{"filename":"a","file_data":"{url}"}}}}"#)
        } else {
            format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#)
        };
        format!(
            r#"{{"model":"acme/chat","max_tokens":5,"messages":[{{"role":"user","content":[{part}]}}]}}"#
        )
    };
    let exchange = exchange("10", json!({}));
    for url in private {
        for name in ["image_url", "file"] {
            let said = exchange
                .raw(escaped(url, name).as_bytes())
                .error_message(400);
            assert!(said.contains("address"), "{url}: {said}");
        }
    }
    assert!(exchange.attempts().is_empty());
    exchange
        .raw(escaped("https://example.com/x.png", "image_url").as_bytes())
        .answer();
    exchange
        .raw(escaped("data:image/png;base64,AAAA", "image_url").as_bytes())
        .answer();
    exchange.close();

    let exchange = Exchange::start(|setup: &mut Setup| {
        setup.models.insert("acme/chat", MODEL);
        let mut allowed = Provider::new("cheap", CHEAP, script(json!({})));
        allowed.provider_toml = "private_urls = true\n".to_owned();
        setup
            .provider(Provider::new("dear", DEAR, Script::default()))
            .provider(allowed);
    });
    for url in private {
        exchange.raw(escaped(url, "image_url").as_bytes()).answer();
    }
    assert_eq!(exchange.attempts(), ["cheap"; 6]);
    exchange.close();
}

#[test]
fn a_picture_of_megabytes_holds_and_is_estimated_as_its_tokens() {
    // Some 5,000 tokens of a picture at most, and 1,000 of an answer: as
    // text, three megabytes would be the context of 128,000.
    let exchange = exchange("0.004", json!({"usage": "missing", "tokens": 5}));
    let mut spent = 0;
    for bytes in [1_400_000, 3_000_000] {
        let question = ask(&[image(&picture(bytes))]);
        let whole = exchange.chat(question.clone()).answer()["usage"].clone();
        let streamed = exchange.stream(question).complete();
        for usage in [&whole, &streamed] {
            let prompt = usage["prompt_tokens"].as_u64().unwrap();
            let text = prompt - PICTURE_TOKENS;
            assert!((20..60).contains(&text), "{usage}");
            spent += cost(usage);
        }
    }
    exchange.finish(spent);
}

#[test]
fn each_picture_is_billed_and_a_sound_is_no_picture() {
    let price = "price = { prompt = \"0.10\", completion = \"0.40\", image = \"0.001\" }";
    let exchange = Exchange::start(|setup| {
        setup.models.insert("acme/chat", MODEL);
        let mut provider = Provider::new("cheap", CHEAP, Script::default());
        provider.price = None;
        setup.provider(provider.endpoint(price));
    });
    let sound = json!({
        "type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"},
    });
    let mut spent = 0;
    for (parts, images, media) in [
        (vec![image(&picture(100)); 3], 3, 3),
        (vec![image("https://pictures.example/cat.png"); 2], 2, 2),
        (vec![sound.clone()], 0, 1),
        (vec![sound, image(&picture(100))], 1, 2),
    ] {
        let reply = exchange.chat(ask(&parts)).answer();
        let usage = &reply["usage"];
        let tokens = |name: &str| usage[name].as_u64().unwrap();
        let expected = charge(tokens("prompt_tokens"), tokens("completion_tokens"), CHEAP);
        assert_eq!(cost(usage), expected + images * nanos("0.001"), "{usage}");
        spent += cost(usage);
        let recorded = eventually("the generation to be recorded", || {
            let mut conn = exchange.connect();
            let path = format!("/api/v1/generation?id={}", reply["id"].as_str().unwrap());
            let headers = format!("authorization: Bearer {}\r\n", exchange.key);
            conn.request("GET", &path, &headers, b"");
            let got = conn.receive();
            (got.status == 200).then(|| got.json()["data"].clone())
        });
        assert_eq!(recorded["num_media_prompt"], media, "{recorded}");
    }
    exchange.finish(spent);
}

#[test]
fn a_document_that_is_elsewhere_holds_the_price_of_the_whole_context() {
    // The context costs 0.0128 and the answer at most 0.0004.
    let context = charge(128_000, 1_000, CHEAP);
    assert_eq!(context, nanos("0.0132"));
    let elsewhere = ask(&[file("https://papers.example/a.pdf")]);
    let inside = ask(&[file("data:application/pdf;base64,JVBERi0xLjQ=")]);
    let hidden = r#"{"model":"acme/chat","messages":[{"role":"user","content":[{"type":"file",
        "f\u0069le":{"file_data":"https://papers.example/a.pdf"}}]}]}"#;

    let poor = exchange("0.013", json!({}));
    for question in [&elsewhere, &inside] {
        poor.chat(question.clone()).error(402);
    }
    poor.raw(hidden.as_bytes()).error(402);
    assert_eq!(poor.attempts().len(), 0);
    // What is seen of the same question is not held as a document.
    let spent = cost(&poor.chat(ask(&[])).answer()["usage"]);
    poor.finish(spent);

    let rich = exchange("0.014", json!({"tokens": 5}));
    let spent = cost(&rich.chat(elsewhere).answer()["usage"]);
    rich.finish(spent);
}

#[test]
fn a_large_picture_fits_a_small_context_and_a_large_text_does_not() {
    let exchange = exchange("10", json!({}));
    let three = vec![image(&picture(1_000_000)); 3];
    exchange.chat(ask(&three)).answer();
    let text = json!({"type": "text", "text": "word ".repeat(600_000)});
    let error = exchange.chat(ask(&[image(&picture(100)), text])).error(400);
    assert_eq!(error["metadata"]["error_type"], "context_length_exceeded");
    exchange.close();
}

/// Some models draw without being asked to, at many times the price of text.
#[test]
fn a_model_that_may_draw_holds_the_price_of_pictures_unasked() {
    let with = |usd: &'static str| {
        Exchange::start(|setup: &mut Setup| {
            setup.usd = usd;
            setup.models.insert(
                "acme/chat",
                "context_length = 8192\nmax_output = 1000\noutput_modalities = [\"text\", \"image\"]",
            );
            let mut provider = Provider::new("cheap", CHEAP, script(json!({"tokens": 5})));
            provider.price = None;
            setup.provider(provider.endpoint(
                "price = { prompt = \"0.10\", completion = \"0.40\", image_output = \"30\" }\n",
            ));
        })
    };
    // A thousand tokens of a picture cost 0.03, a thousand of text 0.0004.
    let poor = with("0.02");
    for stream in [false, true] {
        poor.chat(json!({"max_tokens": 1000, "stream": stream}))
            .error(402);
    }
    assert_eq!(poor.attempts().len(), 0);
    poor.finish(0);
    let rich = with("0.04");
    let spent = cost(&rich.chat(json!({"max_tokens": 1000})).answer()["usage"]);
    rich.finish(spent);
}
