//! Golden pairs of every shape, both ways, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::json::scan;
use bourse_vocab::videos::Made;

fn asked(body: &Value) -> Result<Asked, Failure> {
    let body = body.to_string().into_bytes();
    Asked::read(scan(&body).unwrap(), vec![body.into()])
}

fn written(shape: Shape, model: &str, body: &Value) -> Value {
    let asked = asked(body).unwrap();
    let written = codec(shape).write(&asked, model).unwrap();
    serde_json::from_slice(&written.body.concat()).unwrap()
}

#[track_caller]
fn refused(shape: Shape, model: &str, body: &Value) -> String {
    let failure = match asked(body) {
        Err(failure) => failure,
        Ok(asked) => codec(shape).write(&asked, model).unwrap_err(),
    };
    failure.message.into_owned()
}

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

#[test]
fn openais_request_has_its_length_as_a_text_and_its_size_in_pixels() {
    let body = json!({
        "model": "m", "prompt": "a cat", "duration": 8, "resolution": "720p",
        "aspect_ratio": "16:9", "callback_url": "https://example.com/x",
        "frame_images": [{"type": "image_url", "image_url": {"url": PNG}, "frame_type": "first_frame"}],
    });
    assert_eq!(
        written(Shape::OpenAi, "sora-2", &body),
        json!({
            "model": "sora-2", "prompt": "a cat", "seconds": "8", "size": "1280x720",
            "input_reference": {"image_url": PNG},
        })
    );
    let plain = json!({"model": "m", "prompt": "a cat"});
    let sent = written(Shape::OpenAi, "sora-2", &plain);
    assert_eq!(
        (&sent["seconds"], &sent["size"]),
        (&json!("4"), &json!("720x1280"))
    );
}

#[test]
fn googles_request_is_one_instance_with_pictures_as_bytes() {
    let body = json!({
        "model": "m", "prompt": "a cat", "duration": 8, "resolution": "4K", "aspect_ratio": "9:16",
        "generate_audio": true,
        "frame_images": [
            {"type": "image_url", "image_url": {"url": PNG}, "frame_type": "first_frame"},
            {"type": "image_url", "image_url": {"url": PNG}, "frame_type": "last_frame"},
        ],
    });
    let picture = json!({"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png"});
    assert_eq!(
        written(Shape::Veo, "veo-3.1-generate-001", &body),
        json!({
            "instances": [{"prompt": "a cat", "image": picture, "lastFrame": picture}],
            "parameters": {"aspectRatio": "9:16", "durationSeconds": 8, "resolution": "4k"},
        })
    );
    let references = json!({
        "model": "m", "prompt": "a cat",
        "input_references": [{"type": "image_url", "image_url": {"url": PNG}}],
    });
    let sent = written(Shape::Veo, "veo-3.1-generate-001", &references);
    assert_eq!(
        sent["instances"][0]["referenceImages"],
        json!([{"image": picture, "referenceType": "asset"}])
    );
}

#[test]
fn what_a_model_does_not_make_is_refused_with_what_comes_nearest() {
    let with = |over: Value| {
        let mut body = json!({"model": "m", "prompt": "a cat"});
        body.as_object_mut()
            .unwrap()
            .extend(over.as_object().unwrap().clone());
        body
    };
    let (openai, veo) = (
        (Shape::OpenAi, "sora-2"),
        (Shape::Veo, "veo-3.1-generate-001"),
    );
    for ((shape, model), over, said) in [
        (openai, json!({"duration": 7}), "the nearest is 8"),
        (openai, json!({"size": "1792x1024"}), "size: sora-2 makes"),
        (openai, json!({"seed": 7}), "seed: "),
        (
            openai,
            json!({"resolution": "1080p"}),
            "resolution: sora-2 makes 720p",
        ),
        (openai, json!({"aspect_ratio": "1:1"}), "aspect_ratio: "),
        (openai, json!({"generate_audio": false}), "generate_audio: "),
        ((Shape::OpenAi, "own"), json!({}), "duration: must be said"),
        (veo, json!({"duration": 5}), "the nearest is 4"),
        (
            veo,
            json!({"duration": 4, "resolution": "1080p"}),
            "8 seconds alone",
        ),
        (veo, json!({"size": "100x100"}), "size: "),
        (
            veo,
            json!({"input_references": [{"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}]}),
            "fetches nothing",
        ),
        (
            (Shape::Veo, "veo-3.1-lite-generate-001"),
            json!({"resolution": "4K"}),
            "resolution: ",
        ),
        (veo, json!({"duraton": 4}), "did you mean `duration`"),
        (veo, json!({"seconds": 4}), "did you mean `duration`"),
        (veo, json!({"n": 2}), "n: is no parameter"),
        (veo, json!({"upscale_factor": 2}), "upscale_factor: "),
        (veo, json!({"previous_job_id": "x"}), "previous_job_id: "),
        (
            veo,
            json!({"size": "1280x720", "resolution": "720p"}),
            "size: says what",
        ),
        (veo, json!({"prompt": " "}), "prompt: "),
        (veo, json!({"duration": 0}), "duration: "),
        (
            veo,
            json!({"frame_images": [{"type": "image_url", "image_url": {"url": PNG}}]}),
            "frame_type",
        ),
        (
            veo,
            json!({"input_references": [{"type": "video_url", "video_url": {"url": "x"}}]}),
            "pictures alone",
        ),
    ] {
        let message = refused(shape, model, &with(over.clone()));
        assert!(message.contains(said), "{over}: {message}");
    }
}

#[test]
fn usual_lengths_are_within_what_is_set_aside() {
    for (shape, models) in [
        (Shape::OpenAi, ["sora-2", "sora-2-pro"]),
        (
            Shape::Veo,
            ["veo-3.1-generate-001", "veo-3.1-lite-generate-001"],
        ),
    ] {
        for model in models {
            let limits = codec(shape).limits(model).unwrap();
            assert!(limits.usual_seconds <= asked::USUAL_SECONDS_MAX);
            assert!(limits.seconds.contains(&limits.usual_seconds));
            let plain = asked(&json!({"model": "m", "prompt": "p"})).unwrap();
            let order = codec(shape).order(&plain, model).unwrap();
            assert!(order.seconds * 1_000 <= plain.ms_max());
            assert_eq!(order.tier, plain.tier());
        }
    }
}

#[test]
fn openais_answers_are_read_in_every_state() {
    let codec = codec(Shape::OpenAi);
    let taken = br#"{"id":"video_1","object":"video","status":"queued","progress":0}"#;
    assert_eq!(codec.accepted(taken).unwrap(), "video_1");
    assert_eq!(codec.path("video_1"), "videos/video_1");
    let progress = |text: &str| codec.progress("video_1", text.as_bytes());
    assert_eq!(
        progress(r#"{"status":"queued"}"#).unwrap(),
        Progress::Waiting
    );
    assert_eq!(
        progress(r#"{"status":"in_progress"}"#).unwrap(),
        Progress::Working
    );
    assert_eq!(
        progress(r#"{"status":"completed","seconds":"8","expires_at":1795262400}"#).unwrap(),
        Progress::Done(Made {
            places: vec!["videos/video_1/content".to_owned()],
            ms: Some(8_000),
            expires_at_s: Some(1_795_262_400),
        })
    );
    let failed =
        progress(r#"{"status":"failed","error":{"code":"moderation_blocked","message":"No."}}"#);
    assert_eq!(
        failed.unwrap(),
        Progress::Failed {
            why: "No.".to_owned(),
            is_refusal: true
        }
    );
    for bad in ["", "{}", r#"{"status":"new word"}"#] {
        assert!(progress(bad).is_err(), "{bad}");
    }
    for bad in [
        "{}",
        r#"{"id":"../x"}"#,
        r#"{"id":"a/b"}"#,
        r#"{"id":"a?b"}"#,
        "no",
    ] {
        assert!(codec.accepted(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn googles_operations_are_read_in_every_state() {
    let codec = codec(Shape::Veo);
    let name = "models/veo-3.1-generate-001/operations/abc";
    let taken = json!({"name": name}).to_string();
    assert_eq!(codec.accepted(taken.as_bytes()).unwrap(), name);
    assert_eq!(codec.path(name), name);
    let progress = |value: Value| codec.progress(name, value.to_string().as_bytes()).unwrap();
    assert_eq!(progress(json!({"name": name})), Progress::Working);
    let uri = "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media";
    let done = json!({"name": name, "done": true, "response": {"generateVideoResponse": {
        "generatedSamples": [{"video": {"uri": uri}}]}}});
    assert_eq!(
        progress(done),
        Progress::Done(Made {
            places: vec![uri.to_owned()],
            ..Made::default()
        })
    );
    let filtered = json!({"done": true, "response": {"generateVideoResponse": {
        "raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["Blocked."]}}});
    assert_eq!(
        progress(filtered),
        Progress::Failed {
            why: "Blocked.".to_owned(),
            is_refusal: true
        }
    );
    let failed = json!({"done": true, "error": {"code": 13, "message": "Internal."}});
    assert_eq!(
        progress(failed),
        Progress::Failed {
            why: "Internal.".to_owned(),
            is_refusal: false
        }
    );
}
