//! Which endpoints may serve a call at all.

use bourse_catalog::{Endpoint, Modalities, Modality, Parameter, Parameters};

use crate::preferences::Preferences;

/// What the call asks of an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// What goes in.
    pub input: Modalities,
    /// What must come out.
    pub output: Modalities,
    /// Parameters that were sent.
    pub parameters: Parameters,
    /// Bytes of text in the prompt: media are not measured in bytes.
    pub text_bytes: u64,
    /// The most output tokens that the caller asked for.
    pub max_output: Option<u64>,
}

/// No tokenizer packs ordinary text more than this many bytes into a token;
/// a prompt that is too long even so cannot fit. Its pictures are left to
/// the provider: their rules are too loose to refuse a call by.
const BYTES_PER_TOKEN_MAX: u64 = 16;

/// Parameters that an endpoint is preferred for, and that are sent even if
/// no endpoint is known to support them (openrouter.ai/docs, provider
/// selection, August 2026).
pub const PREFERRED: Parameters = Parameters::of(&[
    Parameter::Tools,
    Parameter::ToolChoice,
    Parameter::ResponseFormat,
    Parameter::StructuredOutputs,
    Parameter::Verbosity,
]);

/// Why an endpoint was left out, in OpenRouter's words (`excluded_by`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Excluded {
    /// `provider.only` or `provider.ignore`.
    Providers,
    /// `provider.data_collection: "deny"`.
    Training,
    /// `provider.zdr`.
    Retention,
    /// `provider.max_price`.
    MaxPrice,
    /// The prompt would not fit.
    ContextLength,
    /// `max_tokens` is more than it gives.
    MaxTokens,
    /// `provider.require_parameters`.
    RequireParameters,
    /// `provider.quantizations`.
    Quantization,
    /// It does not take what goes in, or give what must come out.
    Modality,
    /// The prompt points to a private address, which the provider is not
    /// sent.
    PrivateUrl,
    /// A search is asked for, and it has no price for one.
    Search,
}

impl Excluded {
    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Providers => "allowed_providers",
            Self::Training => "data_policy:training",
            Self::Retention => "data_policy:zdr",
            Self::MaxPrice => "max_price",
            Self::ContextLength => "context_length",
            Self::MaxTokens => "max_tokens",
            Self::RequireParameters => "require_parameters",
            Self::Quantization => "quantization",
            Self::Modality => "modality",
            Self::PrivateUrl => "private_url",
            Self::Search => "web_search_options",
        }
    }
}

/// Whether a slug in a caller's list means this endpoint: the provider's
/// slug means all of its endpoints, a full tag exactly one kind.
#[must_use]
pub fn names_endpoint(listed: &str, provider_slug: &str, tag: &str) -> bool {
    listed == provider_slug || listed == tag
}

/// The fewest tokens that the text of a prompt can have.
#[must_use]
pub const fn tokens_at_least(needs: &Needs) -> u64 {
    needs.text_bytes / BYTES_PER_TOKEN_MAX
}

/// Whether an endpoint may serve the call.
pub fn check(
    endpoint: &Endpoint,
    provider_slug: &str,
    needs: &Needs,
    wishes: &Preferences,
) -> Result<(), Excluded> {
    let listed = |list: &[String]| {
        list.iter()
            .any(|slug| names_endpoint(slug, provider_slug, &endpoint.tag))
    };
    if (!wishes.only.is_empty() && !listed(&wishes.only)) || listed(&wishes.ignore) {
        return Err(Excluded::Providers);
    }
    // Whether prompts are kept is another question, which `zdr` asks.
    if wishes.deny_data_collection && endpoint.data_policy.training {
        return Err(Excluded::Training);
    }
    if wishes.zdr && !endpoint.data_policy.zdr {
        return Err(Excluded::Retention);
    }
    if !wishes.quantizations.is_empty()
        && !wishes
            .quantizations
            .iter()
            .any(|name| name == endpoint.quantization.name())
    {
        return Err(Excluded::Quantization);
    }
    let prices = &endpoint.prices.base;
    let max = &wishes.max_price;
    for (limit, price) in [
        (max.prompt, prices.prompt),
        (max.completion, prices.completion),
        (max.request, prices.request),
        (max.image, prices.image),
    ] {
        if limit.is_some_and(|limit| price.is_some_and(|price| price > limit)) {
            return Err(Excluded::MaxPrice);
        }
    }
    let media = needs.input.difference(Modalities::of(&[Modality::Text]));
    if !endpoint.input_modalities.contains_all(media)
        || !endpoint.output_modalities.contains_all(needs.output)
    {
        return Err(Excluded::Modality);
    }
    let too_long = endpoint.context_length > 0 && tokens_at_least(needs) > endpoint.context_length;
    let answer_too_long = matches!(
        (needs.max_output, endpoint.max_output),
        (Some(wanted), Some(given)) if wanted > given
    );
    if too_long {
        return Err(Excluded::ContextLength);
    }
    if answer_too_long {
        return Err(Excluded::MaxTokens);
    }
    if needs.parameters.contains(Parameter::WebSearchOptions) && prices.web_search.is_none() {
        return Err(Excluded::Search);
    }
    if wishes.require_parameters && !endpoint.parameters.contains_all(needs.parameters) {
        return Err(Excluded::RequireParameters);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bourse_catalog::{Overlay, RawCatalog, Snapshot};

    use super::*;

    fn snapshot(endpoint: &str) -> Snapshot {
        snapshot_with(&format!(
            r#","price":{{"prompt":"1","completion":"2"}}{endpoint}"#
        ))
    }

    fn snapshot_with(endpoint: &str) -> Snapshot {
        let overlay: Overlay = serde_json::from_str(&format!(
            r#"{{"providers":{{"acme":{{"base_url":"https://acme.example/v1","format":"openai-chat"}}}},
                "models":[{{"slug":"acme/echo","context_length":1000,"max_output":100,
                "endpoints":[{{"provider":"acme","upstream_model":"echo"{endpoint}}}]}}]}}"#
        ))
        .unwrap();
        Snapshot::build(RawCatalog::default(), &[overlay]).unwrap()
    }

    /// A vendor that keeps prompts and does not train on them.
    const KEPT: &str = r#","data_policy":{"training":false,"retains":true}"#;

    fn needs() -> Needs {
        Needs {
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Text]),
            parameters: Parameters::EMPTY,
            text_bytes: 100,
            max_output: None,
        }
    }

    fn verdict(endpoint: &str, needs: &Needs, wishes: &str) -> Result<(), Excluded> {
        let snapshot = snapshot(endpoint);
        let wishes = Preferences::read(wishes).unwrap();
        check(
            snapshot.all_endpoints().next().unwrap(),
            "acme",
            needs,
            &wishes,
        )
    }

    #[test]
    fn each_wish_excludes_for_its_own_reason() {
        let plain = needs();
        for (endpoint, wishes, expected) in [
            ("", "{}", Ok(())),
            ("", r#"{"only":["acme"]}"#, Ok(())),
            ("", r#"{"only":["other"]}"#, Err(Excluded::Providers)),
            ("", r#"{"ignore":["acme"]}"#, Err(Excluded::Providers)),
            (r#","tag":"acme/fast""#, r#"{"only":["acme/fast"]}"#, Ok(())),
            ("", r#"{"data_collection":"deny"}"#, Err(Excluded::Training)),
            ("", r#"{"zdr":true}"#, Err(Excluded::Retention)),
            // Keeping is not training.
            (KEPT, r#"{"data_collection":"deny"}"#, Ok(())),
            (KEPT, r#"{"zdr":true}"#, Err(Excluded::Retention)),
            (
                KEPT,
                r#"{"data_collection":"deny","zdr":true}"#,
                Err(Excluded::Retention),
            ),
            (
                "",
                r#"{"quantizations":["fp8"]}"#,
                Err(Excluded::Quantization),
            ),
            (
                r#","quantization":"fp8""#,
                r#"{"quantizations":["fp8"]}"#,
                Ok(()),
            ),
            (
                "",
                r#"{"max_price":{"prompt":"0.99"}}"#,
                Err(Excluded::MaxPrice),
            ),
            ("", r#"{"max_price":{"prompt":1,"completion":2}}"#, Ok(())),
        ] {
            assert_eq!(
                verdict(endpoint, &plain, wishes),
                expected,
                "{endpoint} {wishes}"
            );
        }
    }

    #[test]
    fn what_cannot_be_served_is_excluded() {
        let image = Needs {
            input: needs().input.with(Modality::Image),
            ..needs()
        };
        assert_eq!(verdict("", &image, "{}"), Err(Excluded::Modality));
        let long = Needs {
            text_bytes: 16 * 1001,
            ..needs()
        };
        assert_eq!(verdict("", &long, "{}"), Err(Excluded::ContextLength));
        let wordy = Needs {
            max_output: Some(101),
            ..needs()
        };
        assert_eq!(verdict("", &wordy, "{}"), Err(Excluded::MaxTokens));
    }

    #[test]
    fn a_search_is_asked_for_only_where_it_has_a_price() {
        let searching = Needs {
            parameters: Parameters::of(&[Parameter::WebSearchOptions]),
            ..needs()
        };
        assert_eq!(verdict("", &searching, "{}"), Err(Excluded::Search));
        let priced = r#","price":{"prompt":"1","completion":"2","web_search":"0.025"}"#;
        let snapshot = snapshot_with(priced);
        let endpoint = snapshot.all_endpoints().next().unwrap();
        let wishes = Preferences::default();
        assert_eq!(check(endpoint, "acme", &searching, &wishes), Ok(()));
    }

    #[test]
    fn parameters_only_exclude_when_they_are_required() {
        let seeded = Needs {
            parameters: Parameters::of(&[Parameter::Seed]),
            ..needs()
        };
        let endpoint = r#","supported_parameters":["temperature"]"#;
        assert_eq!(verdict(endpoint, &seeded, "{}"), Ok(()));
        let strict = r#"{"require_parameters":true}"#;
        assert_eq!(
            verdict(endpoint, &seeded, strict),
            Err(Excluded::RequireParameters)
        );
    }
}
