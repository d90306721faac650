//! Which endpoints may serve a call at all.

use bourse_catalog::{Endpoint, Modalities, Modality, Parameter, Parameters, Prices};

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
    /// Bytes of text in the prompt: media are not measured in bytes. Of texts
    /// that are read each by itself those of the longest.
    pub text_bytes: u64,
    /// The most output tokens that the caller asked for.
    pub max_output: Option<u64>,
}

/// No tokenizer packs ordinary text more than this many bytes into a token;
/// a prompt that is too long even so cannot fit. Its pictures are left to
/// the provider: their rules are too loose to refuse a call by.
pub const BYTES_PER_TOKEN_MAX: u64 = 16;

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

/// An endpoint as it is offered: in its usual service, or in another tier.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// The slug of its provider.
    pub provider: &'a str,
    /// How callers name exactly this offer.
    pub tag: &'a str,
    /// What it costs.
    pub prices: &'a Prices,
    /// Whether the provider's slug means it too. A tier that nobody asked for
    /// is meant by its own tag alone.
    pub is_asked_for: bool,
}

impl Offer<'_> {
    /// Whether a slug in a caller's list of those it wants means this offer:
    /// the provider's slug means all of its endpoints, a full tag exactly one
    /// kind.
    #[must_use]
    pub fn is_named(&self, listed: &str) -> bool {
        listed == self.tag
            || (self.is_asked_for && (listed == self.provider || listed == &*self.endpoint.tag))
    }

    /// The same for those that it does not want: whoever ignores a provider
    /// ignores all of its tiers.
    fn is_ignored(&self, listed: &str) -> bool {
        listed == self.tag || listed == self.provider || listed == &*self.endpoint.tag
    }
}

/// The fewest tokens that the text of a prompt can have.
#[must_use]
pub const fn tokens_at_least(needs: &Needs) -> u64 {
    needs.text_bytes / BYTES_PER_TOKEN_MAX
}

/// Whether an endpoint may serve the call as it is offered.
pub fn check(offer: &Offer<'_>, needs: &Needs, wishes: &Preferences) -> Result<(), Excluded> {
    let endpoint = offer.endpoint;
    let is_out = |slugs: &[String]| !slugs.is_empty() && !slugs.iter().any(|s| offer.is_named(s));
    if is_out(&wishes.only) || wishes.ignore.iter().any(|slug| offer.is_ignored(slug)) {
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
    let prices = offer.prices;
    let max = &wishes.max_price;
    for (limit, price) in [
        (max.prompt, prices.prompt),
        (max.completion, prices.completion),
        (max.request, prices.request),
        (max.image, prices.image),
        (max.audio, prices.audio),
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
        check(&usual(&snapshot), needs, &wishes)
    }

    fn usual(snapshot: &Snapshot) -> Offer<'_> {
        let endpoint = snapshot.all_endpoints().next().unwrap();
        Offer {
            endpoint,
            provider: "acme",
            tag: &endpoint.tag,
            prices: &endpoint.prices.base,
            is_asked_for: true,
        }
    }

    #[test]
    fn audio_that_costs_more_than_its_limit_leaves_an_endpoint_out() {
        let snapshot = snapshot("");
        let sold: Prices = serde_json::from_str(r#"{"prompt":"1","audio":"9"}"#).unwrap();
        let unsold: Prices = serde_json::from_str(r#"{"prompt":"1"}"#).unwrap();
        for (prices, wishes, expected) in [
            // A limit is for a token, and these are prices of a million.
            (
                &sold,
                r#"{"max_price":{"audio":0.0000089}}"#,
                Err(Excluded::MaxPrice),
            ),
            (&sold, r#"{"max_price":{"audio":"0.000009"}}"#, Ok(())),
            (&sold, r#"{"max_price":{"audio":null}}"#, Ok(())),
            (&unsold, r#"{"max_price":{"audio":0}}"#, Ok(())),
        ] {
            let offer = Offer {
                prices,
                ..usual(&snapshot)
            };
            let wishes = Preferences::read(wishes).unwrap();
            assert_eq!(check(&offer, &needs(), &wishes), expected, "{wishes:?}");
        }
    }

    #[test]
    fn a_tier_of_service_is_meant_by_its_tag_or_when_it_is_asked_for() {
        let snapshot = snapshot("");
        let usual = usual(&snapshot);
        let dear: Prices = serde_json::from_str(r#"{"prompt":"9","completion":"9"}"#).unwrap();
        for (is_asked_for, wishes, expected) in [
            (false, r#"{"only":["acme/priority"]}"#, Ok(())),
            (false, r#"{"only":["acme"]}"#, Err(Excluded::Providers)),
            (true, r#"{"only":["acme"]}"#, Ok(())),
            (true, r#"{"ignore":["acme"]}"#, Err(Excluded::Providers)),
            (
                false,
                r#"{"ignore":["acme/priority"]}"#,
                Err(Excluded::Providers),
            ),
            (
                true,
                r#"{"max_price":{"prompt":2}}"#,
                Err(Excluded::MaxPrice),
            ),
        ] {
            let offer = Offer {
                tag: "acme/priority",
                prices: &dear,
                is_asked_for,
                ..usual
            };
            let wishes = Preferences::read(wishes).unwrap();
            assert_eq!(check(&offer, &needs(), &wishes), expected, "{wishes:?}");
        }
        // The usual service is not meant by the tag of another.
        let wishes = Preferences::read(r#"{"only":["acme/priority"]}"#).unwrap();
        assert_eq!(check(&usual, &needs(), &wishes), Err(Excluded::Providers));
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
        let wishes = Preferences::default();
        assert_eq!(check(&usual(&snapshot), &searching, &wishes), Ok(()));
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
