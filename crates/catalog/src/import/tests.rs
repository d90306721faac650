use super::*;
use crate::interface::Interface;
use crate::model::{EndpointStatus, Modalities, Modality, Parameter, Quantization};
use crate::price::PriceKey;
use crate::raw::RawPrice;
use crate::snapshot::Snapshot;

const MODELS_DEV: &str = r#"{
  "models": {
    "meta/llama-3.3-70b-instruct": { "name": "Llama 3.3 70B", "release_date": "2024-12-06", "tool_call": true,
      "open_weights": true, "limit": { "context": 131072, "output": 4096 },
      "modalities": { "input": ["text"], "output": ["text"] } }
  },
  "providers": {
    "openrouter": { "name": "OpenRouter", "env": ["OPENROUTER_API_KEY"], "api": "https://openrouter.ai/api/v1", "models": {
      "meta-llama/llama-3.3-70b-instruct": { "name": "Llama 3.3 70B", "release_date": "2024-12-06", "open_weights": true,
        "limit": { "context": 131072, "output": 4096 }, "modalities": { "input": ["text"], "output": ["text"] },
        "cost": { "input": 0.1, "output": 0.32 } },
      "openrouter/auto": { "name": "Auto", "limit": { "context": 1, "output": 1 },
        "modalities": { "input": ["text"], "output": ["text"] } } } },
    "togetherai": { "name": "Together AI", "env": ["TOGETHER_API_KEY"], "models": {
      "meta-llama/Llama-3.3-70B-Instruct-Turbo-FP8": { "temperature": true, "tool_call": true,
        "limit": { "context": 131072, "output": 2048 }, "modalities": { "input": ["text"], "output": ["text"] },
        "cost": { "input": 0.049999999999999996, "output": 0.88, "cache_read": 0,
          "tiers": [{ "tier": { "size": 100000 }, "input": 1.5 }] } },
      "zero/llama-3.3-70b-instruct": { "limit": { "context": 8, "output": 8 },
        "modalities": { "input": ["text"], "output": ["text"] }, "cost": { "input": 0, "output": 0 } } } },
    "anthropic": { "name": "Anthropic", "npm": "@ai-sdk/anthropic", "models": {
      "claude-opus-4-8-20260301": { "release_date": "2026-03-01", "reasoning": true, "tool_call": true,
        "reasoning_options": [{ "type": "effort", "values": ["low", null, "max"] }, { "type": "budget_tokens" }],
        "limit": { "context": 200000, "output": 64000 },
        "modalities": { "input": ["text", "pdf"], "output": ["text"] }, "cost": { "input": 5, "output": 25 } } } },
    "lmstudio": { "name": "LM Studio", "models": {} }
  }
}"#;

const LITELLM: &str = r#"{
  "sample_spec": { "litellm_provider": "one of many", "max_tokens": "words" },
  "claude-opus-4-8-20260301": { "litellm_provider": "anthropic", "mode": "chat", "max_input_tokens": 200000,
    "max_output_tokens": 64000, "input_cost_per_token": 4e-06, "output_cost_per_token": 2e-05,
    "cache_read_input_token_cost": 4e-07, "cache_creation_input_token_cost": 5e-06,
    "cache_creation_input_token_cost_above_1hr": 8e-06, "input_cost_per_token_above_200k_tokens": 8e-06,
    "search_context_cost_per_query": { "search_context_size_medium": 0.01 }, "supports_reasoning": true },
  "claude-opus-9-1": { "litellm_provider": "anthropic", "mode": "chat", "max_input_tokens": 1000000,
    "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "supports_reasoning": true,
    "deprecation_date": "2027-01-01" },
  "claude-2": { "litellm_provider": "anthropic", "mode": "chat", "max_input_tokens": 100000,
    "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "deprecation_date": "2026-10-31" },
  "together_ai/meta-llama/Llama-3.3-70B-Instruct": { "litellm_provider": "together_ai", "mode": "chat",
    "max_tokens": 131072, "input_cost_per_token": 8.8e-07, "output_cost_per_token": 8.8e-07 },
  "dall-e": { "litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04 }
}"#;

const OPENROUTER: &str = r#"{ "data": [
  { "id": "acme/big", "canonical_slug": "acme/big-2026-01-01", "name": "Acme: Big", "created": 1767225600,
    "context_length": 1000, "architecture": { "input_modalities": ["text", "image"], "output_modalities": ["text"], "tokenizer": "GPT" },
    "pricing": { "prompt": "0.00000125", "completion": "0.00001", "request": "0", "image": "0", "web_search": "0.01",
      "input_cache_read": "0.000000125", "discount": 0,
      "overrides": [{ "min_prompt_tokens": 200000, "prompt": "0.0000025" }] },
    "top_provider": { "max_completion_tokens": 100 }, "supported_parameters": ["temperature", "tools", "telepathy"],
    "reasoning": { "mandatory": true, "supported_efforts": ["high", "low"] }, "hugging_face_id": "" },
  { "id": "openrouter/auto", "pricing": { "prompt": "-1", "completion": "-1" }, "context_length": 5,
    "architecture": { "input_modalities": ["text"], "output_modalities": ["text"] } },
  { "id": "~acme/big-latest", "alias_target": { "slug": "acme/big" } }
] }"#;

fn import_one(source: Source, json: &str, known: &RawCatalog) -> Imported {
    import(source, json, "2026-11", known).unwrap()
}

fn written(price: &RawPrice, key: PriceKey) -> Option<String> {
    price.base.get(key).map(|value| key.write(value))
}

#[test]
fn models_dev_offers_meet_at_the_name_that_callers_type() {
    let read = import_one(Source::ModelsDev, MODELS_DEV, &RawCatalog::default());
    let slugs: Vec<_> = read.catalog.models.keys().map(String::as_str).collect();
    assert_eq!(
        slugs,
        [
            "anthropic/claude-opus-4.8",
            "meta-llama/llama-3.3-70b-instruct"
        ]
    );

    let turbo = &read.catalog.endpoints["meta-llama/llama-3.3-70b-instruct@together/turbo"];
    assert_eq!(
        turbo.upstream_model,
        "meta-llama/Llama-3.3-70B-Instruct-Turbo-FP8"
    );
    assert_eq!(turbo.quantization, Quantization::Fp8);
    assert_eq!(turbo.max_output, Some(2048));
    assert!(turbo.parameters.contains(Parameter::Tools));
    let price = turbo.price.as_ref().unwrap();
    assert_eq!(
        written(price, PriceKey::Prompt).as_deref(),
        Some("0.05"),
        "noise is rounded away"
    );
    assert_eq!(
        written(price, PriceKey::CacheRead),
        None,
        "zero beside a price is not believed"
    );
    assert_eq!(price.tiers[0].min_prompt_tokens, 100_000);
    assert_eq!(price.as_of, "2026-11");

    let zero = &read.catalog.endpoints["meta-llama/llama-3.3-70b-instruct@together"];
    assert_eq!(zero.price, None, "a price of nothing is no price");

    let claude = &read.catalog.models["anthropic/claude-opus-4.8"];
    let reasoning = claude.reasoning.unwrap();
    assert!(reasoning.max_tokens);
    assert_eq!(reasoning.efforts.to_string(), "max low");
    assert!(claude.input.contains(Modality::File));
    assert!(
        claude
            .aliases
            .contains(&"claude-opus-4-8-20260301".to_owned())
    );
    assert!(
        read.catalog.providers["together"]
            .aliases
            .contains(&"togetherai".to_owned())
    );
    Snapshot::build(read.catalog, &[]).unwrap();
}

#[test]
fn api_json_without_base_models_is_read_too() {
    let document: serde_json::Value = serde_json::from_str(MODELS_DEV).unwrap();
    let read = import_one(
        Source::ModelsDev,
        &document["providers"].to_string(),
        &RawCatalog::default(),
    );
    assert_eq!(read.catalog.models.len(), 2);
}

#[test]
fn litellm_rows_find_known_models_and_add_a_maker_s_new_ones() {
    let known = import_one(Source::ModelsDev, MODELS_DEV, &RawCatalog::default()).catalog;
    let read = import_one(Source::LiteLlm, LITELLM, &known);
    let ids: Vec<_> = read.catalog.endpoints.keys().map(String::as_str).collect();
    assert_eq!(
        ids,
        [
            "anthropic/claude-opus-4.8@anthropic",
            "anthropic/claude-opus-9.1@anthropic",
            "meta-llama/llama-3.3-70b-instruct@together",
            "openai/dall-e@openai",
        ]
    );
    let price = read.catalog.endpoints["anthropic/claude-opus-4.8@anthropic"]
        .price
        .as_ref()
        .unwrap();
    for (key, expected) in [
        (PriceKey::Prompt, "4"),
        (PriceKey::Completion, "20"),
        (PriceKey::CacheRead, "0.4"),
        (PriceKey::CacheWrite5m, "5"),
        (PriceKey::CacheWrite1h, "8"),
        (PriceKey::WebSearch, "0.01"),
    ] {
        assert_eq!(written(price, key).as_deref(), Some(expected), "{key}");
    }
    assert_eq!(price.tiers[0].min_prompt_tokens, 200_000);
    assert_eq!(
        read.retired,
        [("anthropic".to_owned(), "claude-2".to_owned())]
    );

    let new = &read.catalog.models["anthropic/claude-opus-9.1"];
    assert_eq!(new.name, "Claude Opus 9.1");
    assert_eq!(new.expiration_date.as_deref(), Some("2027-01-01"));
    let endpoint = &read.catalog.endpoints["anthropic/claude-opus-9.1@anthropic"];
    assert_eq!(endpoint.status, EndpointStatus::Deprecated);
}

#[test]
fn the_later_list_wins_and_the_disagreement_is_noted() {
    let mut catalog = import_one(Source::ModelsDev, MODELS_DEV, &RawCatalog::default()).catalog;
    let newer = import_one(Source::LiteLlm, LITELLM, &catalog).catalog;
    let notes = merge(&mut catalog, newer);
    let price = catalog.endpoints["anthropic/claude-opus-4.8@anthropic"]
        .price
        .as_ref()
        .unwrap();
    assert_eq!(price.source, "litellm");
    assert_eq!(written(price, PriceKey::Prompt).as_deref(), Some("4"));
    let said: Vec<_> = notes.iter().map(|note| note.subject.as_str()).collect();
    assert!(
        said[0].starts_with("`anthropic/claude-opus-4.8@anthropic` prompt: 5 "),
        "{said:?}"
    );
    // An endpoint without a price takes the one that the later list knows.
    let zero = catalog.endpoints["meta-llama/llama-3.3-70b-instruct@together"]
        .price
        .as_ref()
        .unwrap();
    assert_eq!(written(zero, PriceKey::Prompt).as_deref(), Some("0.88"));
    Snapshot::build(catalog, &[]).unwrap();
}

#[test]
fn openrouter_s_own_list_is_read() {
    let read = import_one(Source::OpenRouter, OPENROUTER, &RawCatalog::default());
    let model = &read.catalog.models["acme/big"];
    assert_eq!(model.canonical_slug.as_deref(), Some("acme/big-2026-01-01"));
    assert_eq!(
        (model.created, model.context_length, model.max_output),
        (1_767_225_600, 1000, Some(100))
    );
    assert_eq!(model.aliases, ["~acme/big-latest"]);
    assert_eq!(model.hugging_face_id, None);
    assert!(model.reasoning.unwrap().mandatory);
    let endpoint = &read.catalog.endpoints["acme/big@openrouter"];
    assert_eq!(endpoint.parameters.to_string(), "temperature tools");
    let price = endpoint.price.as_ref().unwrap();
    assert_eq!(written(price, PriceKey::Prompt).as_deref(), Some("1.25"));
    assert_eq!(
        written(price, PriceKey::CacheRead).as_deref(),
        Some("0.125")
    );
    assert_eq!(written(price, PriceKey::WebSearch).as_deref(), Some("0.01"));
    assert_eq!(written(price, PriceKey::Request), None);
    assert_eq!(price.tiers[0].min_prompt_tokens, 200_000);
    assert_eq!(
        read.catalog.endpoints["openrouter/auto@openrouter"].price,
        None
    );
    let snapshot = Snapshot::build(read.catalog, &[])
        .unwrap()
        .with_sort_suffixes(["floor"]);
    assert!(snapshot.resolve("~acme/big-latest").is_some());
    assert!(snapshot.resolve("acme/big-2026-01-01:floor").is_some());
}

#[test]
fn another_document_is_refused_by_name() {
    for source in [Source::ModelsDev, Source::LiteLlm, Source::OpenRouter] {
        let error = import(source, "[1, 2]", "2026-11", &RawCatalog::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("not a {} document", source.name())),
            "{error}"
        );
    }
}

#[test]
fn float_noise_is_rounded_and_nothing_else() {
    for (text, rounded) in [
        ("0.049999999999999996", "5e-2"),
        ("0.30000000000000004", "3e-1"),
        ("1.4999999999999998e-07", "15e-8"),
        ("99999999999999.9", "1e14"),
        ("0.15", "0.15"),
        ("0.123456789012", "0.123456789012"),
        ("3e-07", "3e-07"),
        ("0", "0"),
        ("0.0", "0.0"),
        ("-1", "-1"),
        ("null", "null"),
    ] {
        assert_eq!(round_noise(text), rounded, "{text}");
    }
}

/// What `upstream` is called here, with its kind and quantization, if these
/// are the models that are known.
fn check_name(upstream: &str, expected: Option<(&str, &str, Quantization)>) {
    let mut names = Names::default();
    for slug in [
        "meta-llama/llama-3.3-70b-instruct",
        "meta-llama/llama-4-maverick",
        "anthropic/claude-opus-4.1",
        "anthropic/claude-sonnet-4",
        "google/gemma-4-31b-it",
        "qwen/qwen3-coder",
        "qwen/qwen3.5-397b-a17b",
        "x-ai/grok-4",
        "openai/gpt-4",
        "openai/gpt-4-turbo",
        "z-ai/glm-4.7",
        "deepseek/deepseek-r1",
    ] {
        names.learn(slug);
    }
    let named = names.read(upstream, Unknown::Skip);
    let found = named
        .as_ref()
        .map(|n| (n.slug.as_str(), n.kind.as_str(), n.quantization));
    assert_eq!(found, expected, "{upstream}");
}

use super::naming::Unknown;

#[test]
fn hosts_spellings_of_one_model_are_recognised() {
    use Quantization::{Fp8, Unknown};
    let llama = "meta-llama/llama-3.3-70b-instruct";
    check_name(
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        Some((llama, "turbo", Unknown)),
    );
    check_name(
        "accounts/fireworks/models/llama-v3p3-70b-instruct",
        Some((llama, "", Unknown)),
    );
    check_name(
        "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
        Some((llama, "fast", Fp8)),
    );
    check_name(
        "us.meta.llama3-3-70b-instruct-v1:0",
        Some((llama, "us", Unknown)),
    );
    check_name("llama-3.3-70b-versatile", Some((llama, "", Unknown)));
    check_name("Meta-Llama-3_3-70B-Instruct", Some((llama, "", Unknown)));
    check_name(
        "eu.anthropic.claude-opus-4-1-20250805-v1:0",
        Some(("anthropic/claude-opus-4.1", "eu", Unknown)),
    );
    check_name(
        "claude-4.1-opus",
        Some(("anthropic/claude-opus-4.1", "", Unknown)),
    );
    check_name(
        "claude-sonnet-4@20250514",
        Some(("anthropic/claude-sonnet-4", "", Unknown)),
    );
    check_name(
        "claude-sonnet-4-0",
        Some(("anthropic/claude-sonnet-4", "", Unknown)),
    );
    check_name("gemma4-31b", Some(("google/gemma-4-31b-it", "", Unknown)));
    check_name(
        "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8",
        Some(("qwen/qwen3-coder", "", Fp8)),
    );
    check_name(
        "Qwen3.5-397B",
        Some(("qwen/qwen3.5-397b-a17b", "", Unknown)),
    );
    check_name(
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
        Some(("meta-llama/llama-4-maverick", "", Fp8)),
    );
    check_name("zai-glm-4.7", Some(("z-ai/glm-4.7", "", Unknown)));
}

#[test]
fn a_relative_is_not_taken_for_the_model() {
    for name in [
        "grok-4-fast",
        "deepseek-r1-distill-qwen-32b",
        "claude-opus-4-1-thinking",
        "gpt-4o",
        "llama-3.3-8b-instruct",
        "qwen3-coder-30b-a3b-instruct",
    ] {
        check_name(name, None);
    }
    check_name(
        "gpt-4-turbo",
        Some(("openai/gpt-4-turbo", "", Quantization::Unknown)),
    );
}

#[test]
fn a_name_claimed_twice_leads_nowhere() {
    let mut catalog = RawCatalog::default();
    for (slug, aliases) in [("a/x", ["x", "latest"]), ("a/y", ["x", "latest"])] {
        let model = crate::RawModel {
            aliases: aliases.map(str::to_owned).into(),
            ..crate::RawModel::default()
        };
        catalog.models.insert(slug.to_owned(), model);
    }
    assert_eq!(settle_aliases(&mut catalog).len(), 3);
    assert_eq!(catalog.models["a/x"].aliases, ["x"]);
    assert!(catalog.models["a/y"].aliases.is_empty());
}

#[test]
fn every_provider_is_known_once() {
    for (index, known) in facts::PROVIDERS.iter().enumerate() {
        for other in facts::PROVIDERS.iter().skip(index + 1) {
            let same = known.models_dev == other.models_dev && !known.models_dev.is_empty();
            assert!(!same, "{} twice", known.models_dev);
            assert!(
                known
                    .litellm
                    .iter()
                    .all(|name| !other.litellm.contains(name)),
                "{}",
                known.slug
            );
        }
    }
}

#[test]
fn a_fee_for_searching_is_read_with_its_sizes_where_they_differ() {
    let list = r#"{ "perplexity/sonar": { "litellm_provider": "perplexity", "mode": "chat",
      "max_tokens": 128000, "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06,
      "search_context_cost_per_query": { "search_context_size_low": 0.005,
        "search_context_size_medium": 0.008, "search_context_size_high": 0.012 } } }"#;
    let imported = import_one(Source::LiteLlm, list, &RawCatalog::default());
    let sonar = &imported.catalog.endpoints["perplexity/sonar@perplexity"];
    let price = sonar.price.as_ref().unwrap();
    assert_eq!(written(price, PriceKey::Request).as_deref(), Some("0.005"));
    assert_eq!(written(price, PriceKey::WebSearch).as_deref(), Some("0"));
    let fees = serde_json::to_string(&price.searches).unwrap();
    assert_eq!(fees, r#"{"low":"0.005","medium":"0.008","high":"0.012"}"#);
}

#[test]
fn pictures_are_priced_by_the_piece_where_no_token_has_a_price() {
    let list = r#"{
      "xai/grok-imagine-image": { "litellm_provider": "xai", "mode": "image_generation",
        "input_cost_per_image": 0.02, "supported_output_modalities": ["image"] },
      "gemini/imagen-9": { "litellm_provider": "gemini", "mode": "image_generation",
        "output_cost_per_image": 0.04 },
      "gpt-image-9": { "litellm_provider": "openai", "mode": "image_generation",
        "input_cost_per_token": 5e-06, "output_cost_per_image_token": 3e-05,
        "output_cost_per_image": 0.2, "supported_endpoints": ["/v1/images/generations"] },
      "low/1024-x-1024/gpt-image-9": { "litellm_provider": "openai", "mode": "image_generation",
        "input_cost_per_image": 0.009 } }"#;
    let imported = import_one(Source::LiteLlm, list, &RawCatalog::default());
    let of = |id: &str| {
        let endpoint = &imported.catalog.endpoints[id];
        assert_eq!(endpoint.interface, Some(Interface::Images), "{id}");
        endpoint.price.as_ref().unwrap()
    };
    for (id, each) in [
        ("x-ai/grok-imagine-image@xai", "0.02"),
        ("google/imagen-9@google-ai-studio", "0.04"),
    ] {
        let price = of(id);
        assert_eq!(written(price, PriceKey::Picture).as_deref(), Some(each));
        assert_eq!(written(price, PriceKey::Image), None, "{id}");
        assert_eq!(written(price, PriceKey::Prompt).as_deref(), Some("0"));
        assert_eq!(written(price, PriceKey::Completion).as_deref(), Some("0"));
    }
    let by_token = of("openai/gpt-image-9@openai");
    assert_eq!(written(by_token, PriceKey::Picture), None);
    assert_eq!(
        written(by_token, PriceKey::ImageOutput).as_deref(),
        Some("30")
    );
    assert_eq!(imported.catalog.endpoints.len(), 3);
}

#[test]
fn a_ranking_is_priced_by_searches_or_by_tokens_and_never_at_nothing() {
    let list = r#"{
      "rerank-v9": { "litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002,
        "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_input_tokens": 4096 },
      "rerank-v8": { "litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002,
        "input_cost_per_token": 1e-07, "output_cost_per_token": 0.0, "max_input_tokens": 4096 },
      "rerank-v7": { "litellm_provider": "cohere", "mode": "rerank",
        "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_input_tokens": 4096 } }"#;
    let imported = import_one(Source::LiteLlm, list, &RawCatalog::default());
    let price = |id: &str| {
        let endpoint = imported.catalog.endpoints.get(id)?;
        assert_eq!(endpoint.interface, None, "it follows from what comes out");
        endpoint.price.clone()
    };
    let by_search = price("cohere/rerank-v9@cohere").unwrap();
    assert_eq!(
        written(&by_search, PriceKey::SearchUnit).as_deref(),
        Some("0.002")
    );
    let by_token = price("cohere/rerank-v8@cohere").unwrap();
    assert_eq!(written(&by_token, PriceKey::SearchUnit), None);
    assert_eq!(written(&by_token, PriceKey::Prompt).as_deref(), Some("0.1"));
    assert!(price("cohere/rerank-v7@cohere").is_none());
}

#[test]
fn what_speaks_and_listens_is_sold_by_the_character_the_second_or_the_token() {
    let list = r#"{
      "tts-1": { "litellm_provider": "openai", "mode": "audio_speech",
        "input_cost_per_character": 1.5e-05 },
      "whisper-1": { "litellm_provider": "openai", "mode": "audio_transcription",
        "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001 },
      "gpt-4o-mini-transcribe": { "litellm_provider": "openai", "mode": "audio_transcription",
        "input_cost_per_token": 1.25e-06, "input_cost_per_audio_token": 1.25e-06,
        "output_cost_per_token": 5e-06, "input_cost_per_second": 5e-05 } }"#;
    let imported = import_one(Source::LiteLlm, list, &RawCatalog::default()).catalog;
    let price = |id: &str, key| written(imported.endpoints[id].price.as_ref().unwrap(), key);
    let (spoken, heard) = (PriceKey::Character, PriceKey::AudioSecond);
    assert_eq!(
        price("openai/tts-1@openai", spoken).as_deref(),
        Some("0.000015")
    );
    assert_eq!(
        price("openai/whisper-1@openai", heard).as_deref(),
        Some("0.0001")
    );
    // What has a price for tokens is sold by them, and by nothing besides.
    let by_token = "openai/gpt-4o-mini-transcribe@openai";
    assert_eq!(price(by_token, heard), None);
    assert_eq!(price(by_token, PriceKey::Audio).as_deref(), Some("1.25"));
    let output = |slug: &str| imported.models[slug].output;
    assert_eq!(output("openai/tts-1"), Modalities::of(&[Modality::Speech]));
    let transcripts = Modalities::of(&[Modality::Transcription]);
    assert_eq!(output("openai/whisper-1"), transcripts);
}

#[test]
fn verdicts_are_free_where_the_list_says_so_and_nothing_else_is() {
    let list = r#"{
      "omni-moderation-latest": { "litellm_provider": "openai", "mode": "moderation",
        "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_input_tokens": 32768 },
      "omni-moderation-2024-09-26": { "litellm_provider": "openai", "mode": "moderation",
        "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_input_tokens": 32768 },
      "text-moderation-9": { "litellm_provider": "openai", "mode": "moderation",
        "max_input_tokens": 32768 },
      "text-embedding-9": { "litellm_provider": "openai", "mode": "embedding",
        "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_input_tokens": 8192 } }"#;
    let imported = import_one(Source::LiteLlm, list, &RawCatalog::default());
    let endpoints: Vec<_> = imported.catalog.endpoints.keys().collect();
    assert_eq!(endpoints, ["openai/omni-moderation-2024-09-26@openai"]);
    let model = &imported.catalog.models["openai/omni-moderation-2024-09-26"];
    assert!(model.aliases.contains(&"omni-moderation-latest".to_owned()));
    assert!(model.input.contains(Modality::Image));
}

#[test]
fn pictures_that_go_in_have_a_price_of_their_own_where_they_are_changed() {
    let list = r#"{
      "gpt-image-9": { "litellm_provider": "openai", "mode": "image_generation",
        "input_cost_per_token": 5e-06, "input_cost_per_image_token": 8e-06,
        "output_cost_per_image_token": 3e-05 },
      "gpt-9": { "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 8192,
        "input_cost_per_token": 5e-06, "input_cost_per_image_token": 8e-06,
        "output_cost_per_token": 3e-05 } }"#;
    let imported = import_one(Source::LiteLlm, list, &RawCatalog::default());
    let price = |id: &str| imported.catalog.endpoints[id].price.clone().unwrap();
    let drawn = price("openai/gpt-image-9@openai");
    assert_eq!(written(&drawn, PriceKey::ImageInput).as_deref(), Some("8"));
    assert!(
        imported.catalog.models["openai/gpt-image-9"]
            .input
            .contains(Modality::Image)
    );
    let chats = price("openai/gpt-9@openai");
    assert_eq!(written(&chats, PriceKey::ImageInput), None);
}
