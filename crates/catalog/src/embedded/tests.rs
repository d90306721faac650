use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Instant;

use bourse_vocab::{PicosPerUnit, ServiceTier};

use super::*;
use crate::interface::Interface;
use crate::model::{EndpointStatus, Modality};
use crate::price::{PriceKey, SearchSize};
use crate::slug::is_slug;
use crate::snapshot::Snapshot;
use crate::snapshot::tests::endpoint_with_id;

/// Providers whose data policy has a source; only to rise.
const POLICIES_MIN: usize = 61;

fn snapshot() -> Snapshot {
    Snapshot::build(embedded().unwrap(), &[]).unwrap()
}

#[test]
fn the_catalog_is_large_enough_to_be_useful() {
    let snapshot = snapshot();
    assert!(
        snapshot.models().len() >= 400,
        "{} models",
        snapshot.models().len()
    );
    assert!(
        snapshot.providers().len() >= 60,
        "{} providers",
        snapshot.providers().len()
    );
    let callable = snapshot.all_endpoints().filter(|e| e.is_callable()).count();
    assert!(callable >= 2_000, "{callable} callable endpoints");
}

#[test]
fn every_entry_is_sane() {
    let raw = embedded().unwrap();
    let snapshot = Snapshot::build(raw.clone(), &[]).unwrap();
    let ids: BTreeSet<&str> = snapshot.all_endpoints().map(|e| &*e.id).collect();
    assert_eq!(ids.len(), raw.endpoints.len(), "ids are unique");
    for model in snapshot.models() {
        assert!(is_slug(&model.slug), "{}", model.slug);
        assert!(
            !model.input_modalities.is_empty(),
            "{}: nothing goes in",
            model.slug
        );
        let endpoints = snapshot.endpoints(model.ix);
        assert!(
            endpoints.iter().any(crate::Endpoint::is_listed),
            "{}: not offered",
            model.slug
        );
        for endpoint in endpoints {
            assert_eq!(endpoint.model, model.ix, "{}", endpoint.id);
            if endpoint.output_modalities.contains(Modality::Text) {
                let draws = endpoint.output_modalities.contains(Modality::Image);
                assert!(draws || endpoint.context_length > 0, "{}", endpoint.id);
                assert!(!endpoint.parameters.is_empty(), "{}", endpoint.id);
            }
            assert_ne!(endpoint.status, EndpointStatus::Disabled, "{}", endpoint.id);
        }
    }
}

#[test]
fn prices_are_plausible_and_say_where_they_are_from() {
    // A thousand dollars a million tokens, and a hundred for one of
    // anything: dearer than any list, so a misplaced point stands out.
    let most = |key: PriceKey| {
        if key.is_per_token() {
            1_000_000_000
        } else {
            100_000_000_000_000
        }
    };
    for endpoint in snapshot().all_endpoints() {
        let prices = &endpoint.prices;
        if !prices.is_known() {
            continue;
        }
        assert!(
            !prices.source.is_empty() && !prices.as_of.is_empty(),
            "{}",
            endpoint.id
        );
        let tiers = prices.tiers.iter().map(|tier| &tier.prices);
        for (key, price) in tiers
            .chain([&prices.base])
            .flat_map(|prices| prices.stated())
        {
            assert!(price.get() <= most(key), "{} {key} {price}", endpoint.id);
        }
        // Reading from a cache is never dearer than not having one.
        if let (Some(read), Some(prompt)) = (prices.base.cache_read, prices.base.prompt) {
            assert!(
                read <= prompt,
                "{}: a cached token costs more than a fresh one",
                endpoint.id
            );
        }
    }
}

#[test]
fn nothing_is_free_but_what_is_called_so() {
    for endpoint in snapshot().all_endpoints() {
        if endpoint.prices.base.is_free() {
            let name = &endpoint.upstream_model;
            // Verdicts are given away, and the list says so.
            let is_verdict = endpoint.interface == Interface::Moderations;
            assert!(
                name.contains("free") || is_verdict,
                "{} {name}",
                endpoint.id
            );
        }
        let base = &endpoint.prices.base;
        let is_text = endpoint.output_modalities.contains(Modality::Text);
        if is_text && base.prompt.is_some_and(|price| price.get() > 0) {
            assert!(
                base.completion.is_some_and(|price| price.get() > 0),
                "{}: free answers",
                endpoint.id
            );
        }
    }
}

#[test]
fn names_that_callers_type_are_found() {
    let snapshot = snapshot();
    for (name, slug) in [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("OpenAI/GPT-4o", "openai/gpt-4o"),
        ("anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4.5"),
        ("anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4.5"),
        ("gemini-2.5-pro", "google/gemini-2.5-pro"),
        (
            "meta-llama/llama-3.3-70b-instruct:free",
            "meta-llama/llama-3.3-70b-instruct:free",
        ),
    ] {
        let found = snapshot
            .resolve(name)
            .map(|r| &*snapshot.model(r.model).slug);
        assert_eq!(found, Some(slug), "{name}");
    }
    let newest = snapshot.resolve("~anthropic/claude-opus-latest").unwrap();
    assert!(
        snapshot
            .model(newest.model)
            .slug
            .starts_with("anthropic/claude-opus-")
    );
}

#[test]
fn one_open_model_is_offered_by_many_hosts() {
    let snapshot = snapshot();
    let model = snapshot
        .model_ix("meta-llama/llama-3.3-70b-instruct")
        .unwrap();
    let hosts: BTreeSet<_> = snapshot
        .endpoints(model)
        .iter()
        .filter(|e| !snapshot.provider(e.provider).is_gateway)
        .map(|e| e.provider)
        .collect();
    assert!(hosts.len() >= 10, "{}", hosts.len());
}

#[test]
fn a_maker_s_own_offers_carry_the_current_prices() {
    let snapshot = snapshot();
    let endpoint = endpoint_with_id(&snapshot, "openai/gpt-4o@openai").unwrap();
    let text = |key: PriceKey| endpoint.prices.base.get(key).map(|price| key.write(price));
    assert_eq!(text(PriceKey::Prompt).as_deref(), Some("2.5"));
    assert_eq!(text(PriceKey::Completion).as_deref(), Some("10"));
    assert_eq!(text(PriceKey::CacheRead).as_deref(), Some("1.25"));

    let tiered = endpoint_with_id(&snapshot, "google/gemini-2.5-pro@google-ai-studio").unwrap();
    let price = |tokens| PriceKey::Prompt.write(tiered.prices.at(tokens).prompt.unwrap());
    assert_eq!(
        (price(200_000), price(200_001)),
        ("1.25".to_owned(), "2.5".to_owned())
    );

    let claude = endpoint_with_id(&snapshot, "anthropic/claude-sonnet-4.5@anthropic").unwrap();
    let text = |key: PriceKey| claude.prices.base.get(key).map(|price| key.write(price));
    assert_eq!(text(PriceKey::CacheWrite5m).as_deref(), Some("3.75"));
    assert_eq!(text(PriceKey::CacheWrite1h).as_deref(), Some("6"));
}

#[test]
fn the_context_of_a_model_is_its_maker_s_word() {
    let snapshot = snapshot();
    for (slug, tokens) in [
        ("openai/gpt-5", 400_000),
        ("openai/gpt-4o-mini", 128_000),
        ("google/gemini-2.5-flash", 1_048_576),
        ("google/gemini-2.5-pro", 1_048_576),
    ] {
        let model = snapshot.model(snapshot.model_ix(slug).unwrap());
        assert_eq!(model.context_length, tokens, "{slug}");
    }
}

#[test]
fn no_release_is_the_day_of_a_price_list_or_of_nothing() {
    let snapshot = snapshot();
    let lists: Vec<u64> = ["2026-07-02", "2026-11"]
        .iter()
        .map(|date| crate::date::unix_seconds(date).unwrap())
        .collect();
    let mut dates: BTreeSet<u64> = BTreeSet::new();
    for model in snapshot.models() {
        let Some(created) = model.created else {
            continue;
        };
        assert!(created > 1_577_836_800, "{}: before 2020", model.slug);
        assert!(!lists.contains(&created), "{}: a list's day", model.slug);
        dates.insert(created);
    }
    assert!(dates.len() >= 200, "{} days", dates.len());
    for (slug, date) in [
        ("openai/gpt-6.1-sol", "2026-09-29"),
        ("x-ai/grok-4", "2025-07-09"),
        ("x-ai/grok-code-fast-1", "2025-08-28"),
        ("anthropic/claude-haiku-4.5", "2025-10-15"),
    ] {
        let model = snapshot.model(snapshot.model_ix(slug).unwrap());
        let day = model.created.and_then(crate::date::calendar_date);
        assert_eq!(day.as_deref(), Some(date), "{slug}");
    }
}

#[test]
fn dated_names_lead_to_their_models() {
    let snapshot = snapshot();
    for (dated, slug) in [
        ("openai/gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
        (
            "anthropic/claude-4.5-sonnet-20250929",
            "anthropic/claude-sonnet-4.5",
        ),
        ("z-ai/glm-5.3-20260816", "z-ai/glm-5.3"),
    ] {
        let found = snapshot.resolve(dated).map(|r| r.model).unwrap();
        assert_eq!(&*snapshot.model(found).slug, slug, "{dated}");
        assert_eq!(&*snapshot.model(found).canonical_slug, dated, "{slug}");
    }
}

#[test]
fn what_is_not_sold_in_chat_says_over_which_interface_it_is() {
    let snapshot = snapshot();
    for (id, interface) in [
        ("openai/gpt-5-pro@openai", Interface::Responses),
        ("openai/gpt-5.2-pro@openai", Interface::Responses),
        ("openai/gpt-5.3-codex@openai", Interface::Responses),
        ("openai/gpt-5.3-codex-spark@openai", Interface::Responses),
        ("openai/o3-pro@openai", Interface::Responses),
        ("openai/gpt-image-1.5@openai", Interface::Images),
    ] {
        let endpoint = endpoint_with_id(&snapshot, id).unwrap();
        assert_eq!(endpoint.interface, interface, "{id}");
        assert!(endpoint.is_listed() && endpoint.is_callable(), "{id}");
    }
    let chat = endpoint_with_id(&snapshot, "openai/gpt-5-mini@openai").unwrap();
    assert!(chat.is_callable());
    let vectors = endpoint_with_id(&snapshot, "openai/text-embedding-3-small@openai").unwrap();
    assert_eq!(vectors.interface, Interface::Embeddings);
    assert!(vectors.is_callable());
}

#[test]
fn tiers_of_service_have_the_prices_of_the_list() {
    let snapshot = snapshot();
    let endpoint = endpoint_with_id(&snapshot, "openai/gpt-5-mini@openai").unwrap();
    let price = |tier, key: PriceKey| {
        let list = endpoint.prices.of_service(tier).unwrap();
        key.write(list.base.get(key).unwrap())
    };
    assert_eq!(price(ServiceTier::Flex, PriceKey::Prompt), "0.125");
    assert_eq!(price(ServiceTier::Flex, PriceKey::CacheRead), "0.0125");
    assert_eq!(price(ServiceTier::Priority, PriceKey::Completion), "3.6");
    // Searches cost what they do in the usual service.
    assert_eq!(price(ServiceTier::Priority, PriceKey::WebSearch), "0.01");
    assert_eq!(endpoint.prices.of_service(ServiceTier::Ultrafast), None);
    let with_tiers = snapshot
        .all_endpoints()
        .filter(|endpoint| !endpoint.prices.services.is_empty());
    assert!(with_tiers.count() >= 100);
}

#[test]
fn providers_are_called_as_openrouter_calls_them() {
    let snapshot = snapshot();
    for (slug, name) in [
        ("amazon-bedrock", "Amazon Bedrock"),
        ("baseten", "BaseTen"),
        ("deepinfra", "DeepInfra"),
        ("fireworks", "Fireworks"),
        ("friendli", "Friendli"),
        ("gmicloud", "GMICloud"),
        ("google-ai-studio", "Google AI Studio"),
        ("google-vertex", "Google"),
        ("inference-net", "InferenceNet"),
        ("io-net", "Io Net"),
        ("minimax", "Minimax"),
        ("moonshotai", "Moonshot AI"),
        ("nearai", "Near AI"),
        ("nebius", "Nebius"),
        ("novita", "Novita"),
        ("nvidia", "Nvidia"),
        ("ollama-cloud", "Ollama"),
        ("siliconflow", "SiliconFlow"),
        ("together", "Together"),
        ("venice", "Venice"),
        ("wandb", "WandB"),
        ("xai", "xAI"),
        ("z-ai", "Z.AI"),
    ] {
        let provider = snapshot.provider_by_slug(slug).unwrap();
        assert_eq!(&*provider.name, name, "{slug}");
    }
}

#[test]
fn data_policies_are_known_of_many_and_say_where_they_are_from() {
    let raw = embedded().unwrap();
    let mut known = 0;
    for (slug, provider) in &raw.providers {
        let is_known = provider.data_policy.is_some();
        assert_eq!(is_known, provider.data_policy_source.is_some(), "{slug}");
        known += usize::from(is_known);
    }
    assert!(known >= POLICIES_MIN, "{known} data policies");
    let snapshot = Snapshot::build(raw, &[]).unwrap();
    for (id, training, zdr) in [
        ("openai/gpt-4o@openai", false, false),
        ("deepseek/deepseek-v4-pro@deepseek", true, false),
        ("meta-llama/llama-3.3-70b-instruct@ovhcloud", false, true),
    ] {
        let Some(endpoint) = endpoint_with_id(&snapshot, id) else {
            panic!("{id}");
        };
        assert_eq!(endpoint.data_policy.training, training, "{id}");
        assert_eq!(endpoint.data_policy.zdr, zdr, "{id}");
    }
    // Of others nothing is known, which is no promise.
    let unknown = snapshot.provider_by_slug("siliconflow").unwrap();
    assert!(unknown.data_policy_source.is_none());
}

#[test]
fn holes_only_fall() {
    let known: std::collections::BTreeMap<String, usize> =
        serde_json::from_str(include_str!("../../data/holes.json")).unwrap();
    let holes = crate::holes::of(&snapshot());
    let kinds: Vec<&str> = known.keys().map(String::as_str).collect();
    assert_eq!(kinds, holes.keys().copied().collect::<Vec<_>>());
    for (kind, subjects) in &holes {
        let (now, then) = (subjects.len(), known[*kind]);
        assert!(
            now <= then,
            "{kind}: {now}, and {then} before: {subjects:?}"
        );
        assert_eq!(now, then, "{kind}: say the lower number in data/holes.json");
    }
}

#[test]
fn writing_and_reading_lose_nothing() {
    let raw = embedded().unwrap();
    let files = write(&raw).unwrap();
    let mut endpoints = String::new();
    unpacked(ENDPOINTS).read_to_string(&mut endpoints).unwrap();
    assert_eq!(
        files.endpoints, endpoints,
        "the files are as the generator writes them"
    );
    let again = read(&Files {
        providers: &files.providers,
        models: &files.models,
        endpoints: &files.endpoints,
    });
    assert_eq!(again.unwrap(), raw);
}

#[test]
fn a_bad_line_is_named() {
    let problems = read(&Files {
        providers: "",
        models: "[\"a/b\",{}]\nnonsense\n",
        endpoints: "{}\n{\"x\":1}\n",
    })
    .unwrap_err();
    let paths: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths[0], "models.jsonl:2");
    assert!(paths.contains(&"endpoints.jsonl:2"));
}

#[test]
fn the_data_is_small_and_quick_to_read() {
    assert!(PROVIDERS.len() + MODELS.len() + ENDPOINTS.len() < 256 << 10);
    let started = Instant::now();
    let snapshot = snapshot();
    let elapsed = started.elapsed();
    println!(
        "{} endpoints in {elapsed:?}",
        snapshot.all_endpoints().len()
    );
    // The promise is 40 ms in a release build on an idle machine; this only
    // catches an accident of an order of magnitude.
    assert!(elapsed.as_secs() < 5, "{elapsed:?}");
}

#[test]
fn who_asks_perplexity_to_read_much_pays_its_fee_for_that() {
    let catalog = snapshot();
    let sonar = catalog
        .all_endpoints()
        .find(|endpoint| &*endpoint.id == "perplexity/sonar@perplexity")
        .unwrap();
    let request = |size| sonar.prices.searching(size).at(100).request;
    assert_eq!(request(None), request(Some(SearchSize::Low)));
    let dollars = |milli: u64| Some(PicosPerUnit::new(milli * 1_000_000_000));
    assert_eq!(request(Some(SearchSize::Low)), dollars(5));
    assert_eq!(request(Some(SearchSize::Medium)), dollars(8));
    assert_eq!(request(Some(SearchSize::High)), dollars(12));
}
