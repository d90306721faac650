//! What holds for every built-in provider.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::{BTreeMap, BTreeSet};

use bourse_catalog::Snapshot;
use bourse_providers::azure::Azure;
use bourse_providers::{
    Attempt, Compatible, Credential, Headers, Interface, Key, Provider, ToSign, all, by_slug,
};
use bourse_vocab::{Blame, Failure, FailureKind, Format, Next};
use bourse_wire::ErrorReply;
use bourse_wire::dialect::ReasoningStyle;
use http::{HeaderMap, Method};

const SECRET: &str = "sk-very-secret-0123456789";
const MODELS: &[&str] = &[
    "gpt-5.2",
    "claude-sonnet-5",
    "kimi-k3",
    "meta/llama-3.3",
    "m",
];

/// Built in, and not in the catalogue: to be named with endpoints of the
/// operator's own.
const NOT_IN_CATALOG: &[(&str, &str)] = &[
    ("abliteration-ai", "its prices are not imported"),
    ("aimlapi", "no price list has it"),
    ("amazon-nova", "free of charge up to a rate"),
    ("anyapi", "no prices of it are published"),
    ("frogbot", "its prices are not imported"),
    ("hpc-ai", "its prices are not imported"),
    ("iflow", "its prices are not imported"),
    ("libertai", "its prices are not imported"),
    ("llmtr", "its prices are not imported"),
    ("lucidquery", "its prices are not imported"),
    ("meganova", "its prices are not imported"),
    ("publicai", "its prices are not imported"),
    ("subconscious", "its prices are not imported"),
    ("baidu", "no prices in dollars are published"),
    ("byteplus", "models are addressed by endpoints of one's own"),
    ("crusoe", "no price list has it"),
    ("featherless", "sold at a flat rate"),
    ("github-models", "sold at a flat rate"),
    ("nscale", "no price list has it"),
    ("parasail", "no price list has it"),
    (
        "volcengine",
        "models are addressed by endpoints of one's own",
    ),
];

/// In the catalogue, and not built in.
const NOT_BUILT_IN: &[(&str, &str)] = &[
    ("azure", "an address of the customer's own"),
    ("cloudflare", "the account is part of the address"),
    (
        "cloudflare-ai-gateway",
        "the account is part of the address",
    ),
    ("databricks", "an address of the customer's own"),
    ("merge-gateway", "no address is published"),
    ("meta", "no address is published"),
    (
        "perplexity",
        "chat completions ended on 2026-09-27; its successor is another format",
    ),
    ("snowflake", "an address of the customer's own"),
];

/// Where a row disagrees with the address in the catalogue, which is that of
/// models.dev.
const OTHER_ADDRESS: &[(&str, &str)] = &[(
    "inference-net",
    "docs.inference.net puts the API on a host of its own",
)];

fn catalog() -> Snapshot {
    Snapshot::build(bourse_catalog::embedded::embedded().unwrap(), &[]).unwrap()
}

fn names(list: &[(&'static str, &'static str)]) -> BTreeSet<&'static str> {
    list.iter().map(|(slug, _)| *slug).collect()
}

/// Every provider, and a server of an operator's own in every format.
fn each(mut check: impl FnMut(&dyn Provider)) {
    for provider in all() {
        check(provider);
    }
    for format in [
        Format::OpenAiChat,
        Format::Anthropic,
        Format::Gemini,
        Format::Bedrock,
        Format::Ollama,
        Format::Cohere,
    ] {
        check(&Compatible::operators_own(
            "my-own",
            "http://10.0.0.7:8000/v1",
            format,
        ));
    }
    for version in [None, Some("2024-10-21")] {
        check(&Azure::new("my-azure", "https://r.example", None, version).unwrap());
    }
}

#[test]
fn slugs_are_unique_and_found() {
    let mut seen = BTreeSet::new();
    for provider in all() {
        assert!(seen.insert(provider.slug()), "{} twice", provider.slug());
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(provider.slug().bytes().all(plain), "{}", provider.slug());
        assert_eq!(by_slug(provider.slug()).unwrap().slug(), provider.slug());
        assert!(!provider.name().is_empty());
    }
    assert!(by_slug("nobody").is_none());
    assert!(seen.len() >= 120, "only {} providers", seen.len());
}

#[test]
fn every_provider_is_in_the_catalog_or_absent_for_a_reason() {
    let catalog = catalog();
    let mut missing = names(NOT_IN_CATALOG);
    for provider in all() {
        let listed = catalog.provider_by_slug(provider.slug()).is_some();
        let excused = missing.remove(provider.slug());
        assert!(
            listed != excused,
            "{}: listed {listed}, excused {excused}",
            provider.slug()
        );
    }
    assert!(missing.is_empty(), "not built in at all: {missing:?}");
}

#[test]
fn the_whole_catalog_is_built_in_or_absent_for_a_reason() {
    let mut missing = names(NOT_BUILT_IN);
    for listed in catalog().providers() {
        let slug: &str = &listed.slug;
        let excused = missing.remove(slug);
        assert!(
            by_slug(slug).is_some() != excused,
            "{slug}: excused {excused}"
        );
    }
    assert!(
        missing.is_empty(),
        "not in the catalogue at all: {missing:?}"
    );
}

#[test]
fn addresses_are_those_of_the_catalog() {
    let raw = bourse_catalog::embedded::embedded().unwrap();
    let mut other = names(OTHER_ADDRESS);
    for provider in all() {
        let Some(theirs) = raw
            .providers
            .get(provider.slug())
            .and_then(|p| p.base_url.as_deref())
        else {
            continue;
        };
        let same = provider.base_url() == Some(theirs.trim_end_matches('/'));
        assert!(
            same != other.remove(provider.slug()),
            "{}: {theirs}",
            provider.slug()
        );
    }
    assert!(other.is_empty());
}

#[test]
fn base_urls_are_secure_and_whole() {
    for provider in all() {
        let url = provider.base_url().unwrap();
        let uri: http::Uri = url.parse().unwrap();
        assert_eq!(uri.scheme_str(), Some("https"), "{url}");
        assert!(uri.host().unwrap().contains('.'), "{url}");
        assert!(uri.query().is_none() && !url.ends_with('/'), "{url}");
        assert!(!url.contains(['$', '{', ' ']), "{url}");
        assert!(!url.ends_with("/chat/completions"), "{url}");
    }
}

/// A key that lies in the environment for one vendor must not be sent to
/// another.
#[test]
fn no_variable_serves_two_providers() {
    let mut owners = BTreeMap::new();
    for provider in all() {
        for name in provider.env() {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                    && !name.as_bytes()[0].is_ascii_digit(),
                "{name}"
            );
            if let Some(other) = owners.insert(*name, provider.slug()) {
                panic!("{name} is for {other} and {}", provider.slug());
            }
        }
    }
}

fn attempt<'a>(interface: Interface, model: &'a str, stream: bool) -> Attempt<'a> {
    Attempt {
        interface,
        model,
        stream,
        base_path: "/v1",
    }
}

/// The headers that a request to a path is signed with.
fn sign(provider: &dyn Provider, path: &str, credential: &Credential) -> Result<Headers, Failure> {
    let request = ToSign {
        method: &Method::POST,
        authority: "api.example",
        path,
        headers: &HeaderMap::new(),
        body: &[],
        now_ms: 0,
    };
    provider.sign(&request, credential)
}

#[test]
fn keys_travel_in_sensitive_headers_only() {
    each(|provider| {
        let credential = provider.credential(Key::new(SECRET));
        assert!(!format!("{credential:?}").contains(SECRET));
        for model in MODELS {
            let interfaces = provider.interfaces(model);
            assert!(!interfaces.is_empty(), "{}", provider.slug());
            for (interface, stream) in interfaces.iter().flat_map(|i| [(*i, false), (*i, true)]) {
                let out = provider.address(&attempt(interface, model, stream));
                assert!(out.path.starts_with("/v1/"), "{}", out.path);
                assert!(!out.path.contains(SECRET), "{}", provider.slug());
                out.path.parse::<http::Uri>().unwrap();
                let signature = sign(provider, &out.path, &credential).unwrap();
                let carriers: Vec<_> = out
                    .headers
                    .iter()
                    .chain(&signature)
                    .filter(|(_, value)| value.to_str().unwrap().contains(SECRET))
                    .collect();
                assert_eq!(carriers.len(), 1, "{}", provider.slug());
                assert!(carriers[0].1.is_sensitive(), "{}", provider.slug());
                assert!(!format!("{out:?}").contains(SECRET), "{}", provider.slug());
                assert!(
                    !format!("{signature:?}").contains(SECRET),
                    "{}",
                    provider.slug()
                );
            }
        }
    });
}

/// Operators write the address that the vendor's own SDK takes, or the one
/// that the vendor's reference shows.
#[test]
fn a_base_address_counts_with_its_version_and_without() {
    let path = |format, base_path| {
        let server = Compatible::operators_own("my-own", "http://10.0.0.7:8000", format);
        let place = Attempt {
            base_path,
            ..attempt(Interface::chat(format), "m", false)
        };
        server.address(&place).path
    };
    for (base_path, expected) in [
        ("", "/v1/messages"),
        ("/v1", "/v1/messages"),
        ("/v2", "/v2/messages"),
        ("/p/anthropic", "/p/anthropic/v1/messages"),
        ("/anthropic/v1", "/anthropic/v1/messages"),
        ("/vendors", "/vendors/v1/messages"),
    ] {
        assert_eq!(path(Format::Anthropic, base_path), expected);
    }
    for (base_path, expected) in [
        ("", "/v1beta/models/m:generateContent"),
        ("/v1beta", "/v1beta/models/m:generateContent"),
        ("/v1", "/v1/models/m:generateContent"),
        ("/p/gemini", "/p/gemini/v1beta/models/m:generateContent"),
    ] {
        assert_eq!(path(Format::Gemini, base_path), expected);
    }
    // OpenAI's SDKs are given the whole of it, whatever it is.
    for (base_path, expected) in [
        ("/v1", "/v1/chat/completions"),
        ("/openai", "/openai/chat/completions"),
        ("", "/chat/completions"),
    ] {
        assert_eq!(path(Format::OpenAiChat, base_path), expected);
    }
    // The built-in ones are whole already.
    for provider in all() {
        let uri: http::Uri = provider.base_url().unwrap().parse().unwrap();
        let base_path = uri.path().trim_end_matches('/');
        let interface = provider.interfaces("m")[0];
        let place = Attempt {
            base_path,
            ..attempt(interface, "m", true)
        };
        let found = provider.address(&place).path;
        // Price lists know it by the API that imitates OpenAI's.
        if provider.slug() == "cohere" {
            assert_eq!(found, "/v2/chat");
            continue;
        }
        let rest = found.strip_prefix(base_path).unwrap();
        assert!(
            [
                "/messages",
                "/model/",
                "/models/",
                "/publishers/",
                "/chat/completions",
                "/embeddings",
                "/text-to-speech",
                "/listen",
            ]
            .iter()
            .any(|known| rest.starts_with(known)),
            "{}: {found}",
            provider.slug()
        );
    }
}

#[test]
fn without_a_key_nothing_pretends_to_be_one() {
    each(|provider| {
        let interface = provider.interfaces("m")[0];
        let out = provider.address(&attempt(interface, "m", true));
        assert!(out.path.starts_with('/'));
        assert!(out.headers.iter().all(|(_, value)| !value.is_sensitive()));
        let nothing = provider.credential(Key::new(" \n"));
        assert_eq!(sign(provider, &out.path, &nothing).unwrap(), []);
    });
}

#[test]
fn a_key_that_no_header_can_carry_is_our_fault_and_stays_secret() {
    let secret = "sk-line\nbreak";
    each(|provider| {
        let credential = provider.credential(Key::new(secret));
        let failure = sign(provider, "/v1/x", &credential).unwrap_err();
        assert_eq!(failure.blame, Blame::Us, "{}", provider.slug());
        assert!(
            !format!("{failure:?}").contains("sk-line"),
            "{}",
            provider.slug()
        );
    });
}

#[test]
fn keys_print_as_stars() {
    assert_eq!(format!("{:?}", Key::new(SECRET)), "***");
    assert_eq!(format!("{:?}", Some(Key::new(SECRET))), "Some(***)");
}

/// What the gateway itself reads never reaches a provider, so that no dialect
/// has anything to say about it; and what is rewritten for each target has
/// its own field in the dialect.
#[test]
fn dialects_name_only_what_providers_are_sent() {
    const NOT_THEIRS: &[&str] = &[
        "models",
        "route",
        "preset",
        "provider",
        "plugins",
        "transforms",
        "usage",
        "session_id",
        "trace",
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "reasoning",
        "reasoning_effort",
        "include_reasoning",
    ];
    each(|provider| {
        for model in MODELS {
            for interface in provider.interfaces(model) {
                let dialect = provider.dialect(interface.format, model);
                let ours = dialect.renames.iter().map(|(ours, _)| ours);
                let mut seen = BTreeSet::new();
                for name in dialect.rejects.iter().chain(ours) {
                    assert!(!NOT_THEIRS.contains(name), "{}: {name}", provider.slug());
                    assert!(seen.insert(*name), "{}: {name} twice", provider.slug());
                }
            }
        }
    });
}

/// The catalog says that models of these hosts can be told to think, so the
/// hosts are told, each in its own words.
#[test]
fn hosts_of_models_that_think_are_told_to() {
    let style = |provider: &dyn Provider| {
        let dialect = provider.dialect(Format::OpenAiChat, "some/model-that-thinks");
        dialect.reasoning
    };
    for (slug, expected) in [
        ("deepinfra", ReasoningStyle::ChatTemplate),
        ("novita", ReasoningStyle::EnableThinking),
        ("siliconflow", ReasoningStyle::EnableThinking),
        ("together", ReasoningStyle::EnabledSwitch),
        ("groq", ReasoningStyle::Effort),
        ("cerebras", ReasoningStyle::Effort),
    ] {
        assert_eq!(style(by_slug(slug).unwrap()), expected, "{slug}");
    }
    let own = Compatible::operators_own("my-own", "http://10.0.0.7/v1", Format::OpenAiChat);
    assert_eq!(style(&own), ReasoningStyle::ChatTemplate);
}

fn failure(provider: &dyn Provider, status: u16, body: &str) -> Failure {
    let format = provider.interfaces("m")[0].format;
    let reply = ErrorReply {
        status,
        body: body.as_bytes(),
        retry_after: None,
    };
    provider.read_failure(format, &reply)
}

/// Whatever a provider says about our key, its limits or its health is not
/// the caller's doing, and another target may do better.
#[test]
fn a_provider_that_fails_is_to_blame_itself() {
    const HTML: &str = "<html><head><title>502 Bad Gateway</title></head></html>";
    const JSON: &str = r#"{"error":{"message":"no","type":"error","code":"x"}}"#;
    each(|provider| {
        for status in [401, 403, 429, 500, 502, 503, 529] {
            for body in [JSON, HTML, "", "null", r#"{"detail":"no"}"#] {
                let failure = failure(provider, status, body);
                let at = format!("{} {status} {body}: {failure:?}", provider.slug());
                assert_eq!(failure.blame, Blame::Upstream, "{at}");
                assert_eq!(failure.next, Next::TryAnother, "{at}");
                assert_ne!(failure.kind, FailureKind::Authentication, "{at}");
                assert!(!failure.message.contains('<'), "{at}");
                if status == 429 {
                    assert_eq!(failure.kind, FailureKind::RateLimited, "{at}");
                }
            }
        }
    });
}

#[test]
fn a_bad_request_is_the_callers() {
    each(|provider| {
        let failure = failure(
            provider,
            400,
            r#"{"error":{"message":"temperature must be a number","type":"invalid_request_error"}}"#,
        );
        assert_eq!(
            failure.kind,
            FailureKind::InvalidRequest,
            "{}",
            provider.slug()
        );
        assert_eq!(failure.blame, Blame::Caller, "{}", provider.slug());
    });
}

/// Where each sort of vendor is asked for vectors.
#[test]
fn vectors_are_asked_for_where_the_vendor_makes_them() {
    let path = |slug: &str| {
        let provider = by_slug(slug).unwrap();
        let uri: http::Uri = provider.base_url().unwrap().parse().unwrap();
        let interfaces = provider.interfaces("m").iter();
        let mut makes = interfaces.filter(|interface| interface.operation.name() == "embeddings");
        let place = Attempt {
            base_path: uri.path().trim_end_matches('/'),
            ..attempt(*makes.next()?, "m", false)
        };
        Some(provider.address(&place).path)
    };
    for (slug, expected) in [
        ("openai", "/v1/embeddings"),
        ("mistral", "/v1/embeddings"),
        ("fireworks", "/inference/v1/embeddings"),
        ("openrouter", "/api/v1/embeddings"),
        ("cohere", "/v2/embed"),
        ("voyage", "/v1/embeddings"),
        ("jina", "/v1/embeddings"),
        ("google-ai-studio", "/v1beta/models/m:batchEmbedContents"),
    ] {
        assert_eq!(path(slug).as_deref(), Some(expected), "{slug}");
    }
    // Those who are not known to make them are not asked.
    for slug in ["anthropic", "groq", "minimax"] {
        assert_eq!(path(slug), None, "{slug}");
    }
}
