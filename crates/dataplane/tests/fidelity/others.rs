//! What is sent for operations that are no chat, for those who read it by the
//! vendor's own types.

use bourse_dataplane::endpoints;
use bourse_dataplane::identity::{Caller, Identity};
use bourse_dataplane::way::Way;
use bourse_net::Origin;
use bourse_providers::{Credential, Provider};
use bourse_vocab::chat::Efforts;
use bourse_vocab::{AccountId, StoreId, TierWish};
use bourse_wire::WriteTarget;
use bourse_wire::json::scan;
use bytes::Bytes;
use std::sync::Arc;

use crate::asked::Sent;

/// A path, whom it asks, and what it is asked.
const ASKED: &[(&str, &str, &str, &str)] = &[
    (
        "/v1/embeddings",
        "openai",
        "text-embedding-3-small",
        r#"{"input":"a"}"#,
    ),
    (
        "/v1/embeddings",
        "openai",
        "text-embedding-3-small",
        r#"{"input":["a","b"],"dimensions":256,"encoding_format":"base64","user":"ada"}"#,
    ),
    (
        "/v1/embeddings",
        "openai",
        "text-embedding-3-small",
        r#"{"input":[[1,2],[3]]}"#,
    ),
    (
        "/v1/images/generations",
        "openai",
        "gpt-image-1",
        r#"{"prompt":"p","n":2,"size":"1024x1024","quality":"high","background":"transparent","output_format":"png","user":"ada"}"#,
    ),
    (
        "/v1/audio/speech",
        "openai",
        "tts-1",
        r#"{"input":"a","voice":"alloy","response_format":"mp3","speed":1.2}"#,
    ),
    (
        "/v1/audio/speech",
        "openai",
        "gpt-4o-mini-tts",
        r#"{"input":"a","voice":"alloy","response_format":"wav","instructions":"Softly."}"#,
    ),
];

/// Everything that is sent.
pub fn sent() -> Vec<Sent> {
    ASKED.iter().map(one).collect()
}

fn one((path, provider, model, body): &(&'static str, &'static str, &str, &str)) -> Sent {
    let mut asked: serde_json::Value = serde_json::from_str(body).unwrap();
    asked["model"] = (*model).into();
    let bytes = Bytes::from(asked.to_string());
    let (head, ()) = http::Request::builder()
        .uri(*path)
        .body(())
        .unwrap()
        .into_parts();
    let caller = Caller {
        identity: &Identity::of(StoreId([7; 16])),
        account: AccountId(1),
    };
    let scanned = endpoints::Scanned {
        outline: scan(&bytes).unwrap(),
        segments: vec![bytes],
    };
    let endpoint = endpoints::at(path).unwrap();
    let request = endpoint.read(&head, scanned, caller).unwrap().request;
    let vendor: Arc<dyn Provider> = Arc::new(bourse_providers::by_slug(provider).unwrap());
    let (origin, base) = Origin::parse_operator(vendor.base_url().unwrap()).unwrap();
    let ways = vendor.interfaces(model).iter().map(|interface| {
        let place = (&origin, base.as_str());
        Way::new(&vendor, *interface, model, place, &Credential::None).unwrap()
    });
    let way = ways
        .filter_map(|way| Some((endpoint.rank(&way)?, way)))
        .min_by_key(|(rank, _)| *rank);
    let (_, way) = way.unwrap();
    let target = WriteTarget {
        model,
        max_output: None,
        limit: None,
        efforts: Efforts::default(),
        tier: TierWish::None,
        dialect: &way.dialect,
    };
    let prepared = request.write(&way, &target).unwrap();
    assert!(prepared.losses.is_empty(), "{path}: {:?}", prepared.losses);
    Sent {
        client: "openai",
        column: provider,
        format: path,
        feature: (*body).to_owned(),
        path: (*path).to_owned(),
        body: serde_json::from_slice(&prepared.body.concat()).unwrap(),
    }
}
