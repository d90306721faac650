use bourse_catalog::{Overlay, RawCatalog};
use bourse_providers::{Address, Attempt, Headers, Interface, Key};
use bourse_vocab::Format;
use bourse_wire::Dialect;

use super::*;
use crate::endpoints::{Endpoint as _, chat};

/// A vendor with two interfaces, the one that its clients speak last.
struct Both;

impl Provider for Both {
    fn slug(&self) -> &str {
        "both"
    }

    fn name(&self) -> &str {
        "Both"
    }

    fn env(&self) -> &[&'static str] {
        &[]
    }

    fn base_url(&self) -> Option<&str> {
        None
    }

    fn interfaces(&self, _: &str) -> &[Interface] {
        const {
            &[
                Interface::chat(Format::Anthropic),
                Interface::chat(Format::OpenAiChat),
            ]
        }
    }

    fn dialect(&self, _: Format, _: &str) -> &Dialect {
        &Dialect::PLAIN
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        Address {
            path: format!("{}/{}", attempt.base_path, attempt.interface.format.slug()),
            headers: Headers::new(),
        }
    }
}

fn catalog() -> Arc<Snapshot> {
    let overlay: Overlay = serde_json::from_str(
        r#"{"providers":{"both":{"base_url":"https://both.example/v1"}},"models":[{"slug":"acme/m",
            "endpoints":[{"provider":"both","upstream_model":"m",
            "price":{"prompt":"1","completion":"1"}}]}]}"#,
    )
    .unwrap();
    Arc::new(Snapshot::build(RawCatalog::default(), &[overlay]).unwrap())
}

fn market(keys: &[&str], memory: &Memory) -> Market {
    let alike: Vec<_> = keys.iter().map(|key| (*key, 1)).collect();
    weighted(&alike, memory)
}

fn weighted(keys: &[(&str, u32)], memory: &Memory) -> Market {
    let setup = ProviderSetup {
        provider: Arc::new(Both),
        credentials: keys
            .iter()
            .map(|(key, weight)| Weighted {
                credential: Credential::bearer(Key::new(key)),
                weight: *weight,
            })
            .collect(),
        base_url: "http://127.0.0.1:9/v1".to_owned(),
        http2: Http2::Never,
        on_disconnect: Disconnect::Cancel,
        private_urls: false,
        via: None,
        simulated: false,
    };
    let (market, problems) = Market::build(catalog(), vec![setup], 0, memory);
    assert!(problems.is_empty(), "{problems:?}");
    market
}

#[test]
fn a_target_offers_every_interface_and_the_clients_own_is_taken() {
    let market = market(&["sk-1"], &Memory::default());
    let [target] = market.targets() else {
        panic!("one endpoint and one key are one target");
    };
    let formats: Vec<_> = target.ways.iter().map(|way| way.format).collect();
    assert_eq!(formats, [Format::Anthropic, Format::OpenAiChat]);
    let chosen = target.way(|way| chat::Chat.rank(way)).unwrap();
    assert_eq!(chosen.format, Format::OpenAiChat);
    assert!(target.way(|_| None).is_none());
    // Where the client does not care, the provider's preference counts.
    let indifferent = target.way(|_| Some(0)).unwrap();
    assert_eq!(indifferent.format, Format::Anthropic);
}

#[test]
fn a_credential_has_the_share_of_its_weight_and_never_none() {
    let shares = |weights: &[u32]| -> Vec<u32> {
        let keys: Vec<_> = weights.iter().map(|weight| ("sk", *weight)).collect();
        let market = weighted(&keys, &Memory::default());
        market.targets().iter().map(|target| target.share).collect()
    };
    assert_eq!(shares(&[7]), [WHOLE]);
    assert_eq!(shares(&[3, 1]), [750_000, 250_000]);
    assert_eq!(shares(&[1_000; 3]), [333_333; 3]);
    assert_eq!(shares(&[u32::MAX, 1]), [999_999, 1]);
}

#[test]
fn each_credential_is_a_target_with_health_of_its_own() {
    let memory = Memory::default();
    let first = market(&["sk-1", "sk-2"], &memory);
    let [one, two] = first.targets() else {
        panic!("one endpoint and two keys are two targets");
    };
    assert!(!Arc::ptr_eq(&one.health, &two.health));
    assert!(Arc::ptr_eq(&one.metrics, &two.metrics));
    assert_eq!((one.credential, two.credential), (0, 1));
    assert_eq!((one.share, two.share), (WHOLE / 2, WHOLE / 2));
    let id = &first.endpoint(one).id;
    assert!(Arc::ptr_eq(first.target_of(id).unwrap(), one));
    // Kept by the next market.
    let next = market(&["sk-1", "sk-2"], &memory);
    let [three, four] = next.targets() else {
        panic!("the same keys");
    };
    assert!(Arc::ptr_eq(&one.health, &three.health));
    assert!(Arc::ptr_eq(&two.health, &four.health));
}
