//! Pictures over HTTP: what clients are told, what they cost by the piece and
//! by their tokens, and what happens when a provider makes others than it was
//! asked for.

use bourse_sim::images::{PICTURE, PICTURE_TOKENS};
use bourse_sim::{Script, UsageFault, VectorFault};
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{Exchange, Provider, Setup};
use crate::money_math::{charge, cost};

const DRAW: &str = "acme/draw";
const MODEL: &str = "context_length = 32000\noutput_modalities = [\"image\"]";
/// Sold by the piece: four cents.
const EACH: &str =
    "interface = \"images\"\nprice = { prompt = \"0\", completion = \"0\", picture = \"0.04\" }\n";
const EACH_NANOS: i128 = 40_000_000;
/// Sold by its tokens.
const TOKENS: &str = "interface = \"images\"\nprice = { prompt = \"5\", completion = \"10\", image_output = \"32\" }\n";

fn draws(setup: &mut Setup, slug: &'static str, price: &str, how: Script) {
    setup.models.insert(DRAW, MODEL);
    let mut provider = Provider::new(slug, ("0", "0"), how).model(DRAW);
    provider.price = None;
    setup.provider(provider.endpoint(price));
}

fn single(price: &'static str, how: Script) -> Exchange {
    Exchange::start(|setup| draws(setup, "cheap", price, how))
}

fn post(exchange: &Exchange, path: &str, over: &Value) -> Got {
    let mut body = json!({"model": DRAW, "prompt": "one two three"});
    let over = over.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(over);
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request("POST", path, &headers, body.to_string().as_bytes());
    conn.receive()
}

fn generate(exchange: &Exchange, over: &Value) -> Got {
    post(exchange, "/v1/images/generations", over)
}

#[track_caller]
fn pictures(got: &Got, count: usize) -> Value {
    assert_eq!(got.status, 200, "{}", got.text());
    let json = got.json();
    let data = json["data"].as_array().unwrap();
    assert_eq!(data.len(), count, "{json}");
    assert!(
        data.iter().all(|item| item["b64_json"] == PICTURE),
        "{json}"
    );
    json
}

#[test]
fn pictures_sold_by_the_piece_cost_what_came_and_the_record_says_how_many() {
    let exchange = single(EACH, Script::default());
    let got = generate(&exchange, &json!({"n": 2, "user": "alice"}));
    let reply = pictures(&got, 2);
    assert_eq!(cost(&reply["usage"]), 2 * EACH_NANOS);
    let id = got.header("x-generation-id").unwrap();
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(record["data"]["api_type"], "image");
    assert_eq!(record["data"]["num_media_completion"], 2);
    assert_eq!(record["data"]["external_user"], "alice");
    // OpenRouter's path, with its usage and the kind of each picture.
    let other = pictures(
        &post(&exchange, "/api/v1/images", &json!({"stream": true})),
        1,
    );
    assert_eq!(other["data"][0]["media_type"], "image/png");
    assert_eq!(cost(&other["usage"]), EACH_NANOS);
    assert_eq!(other["usage"]["prompt_tokens"], 3);
    let sent = exchange.upstream();
    let body: Value = serde_json::from_str(sent[0].body.as_ref().unwrap()).unwrap();
    assert!(
        sent[0].path.ends_with("/v1/images/generations"),
        "{}",
        sent[0].path
    );
    assert_eq!(body["model"], "cheap-model");
    assert_eq!(body["n"], 2);
    assert_ne!(body["user"], "alice");
    exchange.finish(3 * EACH_NANOS);
}

#[test]
fn pictures_sold_by_their_tokens_cost_what_the_provider_counted() {
    let exchange = single(TOKENS, Script::default());
    let reply = pictures(&generate(&exchange, &json!({"n": 3})), 3);
    let spent = charge(3, 0, ("5", "0")) + charge(0, 3 * PICTURE_TOKENS, ("0", "32"));
    assert_eq!(cost(&reply["usage"]), spent);
    assert_eq!(reply["usage"]["output_tokens"], 3 * PICTURE_TOKENS);
    assert_eq!(reply["usage"]["input_tokens"], 3);
    exchange.finish(spent);
}

#[test]
fn a_provider_that_makes_fewer_is_paid_for_what_it_made() {
    let fewer = Script {
        vectors: VectorFault::Fewer,
        ..Script::default()
    };
    let exchange = single(EACH, fewer);
    let reply = pictures(&generate(&exchange, &json!({"n": 3})), 2);
    assert_eq!(cost(&reply["usage"]), 2 * EACH_NANOS);
    exchange.finish(2 * EACH_NANOS);
}

#[test]
fn a_missing_count_is_no_gap_by_the_piece_and_the_most_by_tokens() {
    let silent = Script {
        usage: UsageFault::Missing,
        ..Script::default()
    };
    let by_piece = single(EACH, silent.clone());
    let reply = pictures(&generate(&by_piece, &json!({})), 1);
    assert_eq!(cost(&reply["usage"]), EACH_NANOS);
    by_piece.finish(EACH_NANOS);
    // The dearest picture of that size: 7,024 tokens.
    let by_tokens = single(TOKENS, silent);
    let asked = json!({"size": "1024x1024", "quality": "high"});
    let reply = pictures(&generate(&by_tokens, &asked), 1);
    assert_eq!(reply["usage"]["output_tokens"], 7_024);
    let spent = charge(0, 7_024, ("0", "32"));
    assert!(cost(&reply["usage"]) >= spent, "{reply}");
    by_tokens.close();
}

#[test]
fn a_hold_covers_every_picture_at_the_dearest_size_asked() {
    for (price, over, status) in [
        (EACH, json!({"n": 2}), 200),
        (EACH, json!({"n": 3}), 402),
        // 0.009 dollars at low quality, and a quarter at high.
        (TOKENS, json!({"size": "1024x1024", "quality": "low"}), 200),
        (TOKENS, json!({"size": "1024x1024", "quality": "high"}), 402),
        (TOKENS, json!({}), 402),
    ] {
        let exchange = Exchange::start(|setup| {
            setup.usd = "0.09";
            draws(setup, "cheap", price, Script::default());
        });
        let got = generate(&exchange, &over);
        assert_eq!(got.status, status, "{over}: {}", got.text());
        exchange.close();
    }
}

#[test]
fn pictures_that_are_none_cost_nothing_and_the_next_provider_is_asked() {
    let broken = Script {
        vectors: VectorFault::NotANumber,
        ..Script::default()
    };
    let exchange = Exchange::start(|setup| {
        draws(setup, "cheap", EACH, broken);
        draws(setup, "dear", TOKENS, Script::default());
    });
    let order = json!({"provider": {"order": ["cheap", "dear"]}});
    let reply = pictures(&generate(&exchange, &order), 1);
    let spent = charge(3, 0, ("5", "0")) + charge(0, PICTURE_TOKENS, ("0", "32"));
    assert_eq!(cost(&reply["usage"]), spent);
    exchange.finish(spent);
}

#[test]
fn imagen_is_asked_by_its_own_path() {
    let exchange = Exchange::start(|setup| {
        setup.models.insert(DRAW, MODEL);
        let mut google = Provider::new("google", ("0", "0"), Script::default())
            .model(DRAW)
            .format("gemini");
        google.price = None;
        setup.provider(google.endpoint(EACH));
    });
    let reply = pictures(
        &generate(&exchange, &json!({"n": 2, "aspect_ratio": "16:9"})),
        2,
    );
    assert_eq!(cost(&reply["usage"]), 2 * EACH_NANOS);
    let sent = exchange.upstream();
    assert!(
        sent[0].path.ends_with("/models/google-model:predict"),
        "{}",
        sent[0].path
    );
    exchange.finish(2 * EACH_NANOS);
}

#[test]
fn what_cannot_be_asked_is_refused_with_its_member_and_costs_nothing() {
    let exchange = single(EACH, Script::default());
    for (over, part) in [
        (json!({"n": 11}), "n: "),
        (json!({"prompt": ""}), "prompt: "),
        (json!({"size": "30000x40000"}), "size: "),
        (json!({"stream": true, "n": 2}), "n: "),
        (
            json!({"stream": true, "partial_images": 4}),
            "partial_images: ",
        ),
        (json!({"models": ["acme/draw"]}), "models: "),
        (json!({"response_format": "url"}), "response_format: "),
    ] {
        let error = generate(&exchange, &over).error(400);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(part), "{message}");
    }
    // Neither does a model that draws no pictures.
    let chat = exchange.chat(json!({"model": DRAW}));
    assert!(
        chat.error(400)["message"]
            .as_str()
            .unwrap()
            .contains("/api/v1/images")
    );
    exchange.finish(0);
}

#[test]
fn models_that_draw_are_listed_with_their_prices() {
    let exchange = single(EACH, Script::default());
    let list = exchange.get("/api/v1/images/models").json();
    let models = list["data"].as_array().unwrap();
    let model = models.iter().find(|model| model["id"] == DRAW).unwrap();
    assert_eq!(model["supports_streaming"], false);
    assert_eq!(model["supported_parameters"]["n"]["max"], 10);
    let path = model["endpoints"].as_str().unwrap();
    let endpoints = exchange.get(path).json();
    assert_eq!(endpoints["id"], DRAW);
    let priced = &endpoints["endpoints"][0];
    assert_eq!(priced["provider_slug"], "cheap");
    assert_eq!(
        priced["pricing"],
        json!([{"billable": "output_image", "unit": "image", "cost_usd": 0.04}])
    );
    exchange
        .get("/api/v1/images/models/acme/none/endpoints")
        .error(404);
    exchange.close();
}
