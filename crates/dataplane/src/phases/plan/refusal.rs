//! Why there is no target, in words that help: OpenRouter's sentences where
//! clients match on them, and what was excluded by what.

use bourse_catalog::{Endpoint, Interface};
use bourse_routing::filter::{self, Excluded};
use bourse_vocab::{Failure, FailureKind, ServiceTier};
use serde_json::json;

use super::Wanted;
use crate::endpoints::{ENDPOINTS, Endpoint as Client, SESSIONS};
use crate::market::{Market, Target, may_serve};

/// Characters of a model's name that an error repeats.
const NAME_CHARS_MAX: usize = 200;
/// Providers that an error names as examples.
const EXAMPLES_MAX: usize = 5;

/// A name that the catalog does not have, with one that can be called and is
/// written like it. Clients match on the beginning of the sentence.
pub fn unknown_model(market: &Market, name: &str) -> Failure {
    let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
    let can_be_called = |model| !market.targets_of(model).is_empty();
    let why = match not_offered(name) {
        Some(why) => format!(": {why}"),
        None => match market.catalog.nearest(name, can_be_called) {
            Some(meant) => format!("; did you mean {meant}?"),
            None => String::new(),
        },
    };
    Failure::invalid(format!("{shown} is not a valid model ID{why}")).availability(json!({
        "code": "model_not_found",
        "retryable": false,
        "requested_models": [shown],
    }))
}

/// What a name asks for that OpenRouter has and this server does not, with
/// the remedy (openrouter.ai/docs, model variants and routers, October 2026).
fn not_offered(name: &str) -> Option<&'static str> {
    const VARIANTS: [&str; 4] = [":free", ":thinking", ":extended", ":batch"];
    if name.contains("@preset/") {
        Some("presets are not kept here; send the model and its parameters instead")
    } else if name.starts_with("openrouter/") {
        Some("no router chooses a model here; name one, or several in `models`")
    } else if VARIANTS.iter().any(|variant| name.ends_with(variant)) {
        Some("the catalog has no such variant of it; leave the suffix out")
    } else {
        None
    }
}

/// Every target was told to slow down; the first may be asked in `rest_ms`.
pub fn at_capacity(model: &str, models: &[String], rest_ms: u64) -> Failure {
    let seconds = rest_ms.div_ceil(1000).max(1);
    Failure::new(
        FailureKind::RateLimited,
        format!("All providers for {model} are at capacity. Retry after {seconds} seconds."),
    )
    .retry_after(std::time::Duration::from_millis(rest_ms))
    .availability(no_capacity(models, Some(seconds)))
}

/// That whoever could answer is at its limit, and for how many seconds, where
/// that is known.
pub fn no_capacity(models: &[String], seconds: Option<u64>) -> serde_json::Value {
    let mut availability = json!({
        "code": "capacity_exhausted",
        "retryable": true,
        "requested_models": models,
    });
    if let (Some(members), Some(seconds)) = (availability.as_object_mut(), seconds) {
        members.insert("retry_after".to_owned(), seconds.into());
    }
    availability
}

/// Nobody who may serve has a price for the tier of service that was asked
/// for. The usual service would look like it, at another price.
pub fn unsold_tier(model: &str, models: &[String], tier: ServiceTier) -> Failure {
    let name = tier.name();
    Failure::invalid(format!(
        "service_tier: no endpoint of {model} that may serve this call has a price for `{name}`; leave service_tier out, or choose a model whose list of endpoints (GET /api/v1/models/{{author}}/{{slug}}/endpoints) has that tier"
    ))
    .availability(json!({
        "code": "constraint_filtered",
        "retryable": false,
        "requested_models": models,
        "excluded_by": ["service_tier"],
    }))
}

/// Every endpoint was excluded, or there was none.
pub fn no_candidates(
    market: &Market,
    model: &str,
    wanted: &Wanted<'_>,
    excluded: &[(Excluded, &Target)],
) -> Failure {
    let mut reasons: Vec<_> = excluded.iter().map(|(reason, _)| *reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let mut serving: Vec<&str> = excluded
        .iter()
        .map(|(_, target)| &*target.provider.slug)
        .collect();
    serving.sort_unstable();
    serving.dedup();
    if let Some(failure) = too_large(market, model, wanted, excluded, &reasons) {
        return failure;
    }
    if let [Excluded::PrivateUrl] = *reasons {
        return private_url(wanted.endpoint.prompt());
    }
    let missing = FailureKind::NotFound;
    let (kind, code, message) = match reasons.as_slice() {
        // It is there, and not for this: the caller's mistake.
        [] if another_interface(market, listed(market, model), wanted.endpoint).is_some() => (
            FailureKind::InvalidRequest,
            "wrong_endpoint",
            no_endpoints(market, model, wanted.endpoint),
        ),
        [] => (
            missing,
            "no_endpoints",
            no_endpoints(market, model, wanted.endpoint),
        ),
        [Excluded::Training | Excluded::Retention, ..] => (
            missing,
            "privacy_restricted",
            excluded_by(model, wanted, &reasons, &serving),
        ),
        _ => (
            missing,
            "constraint_filtered",
            excluded_by(model, wanted, &reasons, &serving),
        ),
    };
    Failure::new(kind, message).availability(json!({
        "code": code,
        "retryable": false,
        "requested_models": wanted.models,
        "affected_providers": serving,
        "excluded_by": names(&reasons),
    }))
}

/// The call is too large for every endpoint, and nothing else is wrong with
/// it. Coding agents shorten their prompts when they read this kind, in
/// OpenAI's words (platform.openai.com, error codes, October 2026).
fn too_large(
    market: &Market,
    model: &str,
    wanted: &Wanted<'_>,
    excluded: &[(Excluded, &Target)],
    reasons: &[Excluded],
) -> Option<Failure> {
    let endpoints = || {
        let targets = excluded.iter();
        targets.map(|(_, target)| market.endpoint(target))
    };
    match *reasons {
        [Excluded::ContextLength] => {
            let most = endpoints().map(|endpoint| endpoint.context_length).max()?;
            let least = filter::tokens_at_least(&wanted.needs);
            Some(Failure::new(
                FailureKind::ContextLengthExceeded,
                format!(
                    "This endpoint's maximum context length is {most} tokens. However, you requested at least {least} tokens of input for {model}. Please reduce the length of the messages."
                ),
            ))
        }
        [Excluded::MaxTokens] => {
            let most = endpoints()
                .filter_map(|endpoint| endpoint.max_output)
                .max()?;
            let asked = wanted.needs.max_output?;
            Some(Failure::new(
                FailureKind::MaxTokensExceeded,
                format!("max_tokens: {asked} is more than {model} gives; ask for at most {most}"),
            ))
        }
        _ => None,
    }
}

/// Everybody could serve it, and nobody is sent what it points to.
fn private_url(member: &str) -> Failure {
    Failure::invalid(format!(
        "{member}: a picture or file is at an address that no provider is sent: only http and https URLs of public hosts are, without user names. Send its data instead, as a data: URL.",
    ))
}

fn names(reasons: &[Excluded]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.name()).collect()
}

/// What the catalog lists of a model.
fn listed<'m>(market: &'m Market, model: &str) -> &'m [Endpoint] {
    let resolution = market.catalog.resolve(model);
    resolution
        .map(|resolution| market.catalog.endpoints(resolution.model))
        .unwrap_or_default()
}

/// Nothing was excluded, so there was nothing.
fn no_endpoints(market: &Market, model: &str, client: &dyn Client) -> String {
    let listed = listed(market, model);
    let why = if listed.is_empty() {
        "the catalog lists no endpoint for it".to_owned()
    } else if let Some(why) = another_interface(market, listed, client) {
        why
    } else {
        unconfigured(market, listed)
    };
    format!("No endpoints found for {model}: {why}.")
}

/// That nobody is configured who serves it, with some who could be; if none
/// could, that is said.
fn unconfigured(market: &Market, listed: &[Endpoint]) -> String {
    let slug = |endpoint: &Endpoint| &*market.catalog.provider(endpoint.provider).slug;
    // Endpoints of a model are in order of their providers.
    let names = |endpoints: Vec<&Endpoint>, shown: fn(&str) -> String| {
        let mut slugs: Vec<_> = endpoints.into_iter().map(slug).collect();
        slugs.dedup();
        let named = slugs.into_iter().take(EXAMPLES_MAX).map(shown);
        named.collect::<Vec<_>>().join(", ")
    };
    let (may, may_not): (Vec<_>, Vec<_>) = listed
        .iter()
        .partition(|endpoint| may_serve(slug(endpoint), endpoint));
    if may.is_empty() {
        return format!(
            "who serves it cannot be asked for that here yet ({}); choose another model",
            names(may_not, str::to_owned)
        );
    }
    format!(
        "no provider that serves it is configured; one of these would do: {}",
        names(may, with_variable)
    )
}

/// A provider, and the variable that configures it, if one does.
fn with_variable(slug: &str) -> String {
    let variable = bourse_providers::by_slug(slug).and_then(|known| known.env().first().copied());
    variable.map_or_else(
        || slug.to_owned(),
        |variable| format!("{slug} ({variable})"),
    )
}

/// That who serves it here does so only through another interface than the
/// client's, if that is so, and where that is asked for.
fn another_interface(market: &Market, listed: &[Endpoint], client: &dyn Client) -> Option<String> {
    let other = listed.iter().find(|endpoint| {
        let slug = &*market.catalog.provider(endpoint.provider).slug;
        let mut configured = market.providers().iter();
        endpoint.is_listed()
            && endpoint.interface != client.interface()
            && configured.any(|provider| *provider.slug == *slug)
    })?;
    let provider = &market.catalog.provider(other.provider).name;
    let api = match other.interface {
        Interface::Responses => "Responses",
        Interface::Images => "Images",
        Interface::Embeddings => "Embeddings",
        Interface::Rerank => "Rerank",
        Interface::Moderations => "Moderations",
        Interface::Speech => "Speech",
        Interface::Transcription => "Transcription",
        Interface::Realtime => "Realtime",
        Interface::Videos => "Videos",
        Interface::Chat => "Chat",
    };
    let mut clients = ENDPOINTS.iter().chain(SESSIONS);
    let asked_at = clients.find(|client| client.interface() == other.interface);
    let remedy = match (asked_at, client.interface()) {
        (Some(other), _) => format!("so send it to /api{}", other.path()),
        (None, client) => format!(
            "which cannot be called here; choose a model that {}",
            what_serves(client)
        ),
    };
    Some(format!(
        "{provider} serves it through its {api} API only, {remedy}"
    ))
}

/// What a model does that a client's endpoint can ask.
const fn what_serves(client: Interface) -> &'static str {
    match client {
        Interface::Embeddings => "makes vectors",
        Interface::Images => "makes pictures",
        Interface::Rerank => "orders documents",
        Interface::Moderations => "judges what is written",
        Interface::Speech => "reads text aloud",
        Interface::Transcription => "writes speech down",
        Interface::Realtime => "is served over a WebSocket",
        Interface::Videos => "makes films",
        Interface::Chat | Interface::Responses => "is served in chat",
    }
}

/// What excluded the endpoints, with the remedy where there is one.
fn excluded_by(model: &str, wanted: &Wanted<'_>, reasons: &[Excluded], serving: &[&str]) -> String {
    let list = |names: Vec<&str>| names.join(", ");
    match reasons {
        [Excluded::Providers] => format!(
            "No allowed providers are available for the selected model. Providers serving {model}: {}, but your request's provider preferences permit none of them.",
            serving.join(", ")
        ),
        [Excluded::Training | Excluded::Retention, ..] => format!(
            "No endpoints for {model} match your data policy ({}).",
            list(names(reasons))
        ),
        [Excluded::RequireParameters] => format!(
            "No endpoints found for {model} that support every parameter of the request: {}. Remove some, or {}.",
            list(wanted.needs.parameters.names().collect()),
            wanted.wishes.instead_of_strict()
        ),
        [Excluded::Search] => format!(
            "web_search_options: no endpoint of {model} searches by itself and has a price for that. Remove it (`:online` and `web` among `plugins` ask for the same), or choose a model that searches."
        ),
        [Excluded::Modality] => format!(
            "No endpoints found for {model} that support {} input and {} output.",
            list(wanted.needs.input.names().collect()),
            list(wanted.needs.output.names().collect())
        ),
        _ => format!(
            "No endpoints found for {model} that fit the request: {}.",
            list(names(reasons))
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use bourse_catalog::{
        Modalities, Modality, Parameters, Prices, RawCatalog, RawEndpoint, RawModel, RawPrice,
        RawProvider, Snapshot,
    };
    use bourse_net::Http2;
    use bourse_providers::{Compatible, Credential, Disconnect};
    use bourse_routing::filter::Needs;
    use bourse_routing::preferences::Preferences;
    use bourse_vocab::{Format, PicosPerUnit, PromptFacts, Units};
    use bourse_wire::codec;
    use serde_json::Value;

    use super::*;
    use crate::endpoints::{chat, embeddings, rerank};
    use crate::market::{Memory, ProviderSetup};

    const BASE_URL: &str = "http://127.0.0.1:1/v1";

    /// A market with one model of one provider, and of another that nobody
    /// has configured.
    fn market(interface: Interface, is_configured: bool) -> Market {
        market_of(["aaa", "acme"], interface, is_configured)
    }

    fn market_of([first, second]: [&str; 2], interface: Interface, is_configured: bool) -> Market {
        let text = Modalities::of(&[Modality::Text]);
        let model = RawModel {
            name: "Echo".to_owned(),
            context_length: 1000,
            input: text,
            output: text,
            ..RawModel::default()
        };
        let endpoint = RawEndpoint {
            model: "acme/echo".to_owned(),
            provider: second.to_owned(),
            upstream_model: "echo".to_owned(),
            interface: Some(interface),
            price: Some(RawPrice {
                base: Prices {
                    prompt: Some(PicosPerUnit::new(0)),
                    completion: Some(PicosPerUnit::new(0)),
                    ..Prices::default()
                },
                ..RawPrice::default()
            }),
            ..RawEndpoint::default()
        };
        let elsewhere = RawEndpoint {
            provider: first.to_owned(),
            ..endpoint.clone()
        };
        let provider = |name: &str| RawProvider {
            name: name.to_owned(),
            base_url: Some(BASE_URL.to_owned()),
            ..RawProvider::default()
        };
        let raw = RawCatalog {
            providers: BTreeMap::from([
                (first.to_owned(), provider("Aaa")),
                (second.to_owned(), provider("Acme")),
            ]),
            models: BTreeMap::from([("acme/echo".to_owned(), model)]),
            endpoints: [elsewhere, endpoint]
                .map(|endpoint| (endpoint.id(), endpoint))
                .into(),
        };
        let setup = ProviderSetup {
            provider: Arc::new(Compatible::operators_own(
                "acme",
                BASE_URL,
                Format::OpenAiChat,
            )),
            credentials: vec![Credential::None.into()],
            base_url: BASE_URL.to_owned(),
            http2: Http2::Never,
            on_disconnect: Disconnect::Cancel,
            via: None,
            simulated: false,
            private_urls: false,
        };
        let setups = if is_configured {
            vec![setup]
        } else {
            Vec::new()
        };
        let catalog = Arc::new(Snapshot::build(raw, &[]).unwrap());
        let (market, problems) = Market::build(catalog, setups, 0, &Memory::default());
        assert!(problems.is_empty(), "{problems:?}");
        market
    }

    /// To configure somebody who cannot be asked would help nobody.
    #[test]
    fn only_those_are_named_who_could_be_asked() {
        for (providers, said) in [
            (
                ["amazon-bedrock", "cohere"],
                "one of these would do: cohere (COHERE_API_KEY).",
            ),
            (
                ["amazon-bedrock", "mistral"],
                "cannot be asked for that here yet (amazon-bedrock, mistral); choose another model.",
            ),
        ] {
            let market = market_of(providers, Interface::Rerank, false);
            let (status, error) = refused_at(&market, &rerank::Rerank);
            assert_eq!(status, 404, "{error}");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_sold_over_another_interface_is_not_called_and_says_so() {
        let other = market(Interface::Responses, true);
        assert!(other.targets().is_empty(), "it cannot be called");
        assert_eq!(
            no_endpoints(&other, "acme/echo", &chat::Chat),
            "No endpoints found for acme/echo: Acme serves it through its Responses API only, \
             which cannot be called here; choose a model that is served in chat."
        );
        let chat = market(Interface::Chat, true);
        assert_eq!(chat.targets().len(), 1);
        let pictures = market(Interface::Images, true);
        assert_eq!(pictures.targets().len(), 1);
        assert_eq!(
            no_endpoints(&pictures, "acme/echo", &chat::Chat),
            "No endpoints found for acme/echo: Acme serves it through its Images API only, \
             so send it to /api/v1/images/generations."
        );
        // Of providers without a key the sentence is the usual one.
        let elsewhere = market(Interface::Responses, false);
        assert!(
            no_endpoints(&elsewhere, "acme/echo", &chat::Chat)
                .contains("no provider that serves it")
        );
    }

    #[test]
    fn what_makes_vectors_and_what_chats_is_sent_to_where_it_is_asked() {
        let vectors = market(Interface::Embeddings, true);
        assert_eq!(
            no_endpoints(&vectors, "acme/echo", &chat::Chat),
            "No endpoints found for acme/echo: Acme serves it through its Embeddings API only, \
             so send it to /api/v1/embeddings."
        );
        assert_eq!(vectors.targets().len(), 1);
        let chats = market(Interface::Chat, true);
        assert_eq!(
            no_endpoints(&chats, "acme/echo", &embeddings::Embeddings),
            "No endpoints found for acme/echo: Acme serves it through its Chat API only, \
             so send it to /api/v1/chat/completions."
        );
        let (status, error) = refused_at(&chats, &embeddings::Embeddings);
        assert_eq!(status, 400, "{error}");
        assert_eq!(error["availability"]["code"], "wrong_endpoint");
        // What is sold over neither says what to choose.
        let responses = market(Interface::Responses, true);
        assert!(
            no_endpoints(&responses, "acme/echo", &embeddings::Embeddings)
                .contains("choose a model that makes vectors")
        );
    }

    /// The error that a call of the model gets, with its status.
    fn refused(market: &Market) -> (u16, Value) {
        refused_at(market, &chat::Chat)
    }

    /// The same of a call to another endpoint.
    fn refused_at(market: &Market, client: &dyn Client) -> (u16, Value) {
        let text = Modalities::of(&[Modality::Text]);
        let wanted = Wanted {
            endpoint: client,
            models: &["acme/echo".to_owned()],
            wishes: &Preferences::default(),
            needs: Needs {
                input: text,
                output: text,
                parameters: Parameters::EMPTY,
                text_bytes: 1,
                max_output: None,
            },
            tier: bourse_vocab::TierWish::None,
            private_url: false,
            facts: &PromptFacts::default(),
            units: &Units::default(),
            stream: false,
            thinking: crate::ask::Thinking::default(),
            lot: bourse_routing::arrange::Lot::single(0.0),
            stuck: None,
            now_ms: 0,
        };
        let failure = no_candidates(market, "acme/echo", &wanted, &[]);
        let body = codec(Format::OpenAiChat).write_failure(&failure);
        let body: Value = serde_json::from_slice(&body).unwrap();
        (failure.status(), body["error"].clone())
    }

    #[test]
    fn a_model_of_another_interface_is_the_callers_mistake_and_a_missing_one_is_not_there() {
        for interface in [
            Interface::Responses,
            Interface::Images,
            Interface::Embeddings,
        ] {
            let (status, error) = refused(&market(interface, true));
            assert_eq!(status, 400, "{error}");
            assert_eq!(error["availability"]["code"], "wrong_endpoint");
            assert_eq!(error["metadata"]["error_type"], "invalid_request");
            let (status, error) = refused(&market(interface, false));
            assert_eq!(status, 404, "{error}");
            assert_eq!(error["availability"]["code"], "no_endpoints");
        }
    }

    #[test]
    fn a_name_that_asks_for_what_is_not_offered_says_so() {
        let market = market(Interface::Chat, true);
        for (name, word) in [
            ("openrouter/auto", "router"),
            ("openrouter/pareto-code", "router"),
            ("@preset/mine", "presets"),
            ("acme/echo@preset/mine", "presets"),
            ("acme/echo:free", "variant"),
            ("acme/echo:batch", "variant"),
        ] {
            let message = unknown_model(&market, name).message;
            let rest = message.strip_prefix(name).unwrap();
            let rest = rest.strip_prefix(" is not a valid model ID: ").unwrap();
            assert!(rest.contains(word), "{message}");
        }
    }

    #[test]
    fn a_misspelt_name_is_told_the_one_that_was_meant() {
        let said = |market: &Market, name| unknown_model(market, name).message;
        let callable = market(Interface::Chat, true);
        assert_eq!(
            said(&callable, "acme/ehco"),
            "acme/ehco is not a valid model ID; did you mean acme/echo?"
        );
        assert_eq!(said(&callable, "a/b"), "a/b is not a valid model ID");
        // It could not be called either.
        let elsewhere = market(Interface::Chat, false);
        assert_eq!(
            said(&elsewhere, "acme/ehco"),
            "acme/ehco is not a valid model ID"
        );
    }
}
