//! Speech and transcripts over HTTP: what clients are told, what it costs, and
//! what happens when a provider breaks off, or a form is none.

use bourse_sim::{Script, UsageFault};
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{Exchange, Provider, Setup, eventually, script};
use crate::money_math::{charge, cost, nanos};

const TTS: &str = "acme/tts";
const STT: &str = "acme/stt";
const SPEAKS: &str = "context_length = 4096\noutput_modalities = [\"speech\"]";
const HEARS: &str = "context_length = 16000\nmax_output = 2000\n\
    input_modalities = [\"audio\"]\noutput_modalities = [\"transcription\"]";
/// Dollars for a character, and for a second.
const A_CHARACTER: &str = "0.000015";
const A_SECOND: &str = "0.0001";
/// Dollars for a million tokens that go in, and come out.
const TOKENS: (&str, &str) = ("2.50", "10");

/// A provider that is sold by something else than tokens.
fn by_unit(
    slug: &'static str,
    model: &'static str,
    unit: &str,
    usd: &str,
    how: Script,
) -> Provider {
    let mut provider = Provider::new(slug, ("0", "0"), how).model(model);
    provider.price = None;
    provider.endpoint(&format!(
        "price = {{ prompt = \"0\", completion = \"0\", {unit} = \"{usd}\" }}\n"
    ))
}

fn speaks(slug: &'static str, usd: &str, how: Script) -> Provider {
    by_unit(slug, TTS, "character", usd, how)
}

fn hears(slug: &'static str, usd: &str, how: Script) -> Provider {
    by_unit(slug, STT, "audio_second", usd, how)
}

fn start(change: impl FnOnce(&mut Setup)) -> Exchange {
    Exchange::start(|setup| {
        setup.models.insert(TTS, SPEAKS);
        setup.models.insert(STT, HEARS);
        change(setup);
    })
}

fn post(exchange: &Exchange, path: &str, content_type: &str, body: &[u8]) -> Got {
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: {content_type}\r\n",
        exchange.key
    );
    conn.request("POST", path, &headers, body);
    conn.receive()
}

fn speak(exchange: &Exchange, over: Value) -> Got {
    let mut body = json!({
        "model": TTS, "voice": "alloy", "input": "one two three", "provider": {"sort": "price"},
    });
    body.as_object_mut()
        .unwrap()
        .extend(over.as_object().unwrap().clone());
    let body = body.to_string();
    post(
        exchange,
        "/api/v1/audio/speech",
        "application/json",
        body.as_bytes(),
    )
}

/// A second of silence for each 2,000 bytes.
fn wav(bytes: usize) -> Vec<u8> {
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(1_000_u32.to_le_bytes());
    wav.extend(2_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(u32::try_from(bytes).unwrap().to_le_bytes());
    wav.resize(44 + bytes, 0);
    wav
}

fn form(fields: &[(&str, &str)], file: Option<&[u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.as_bytes());
    }
    if let Some(file) = file {
        let head = "--XX\r\nContent-Disposition: form-data; name=\"file\"; \
            filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n";
        body.extend(head.as_bytes());
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

const FORM: &str = "multipart/form-data; boundary=XX";

fn hear(exchange: &Exchange, fields: &[(&str, &str)], sound: &[u8]) -> Got {
    let fields = [&[("model", STT)], fields].concat();
    let body = form(&fields, Some(sound));
    post(exchange, "/api/v1/audio/transcriptions", FORM, &body)
}

fn record(exchange: &Exchange, got: &Got) -> Value {
    let id = got.header("x-generation-id").unwrap();
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    record["data"].clone()
}

#[track_caller]
fn refused(got: &Got, status: u16, says: &str) {
    let message = got.error_message(status);
    assert!(message.contains(says), "{message}");
}

#[test]
fn a_text_is_read_aloud_and_costs_its_characters_to_the_nano_dollar() {
    let exchange = start(|setup| {
        setup.provider(speaks("cheap", A_CHARACTER, Script::default()));
    });
    let got = speak(&exchange, json!({"input": "eins zwo drü"}));
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("audio/mpeg"));
    assert!(got.whole);
    assert!(got.body.starts_with(&[0xFF, 0xFB]), "a frame of MPEG audio");
    let spent = 12 * nanos(A_CHARACTER);
    let told = record(&exchange, &got);
    assert_eq!(told["api_type"], "tts");
    assert_eq!(told["streamed"], true);
    assert_eq!(
        (told["total_cost"].as_f64().unwrap() * 1e9).round() as i128,
        spent
    );
    // What it is in is said as the provider says it, and nothing of ours is
    // sent there.
    let wav = speak(
        &exchange,
        json!({"response_format": "wav", "speed": 1.5, "input": "a"}),
    );
    assert_eq!(wav.header("content-type"), Some("audio/wav"));
    let sent = exchange.upstream();
    let body: Value = serde_json::from_str(sent[1].body.as_ref().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"model": "cheap-model", "voice": "alloy", "input": "a",
            "response_format": "wav", "speed": 1.5})
    );
    exchange.finish(spent + nanos(A_CHARACTER));
}

#[test]
fn a_model_that_is_sold_by_the_token_is_asked_for_events_and_billed_by_the_last() {
    let exchange = start(|setup| {
        let how = Script::default();
        setup.provider(Provider::new("gpt-4o-mini-tts", TOKENS, how).model(TTS));
    });
    let sound = speak(&exchange, json!({"response_format": "pcm"}));
    assert_eq!(sound.status, 200, "{}", sound.text());
    assert_eq!(sound.header("content-type"), Some("audio/pcm"));
    // 200 ms of 24,000 samples for each word.
    assert_eq!((sound.body.len(), sound.whole), (3 * 9_600, true));
    let events = speak(&exchange, json!({"stream_format": "sse"}));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let text = events.text();
    let events: Vec<Value> = text
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    assert_eq!(events.len(), 4, "{text}");
    assert_eq!(events[0]["type"], "speech.audio.delta");
    let usage = &events[3]["usage"];
    assert_eq!(events[3]["type"], "speech.audio.done");
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&json!(3), &json!(3))
    );
    let spent = charge(3, 3, TOKENS);
    assert_eq!(cost(usage), spent);
    exchange.finish(2 * spent);
}

/// A piece of sound is no token, so what was heard says nothing of the cost.
#[test]
fn whoever_leaves_a_sound_that_is_sold_by_the_token_pays_what_it_came_to() {
    let exchange = start(|setup| {
        let how = script(json!({"tokens": 40, "token_ms": 5}));
        setup.provider(Provider::new("gpt-4o-mini-tts", TOKENS, how).model(TTS));
    });
    let words = ["word"; 40].join(" ");
    let body = json!({"model": TTS, "voice": "alloy", "input": words}).to_string();
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
        exchange.key
    );
    conn.request("POST", "/api/v1/audio/speech", &headers, body.as_bytes());
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    assert!(!got.whole);
    drop(conn);
    let told = eventually("the rest to be read", || {
        let told = record(&exchange, &got);
        told["total_cost"].is_number().then_some(told)
    });
    assert_eq!(told["cancelled"], true, "{told}");
    assert_eq!(told["native_tokens_completion"], 40, "{told}");
    assert_eq!(told["is_estimated"], false, "{told}");
    exchange.finish(charge(40, 40, TOKENS));
}

#[test]
fn a_sound_that_breaks_off_never_ends_as_a_whole_one_does() {
    let exchange = start(|setup| {
        setup.provider(speaks(
            "cheap",
            A_CHARACTER,
            script(json!({"cut_after_bytes": 5_000})),
        ));
        setup.provider(speaks("dear", "0.00009", Script::default()));
    });
    let mut conn = exchange.connect();
    let body = json!({"model": TTS, "voice": "alloy", "input": "one two three",
        "provider": {"sort": "price"}});
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request(
        "POST",
        "/v1/audio/speech",
        &headers,
        body.to_string().as_bytes(),
    );
    let mut got = conn.head();
    assert_eq!(got.status, 200);
    while let Some(size) = conn.try_chunk(&mut got) {
        assert!(size > 0, "no last chunk");
    }
    assert!(!got.whole, "the body must not end well");
    // What was delivered is paid for; it was begun, so nobody else is asked.
    let spent = 13 * nanos(A_CHARACTER);
    assert_eq!(exchange.upstream().len(), 1);
    exchange.finish(spent);
}

#[test]
fn another_provider_is_asked_until_the_first_byte() {
    let exchange = start(|setup| {
        let fails = script(json!({"error_rate": 1.0, "error_status": 500}));
        setup.provider(speaks("cheap", A_CHARACTER, fails));
        setup.provider(speaks("dear", "0.00009", Script::default()));
        let fails = script(json!({"error_rate": 1.0, "error_status": 503}));
        setup.provider(hears("deaf", A_SECOND, fails));
        setup.provider(hears("ear", "0.0002", script(json!({"tokens": 4}))));
    });
    let sound = speak(&exchange, json!({}));
    assert_eq!((sound.status, sound.whole), (200, true));
    let text = hear(
        &exchange,
        &[("provider", "{\"sort\":\"price\"}")],
        &wav(6_000),
    );
    assert_eq!(text.status, 200, "{}", text.text());
    assert_eq!(exchange.upstream().len(), 4);
    exchange.finish(13 * nanos("0.00009") + 3 * nanos("0.0002"));
}

#[test]
fn a_sound_is_written_down_in_every_form_and_costs_its_seconds() {
    let exchange = start(|setup| {
        setup.provider(hears("cheap", A_SECOND, script(json!({"tokens": 4}))));
    });
    let sound = wav(4_100);
    let plain = hear(
        &exchange,
        &[("language", "en"), ("temperature", "0")],
        &sound,
    );
    assert_eq!(plain.status, 200, "{}", plain.text());
    assert_eq!(plain.header("content-type"), Some("application/json"));
    let json = plain.json();
    let spent = 3 * nanos(A_SECOND);
    // Two seconds and a bit are three, as the provider counts.
    assert_eq!(json["usage"]["type"], "duration");
    assert_eq!(json["usage"]["seconds"], 3);
    assert_eq!(cost(&json["usage"]), spent);
    assert_eq!(json.as_object().unwrap().len(), 2, "{json}");
    let words = json["text"].as_str().unwrap().split_whitespace().count();
    assert_eq!(words, 4);
    let told = record(&exchange, &plain);
    assert_eq!(told["api_type"], "stt");

    let text = hear(&exchange, &[("response_format", "text")], &sound);
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(text.text().split_whitespace().count(), 4);
    let srt = hear(&exchange, &[("response_format", "srt")], &sound).text();
    assert!(
        srt.starts_with("1\n00:00:00,000 --> 00:00:02,050\n"),
        "{srt}"
    );
    let vtt = hear(&exchange, &[("response_format", "vtt")], &sound).text();
    assert!(
        vtt.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:02.050\n"),
        "{vtt}"
    );
    let verbose = [
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "segment"),
    ];
    let verbose = hear(&exchange, &verbose, &sound).json();
    assert_eq!(verbose["duration"], 2.05);
    assert_eq!(verbose["segments"].as_array().unwrap().len(), 1);
    // OpenRouter's JSON is the same.
    let body = json!({"model": STT, "input_audio": {"data": base64(&sound), "format": "wav"}});
    let path = "/v1/audio/transcriptions";
    let inline = post(
        &exchange,
        path,
        "application/json",
        body.to_string().as_bytes(),
    );
    assert_eq!(inline.json()["usage"]["seconds"], 3, "{}", inline.text());
    // A translation is one of the same file, elsewhere.
    let english = form(&[("model", STT)], Some(&sound));
    let english = post(&exchange, "/api/v1/audio/translations", FORM, &english);
    assert_eq!(english.json()["usage"]["seconds"], 3, "{}", english.text());
    let sent = exchange.upstream();
    assert!(sent[6].path.ends_with("/v1/audio/translations"));
    let body = sent[0].body.as_ref().unwrap();
    assert!(
        body.contains("name=\"model\"\r\n\r\ncheap-model\r\n"),
        "{body}"
    );
    assert!(
        body.contains("filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n"),
        "{body}"
    );
    assert!(!body.contains(STT) && !body.contains("--XX"), "{body}");
    exchange.finish(7 * spent);
}

#[test]
fn a_transcript_is_streamed_with_its_price_in_the_last_event() {
    let exchange = start(|setup| {
        let how = script(json!({"tokens": 3}));
        setup.provider(Provider::new("gpt-4o-transcribe", TOKENS, how).model(STT));
    });
    let got = hear(&exchange, &[("stream", "true")], &wav(4_000));
    assert_eq!(
        got.header("content-type"),
        Some("text/event-stream"),
        "{}",
        got.text()
    );
    let text = got.text();
    let events: Vec<Value> = text
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    assert_eq!(events.len(), 4, "{text}");
    let done = events.last().unwrap();
    assert_eq!(done["type"], "transcript.text.done");
    let spent = charge(20, 3, TOKENS);
    assert_eq!(cost(&done["usage"]), spent);
    assert_eq!(done["usage"]["input_token_details"]["audio_tokens"], 20);
    // The same at once.
    let whole = hear(&exchange, &[], &wav(4_000)).json();
    assert_eq!(whole["usage"]["seconds"], 2);
    assert_eq!(done["usage"]["seconds"], 2);
    assert_eq!(cost(&whole["usage"]), spent);
    exchange.finish(2 * spent);
}

#[test]
fn whoever_leaves_a_transcript_that_is_sold_by_the_token_pays_what_it_came_to() {
    let exchange = start(|setup| {
        // Several tokens in a piece, so that pieces would be too few.
        let how = script(json!({"tokens": 40, "token_ms": 5}));
        setup.provider(Provider::new("gpt-4o-transcribe", TOKENS, how).model(STT));
    });
    let fields = [("model", STT), ("stream", "true")];
    let body = form(&fields, Some(&wav(4_000)));
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: {FORM}\r\n",
        exchange.key
    );
    conn.request("POST", "/api/v1/audio/transcriptions", &headers, &body);
    let mut got = conn.head();
    conn.chunk(&mut got).unwrap();
    drop(conn);
    let told = eventually("the rest to be read", || {
        let told = record(&exchange, &got);
        told["total_cost"].is_number().then_some(told)
    });
    assert_eq!(told["native_tokens_completion"], 40, "{told}");
    assert_eq!(told["is_estimated"], false, "{told}");
    exchange.finish(charge(20, 40, TOKENS));
}

#[test]
fn a_transcript_without_a_count_is_billed_by_the_sounds_length_and_says_so() {
    let exchange = start(|setup| {
        let mut how = script(json!({"tokens": 3}));
        how.usage = UsageFault::Missing;
        setup.provider(hears("cheap", A_SECOND, how));
    });
    let got = hear(&exchange, &[], &wav(40_000));
    assert_eq!(got.json()["usage"]["seconds"], 20, "{}", got.text());
    exchange.finish(20 * nanos(A_SECOND));
}

/// A provider of the catalog, at the simulator.
fn vendor(
    slug: &'static str,
    model: &'static str,
    upstream: &'static str,
    unit: (&str, &str),
) -> Provider {
    let mut provider = by_unit(slug, model, unit.0, unit.1, Script::default());
    provider.format = "";
    provider.upstream_model = Some(upstream);
    provider
}

#[test]
fn elevenlabs_reads_by_its_own_path_and_costs_the_characters() {
    let exchange = start(|setup| {
        let unit = ("character", A_CHARACTER);
        setup.provider(vendor("elevenlabs", TTS, "eleven_v3", unit));
    });
    let got = speak(
        &exchange,
        json!({"voice": "JBFqnCBsd6RMkjVDRZzb", "input": "eins"}),
    );
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("audio/mpeg"));
    let sent = exchange.upstream();
    assert!(
        sent[0]
            .path
            .ends_with("/text-to-speech/JBFqnCBsd6RMkjVDRZzb/stream?output_format=mp3_44100_128"),
        "{}",
        sent[0].path
    );
    let odd = speak(&exchange, json!({"voice": "../keys"}));
    assert!(odd.error_message(400).contains("voice: "));
    assert_eq!(exchange.upstream().len(), 1);
    exchange.finish(4 * nanos(A_CHARACTER));
}

#[test]
fn mistral_reads_in_events_and_costs_the_characters() {
    let exchange = start(|setup| {
        let unit = ("character", A_CHARACTER);
        setup.provider(vendor("mistral", TTS, "voxtral-mini-tts-2603", unit));
    });
    let got = speak(&exchange, json!({"input": "eins zwo"}));
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("audio/mpeg"));
    assert!(got.body.starts_with(&[0xFF, 0xFB]), "a frame of MPEG audio");
    exchange.finish(8 * nanos(A_CHARACTER));
}

#[test]
fn what_is_said_is_written_down_by_every_vendor_and_costs_its_seconds() {
    for (slug, upstream, path) in [
        ("mistral", "voxtral-mini-2602", "/audio/transcriptions"),
        ("xai", "grok-voice-transcribe-2.0", "/stt"),
        ("elevenlabs", "scribe_v2", "/speech-to-text"),
        (
            "deepgram",
            "nova-3",
            "/listen?model=nova-3&smart_format=true&language=de",
        ),
    ] {
        let exchange = start(|setup| {
            let unit = ("audio_second", A_SECOND);
            setup.provider(vendor(slug, STT, upstream, unit));
        });
        let got = hear(&exchange, &[("language", "de")], &wav(8_000));
        assert_eq!(got.status, 200, "{slug}: {}", got.text());
        let told = got.json();
        assert!(!told["text"].as_str().unwrap().is_empty(), "{slug}");
        assert_eq!(told["usage"]["seconds"], 4, "{slug}");
        assert_eq!(cost(&told["usage"]), 4 * nanos(A_SECOND), "{slug}");
        let sent = exchange.upstream();
        assert!(sent[0].path.ends_with(path), "{}", sent[0].path);
        if slug != "mistral" {
            let subtitles = hear(&exchange, &[("response_format", "srt")], &wav(8_000));
            assert!(
                subtitles.text().starts_with("1\n00:00:00,000 --> "),
                "{slug}"
            );
            exchange.finish(8 * nanos(A_SECOND));
        } else {
            exchange.finish(4 * nanos(A_SECOND));
        }
    }
}

#[test]
fn what_is_no_request_is_refused_with_the_field_and_costs_nothing() {
    let exchange = start(|setup| {
        setup.provider(speaks("cheap", A_CHARACTER, Script::default()));
        setup.provider(hears("ear", A_SECOND, Script::default()));
    });
    let long = "x".repeat(4_097);
    for (over, says) in [
        (json!({"input": ""}), "input: "),
        (
            json!({"input": long}),
            "input: must be a text of 1 to 4096 characters",
        ),
        (
            json!({"input": [{"text": "a"}]}),
            "input: turns of several speakers",
        ),
        (json!({"voice": null}), "voice: is required"),
        (json!({"speed": 4.01}), "speed: "),
        (json!({"response_format": "midi"}), "response_format: "),
        (json!({"stream_format": "sse"}), "stream_format: "),
        (json!({"models": ["acme/tts"]}), "models: "),
        (json!({"input_references": [1]}), "input_references: "),
    ] {
        refused(&speak(&exchange, over), 400, says);
    }
    let sound = wav(100);
    for (fields, says) in [
        (vec![("response_format", "xml")], "response_format: "),
        (vec![("stream", "true")], "stream: "),
        (
            vec![("response_format", "diarized_json")],
            "response_format: ",
        ),
        (vec![("model", STT)], "model: is in the form more than once"),
        (vec![("diarize", "true")], "diarize: "),
        (vec![("source_url", "https://a.example")], "source_url: "),
        (vec![("provider", "{")], "provider"),
    ] {
        refused(&hear(&exchange, &fields, &sound), 400, says);
    }
    let path = "/v1/audio/transcriptions";
    let post = |content_type: &str, body: &[u8]| post(&exchange, path, content_type, body);
    let model = [("model", STT)];
    refused(&post(FORM, &form(&model, None)), 400, "file: is required");
    refused(&post(FORM, &form(&[], Some(&sound))), 400, "model: ");
    refused(&post(FORM, &form(&model, Some(b""))), 400, "file: is empty");
    let two = [form(&model, Some(&sound)), form(&[], Some(&sound))].concat();
    let two = String::from_utf8_lossy(&two).replacen("--XX--\r\n", "", 1);
    refused(
        &post(FORM, two.as_bytes()),
        400,
        "file: is in the form more than once",
    );
    refused(
        &post("multipart/form-data", &form(&model, Some(&sound))),
        400,
        "boundary",
    );
    refused(
        &post(FORM, b"--XX\r\n"),
        400,
        "ends before its last boundary",
    );
    let large = form(&model, Some(&vec![0; (25 << 20) + 1]));
    refused(
        &post(FORM, &large),
        413,
        "file: the file is larger than 26214400 bytes",
    );
    refused(
        &post(
            "application/json",
            json!({"model": STT}).to_string().as_bytes(),
        ),
        400,
        "input_audio: is required",
    );
    let url = json!({"model": STT, "input_audio": {"url": "https://a.example/a.wav"}});
    refused(
        &post("application/json", url.to_string().as_bytes()),
        400,
        "input_audio.url: ",
    );
    assert_eq!(exchange.upstream().len(), 0);
    exchange.finish(0);
}

/// Base64, by the book: nothing of the server's is used here.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize] as char;
            out.push(if at <= three.len() { digit } else { '=' });
        }
    }
    out
}
