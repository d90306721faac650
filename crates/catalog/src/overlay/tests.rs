use bourse_vocab::ServiceTier;

use super::*;
use crate::model::{Modalities, Modality, ProviderIx};
use crate::raw::{RawCatalog, RawEndpoint, RawModel, RawPrice, RawProvider};
use crate::snapshot::Snapshot;
use crate::snapshot::tests::endpoint_with_id;

/// A catalogue of one model that two providers offer.
fn base() -> RawCatalog {
    let mut catalog = RawCatalog::default();
    for (slug, alias) in [("one", "uno"), ("two", "due")] {
        catalog.providers.insert(
            slug.to_owned(),
            RawProvider {
                name: slug.to_uppercase(),
                aliases: vec![alias.to_owned()],
                ..RawProvider::default()
            },
        );
        let endpoint = RawEndpoint {
            model: "a/b".to_owned(),
            provider: slug.to_owned(),
            upstream_model: "b-upstream".to_owned(),
            price: Some(RawPrice {
                base: serde_json::from_str(r#"{"prompt":"1","completion":"2","cache_read":"0.1"}"#)
                    .unwrap(),
                source: "models.dev".to_owned(),
                ..RawPrice::default()
            }),
            ..RawEndpoint::default()
        };
        catalog.endpoints.insert(endpoint.id(), endpoint);
    }
    catalog.models.insert(
        "a/b".to_owned(),
        RawModel {
            name: "B".to_owned(),
            context_length: 1_000,
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Text]),
            ..RawModel::default()
        },
    );
    catalog
}

fn build(toml: &str) -> Result<Snapshot, Vec<String>> {
    let overlay: Overlay = toml::from_str(toml).unwrap();
    Snapshot::build(base(), &[overlay])
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn problems(toml: &str) -> Vec<String> {
    build(toml).unwrap_err()
}

const OWN_MODEL: &str = r#"
    [providers.my-vllm]
    format = "openai-chat"
    base_url = "http://127.0.0.1:8000/v1"

    [[models]]
    slug = "acme/llama"
    context_length = 8192
    [[models.endpoints]]
    provider = "my-vllm"
    upstream_model = "llama"
    price = { prompt = "0.10", completion = "0.40" }
"#;

#[test]
fn an_operator_adds_a_provider_and_a_model() {
    let snapshot = build(OWN_MODEL).unwrap();
    let resolution = snapshot.resolve("acme/llama").unwrap();
    let model = snapshot.model(resolution.model);
    assert_eq!(model.context_length, 8192);
    let [endpoint] = snapshot.endpoints(model.ix) else {
        panic!("one endpoint")
    };
    assert_eq!(&*endpoint.id, "acme/llama@my-vllm");
    assert_eq!(&*endpoint.upstream_model, "llama");
    assert_eq!(endpoint.context_length, 8192);
    assert_eq!(endpoint.prices.base.prompt.unwrap().get(), 100_000);
    assert_eq!(&*endpoint.prices.source, OPERATOR);
    assert!(endpoint.is_callable());
    assert_eq!(
        endpoint.data_policy,
        DataPolicy::UNKNOWN,
        "nothing is assumed in its favour"
    );
    let provider = snapshot.provider(endpoint.provider);
    assert_eq!(
        provider.base_url.as_deref(),
        Some("http://127.0.0.1:8000/v1")
    );
    assert_eq!(
        snapshot.provider_by_slug("my-vllm").unwrap().ix,
        provider.ix
    );
}

#[test]
fn what_an_overlay_does_not_state_stays() {
    let snapshot = build(
        r#"
        [[models]]
        slug = "a/b"
        [[models.endpoints]]
        provider = "one"
        max_output = 77
        data_policy = { training = false, retains = false, zdr = true }
        "#,
    )
    .unwrap();
    let endpoint = endpoint_with_id(&snapshot, "a/b@one").unwrap();
    assert_eq!(endpoint.max_output, Some(77));
    assert!(endpoint.data_policy.zdr);
    assert_eq!(endpoint.prices.base.prompt.unwrap().get(), 1_000_000);
    let other = endpoint_with_id(&snapshot, "a/b@two").unwrap();
    assert_eq!(
        (other.max_output, other.data_policy),
        (None, DataPolicy::UNKNOWN)
    );
}

#[test]
fn a_model_is_meant_by_any_of_its_names() {
    let mut base = base();
    let model = base.models.get_mut("a/b").unwrap();
    model.aliases = vec!["a/b-1-0".to_owned(), "b".to_owned()];
    model.canonical_slug = Some("a/b-20260101".to_owned());
    for name in ["a/b", "a/b-1-0", "a/b-20260101"] {
        let overlay = format!(
            "[[models]]\nslug = \"{name}\"\ncontext_length = 77\n\
             [[models.endpoints]]\nprovider = \"one\"\nmax_output = 7\n"
        );
        let overlay: Overlay = toml::from_str(&overlay).unwrap();
        let snapshot = Snapshot::build(base.clone(), &[overlay]).unwrap();
        let resolution = snapshot.resolve("a/b").unwrap();
        assert_eq!(
            snapshot.model(resolution.model).context_length,
            77,
            "{name}"
        );
        let endpoint = endpoint_with_id(&snapshot, "a/b@one").unwrap();
        assert_eq!(endpoint.max_output, Some(7), "{name}");
    }
}

#[test]
fn a_name_that_is_taken_is_refused_where_it_is_written() {
    let taken = format!("{OWN_MODEL}\n[[models]]\nslug = \"a/b\"\naliases = [\"acme/llama\"]\n");
    assert_eq!(
        problems(&taken),
        ["models[1].aliases: \"acme/llama\" already names acme/llama"]
    );
}

#[test]
fn a_price_table_is_replaced_whole() {
    let snapshot = build(
        r#"
        [[models]]
        slug = "a/b"
        [[models.endpoints]]
        provider = "uno"
        [models.endpoints.price]
        prompt = "0.5"
        completion = "1"
        tiers = [{ min_prompt_tokens = 500, prompt = "0.7" }]
        "#,
    )
    .unwrap();
    let prices = &endpoint_with_id(&snapshot, "a/b@one").unwrap().prices;
    assert_eq!(
        prices.base.cache_read, None,
        "the public list's cache price is not in the contract"
    );
    assert_eq!(prices.at(501).prompt.unwrap().get(), 700_000);
    assert_eq!(
        snapshot.endpoints(snapshot.model_ix("a/b").unwrap()).len(),
        2,
        "none was added"
    );
}

#[test]
fn tiers_of_service_have_prices_of_their_own() {
    let snapshot = build(
        r#"
        [[models]]
        slug = "a/b"
        [[models.endpoints]]
        provider = "uno"
        [models.endpoints.price]
        prompt = "0.5"
        completion = "1"
        request = "0.1"
        [models.endpoints.price.services.priority]
        prompt = "0.9"
        completion = "1.8"
        tiers = [{ min_prompt_tokens = 500, prompt = "1.2" }]
        "#,
    )
    .unwrap();
    let prices = &endpoint_with_id(&snapshot, "a/b@one").unwrap().prices;
    let priority = prices.of_service(ServiceTier::Priority).unwrap();
    assert_eq!(priority.base.completion.unwrap().get(), 1_800_000);
    assert_eq!(priority.at(501).prompt.unwrap().get(), 1_200_000);
    assert_eq!(priority.base.request, prices.base.request);
    assert_eq!(prices.of_service(ServiceTier::Flex), None);
    let found = problems(
        r#"
        [[models]]
        slug = "a/b"
        [[models.endpoints]]
        provider = "uno"
        [models.endpoints.price]
        prompt = "0.5"
        completion = "1"
        [models.endpoints.price.services.fast]
        prompt = "0.9"
        completion = "1.8"
        [models.endpoints.price.services.flex]
        prompt = "0.1"
        "#,
    );
    assert_eq!(
        found,
        [
            "models[0].endpoints[0].price.services.fast: is not one of batch, flex, priority, ultrafast",
            "models[0].endpoints[0].price.services.flex.completion: missing",
        ]
    );
}

#[test]
fn an_endpoint_can_be_switched_off_or_replaced() {
    let off =
        build("[[models]]\nslug = \"a/b\"\nendpoints = [{ provider = \"one\", enabled = false }]");
    assert!(
        !endpoint_with_id(&off.unwrap(), "a/b@one")
            .unwrap()
            .is_callable()
    );

    let only = build(
        r#"
        [[models]]
        slug = "a/b"
        only_these_endpoints = true
        endpoints = [{ provider = "two", upstream_model = "x", price = { prompt = "1", completion = "1" } }]
        "#,
    )
    .unwrap();
    let ids: Vec<_> = only.all_endpoints().map(|e| e.id.to_string()).collect();
    assert_eq!(ids, ["a/b@two"]);
}

#[test]
fn a_model_s_smaller_context_holds_for_its_endpoints() {
    let snapshot = build("[[models]]\nslug = \"a/b\"\ncontext_length = 10").unwrap();
    assert!(
        snapshot
            .all_endpoints()
            .all(|endpoint| endpoint.context_length == 10)
    );
    assert_eq!(
        snapshot
            .model(snapshot.model_ix("a/b").unwrap())
            .context_length,
        10
    );
}

#[test]
fn every_mistake_is_reported_at_once_and_by_path() {
    let found = problems(
        r#"
        [providers.nobody]
        format = "soap"

        [[models]]
        slug = "Acme/Llama"

        [[models]]
        slug = "acme/two"
        context_length = 0
        output_modalities = ["text", "smell"]
        [[models.endpoints]]
        provider = "one"
        upstream_model = "x"
        quantization = "int3"
        supported_parameters = ["temperature", "mood"]
        [models.endpoints.price]
        prompt = "cheap"
        tiers = [{ min_prompt_tokens = 0, prompt = "1" }]
        [[models.endpoints]]
        provider = "three"
        "#,
    );
    let starts = [
        "providers.nobody.format: \"soap\" is not one of openai-chat",
        "providers.nobody.base_url: missing",
        "models[0].slug: \"Acme/Llama\" is not author/model",
        "models[1].context_length: must be more than zero",
        "models[1].output_modalities[1]: \"smell\" is not one of text",
        "models[1].endpoints[0].price.prompt: \"cheap\": not a decimal",
        "models[1].endpoints[0].price.completion: missing",
        "models[1].endpoints[0].price.tiers[0].min_prompt_tokens: missing or zero",
        "models[1].endpoints[0].supported_parameters[1]: \"mood\" is not one of temperature",
        "models[1].endpoints[0].quantization: \"int3\" is not one of int4",
        "models[1].endpoints[1].provider: there is no provider \"three\"",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}\nshould start\n{start}");
    }
}

#[test]
fn a_new_endpoint_needs_a_price_and_an_upstream_name() {
    let found = problems(
        "[[models]]\nslug = \"a/c\"\nendpoints = [{ provider = \"one\" }]\n[[models]]\nslug = \"a/d\"",
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with("models[0].endpoints[0].upstream_model: missing"));
    assert!(found[1].starts_with("models[0].endpoints[0].price: missing"));
    assert!(found[2].starts_with("models[1].endpoints: missing"));
}

#[test]
fn unknown_keys_and_numbers_for_prices_are_refused() {
    for bad in [
        "[[models]]\nslug = \"a/b\"\ncolour = \"red\"",
        "[[models]]\nslug = \"a/b\"\nendpoints = [{ provider = \"one\", price = { prompt = 0.1, completion = \"1\" } }]",
        "[[models]]\nslug = \"a/b\"\nendpoints = [{ provider = \"one\", price = { promt = \"1\" } }]",
        "[providers.one]\nurl = \"x\"",
    ] {
        assert!(toml::from_str::<Overlay>(bad).is_err(), "{bad}");
    }
}

#[test]
fn overlays_are_laid_one_over_the_other() {
    let first: Overlay = toml::from_str(OWN_MODEL).unwrap();
    let second: Overlay =
        toml::from_str("[[models]]\nslug = \"acme/llama\"\nname = \"Ours\"\naliases = [\"llama\"]")
            .unwrap();
    let snapshot = Snapshot::build(base(), &[first.clone(), second]).unwrap();
    assert_eq!(
        &*snapshot
            .model(snapshot.resolve("llama").unwrap().model)
            .name,
        "Ours"
    );

    let bad: Overlay = toml::from_str("[[models]]\nslug = \"x\"").unwrap();
    let found = Snapshot::build(base(), &[first, bad]).unwrap_err();
    assert_eq!(found[0].path, "overlays[1].models[0].slug");
}

#[test]
fn a_contradictory_policy_is_refused() {
    let found =
        problems("[providers.one]\ndata_policy = { training = true, retains = false, zdr = true }");
    assert!(
        found[0].starts_with("providers.one.data_policy: zero data retention"),
        "{found:?}"
    );
}

#[test]
fn a_provider_keeps_its_place_when_reconfigured() {
    let snapshot = build("[providers.one]\nbase_url = \"http://127.0.0.1:9100/v1\"").unwrap();
    let provider = snapshot.provider_by_slug("one").unwrap();
    assert_eq!(provider.ix, ProviderIx(0));
    assert_eq!(
        provider.base_url.as_deref(),
        Some("http://127.0.0.1:9100/v1")
    );
    assert_eq!(&*provider.name, "ONE");
}
