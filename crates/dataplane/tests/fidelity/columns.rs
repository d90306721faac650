//! Whom features are asked of: a market of targets that differ in what they
//! can be told.

use std::collections::BTreeMap;
use std::sync::Arc;

use bourse_catalog::{Endpoint as Offer, Overlay, RawCatalog, Snapshot};
use bourse_dataplane::market::{Market, Memory, ProviderSetup, Target};
use bourse_net::Http2;
use bourse_providers::{Compatible, Credential, Disconnect, Provider};
use bourse_vocab::{Format, TierWish};

/// A provider and a model of its.
pub struct Column {
    /// The name in patterns, and the head of the page's column.
    pub id: &'static str,
    provider: &'static str,
    model: &'static str,
    /// What it stands for.
    pub stands_for: &'static str,
}

impl Column {
    /// The provider and the model, as the page has them.
    pub fn of(&self) -> String {
        format!("{}, `{}`", self.provider, self.model)
    }
}

const fn column(
    id: &'static str,
    provider: &'static str,
    model: &'static str,
    stands_for: &'static str,
) -> Column {
    Column {
        id,
        provider,
        model,
        stands_for,
    }
}

/// The columns, in the order of the page. Each format is there, with two
/// models where their generations are told different things; of the dialects
/// of chat completions those are there of which each has a rule that no other
/// has (how to think, names, members that are refused, breakpoints, thoughts).
pub const COLUMNS: &[Column] = &[
    column(
        "openai",
        "openai",
        "gpt-4.1",
        "chat completions of a model that does not think",
    ),
    column(
        "openai-thinks",
        "openai",
        "gpt-5.6",
        "a model that thinks, over chat completions, or over Responses for their clients",
    ),
    column(
        "openai-responses",
        "openai",
        "gpt-5.6-pro",
        "a model that is sold over Responses alone",
    ),
    column(
        "claude-older",
        "anthropic",
        "claude-sonnet-4-20250514",
        "Messages, a model that follows no schema",
    ),
    column(
        "claude-budget",
        "anthropic",
        "claude-haiku-4-5",
        "Messages, thinking by budget",
    ),
    column(
        "claude-adaptive",
        "anthropic",
        "claude-sonnet-5",
        "Messages, adaptive thinking, no sampling parameters",
    ),
    column(
        "gemini-2",
        "google-ai-studio",
        "gemini-2.5-flash",
        "generateContent, thinking by budget",
    ),
    column(
        "gemini-3",
        "google-ai-studio",
        "gemini-3.8-flash",
        "generateContent, thinking by level, fixed sampling",
    ),
    column(
        "bedrock-claude",
        "amazon-bedrock",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "Converse, a model of Anthropic's",
    ),
    column(
        "bedrock-nova",
        "amazon-bedrock",
        "us.amazon.nova-pro-v1:0",
        "Converse, a model of Amazon's",
    ),
    column(
        "mistral",
        "mistral",
        "mistral-medium-3-5",
        "refuses members that it does not know, names, replayed thoughts",
    ),
    column(
        "deepseek",
        "deepseek",
        "deepseek-chat",
        "a switch for thinking and an effort, thoughts replayed",
    ),
    column(
        "xai",
        "xai",
        "grok-4.3",
        "efforts, no penalties and no stop sequences",
    ),
    column(
        "groq",
        "groq",
        "openai/gpt-oss-120b",
        "refuses names and thoughts, tiers of its own",
    ),
    column(
        "cohere",
        "cohere",
        "command-a-03-2025",
        "its own chat, a model that does not think",
    ),
    column(
        "cohere-thinks",
        "cohere",
        "command-a-reasoning-08-2025",
        "its own chat, thinking by budget",
    ),
    column(
        "alibaba",
        "alibaba",
        "qwen3-max",
        "a switch and a budget for thinking, breakpoints of the cache",
    ),
    column(
        "own",
        "own",
        "llama",
        "an operator's own server of open models (vLLM, SGLang, llama.cpp)",
    ),
    column(
        "own-ollama",
        "own-ollama",
        "qwen3",
        "an operator's own Ollama, by its own API",
    ),
    column(
        "openrouter",
        "openrouter",
        "acme/model",
        "OpenRouter's own shape, the widest",
    ),
];

/// Most output tokens of every model here.
const OUTPUT_MAX: u64 = 32_000;

/// All columns as targets.
pub struct Columns {
    market: Market,
    providers: BTreeMap<&'static str, Arc<dyn Provider>>,
}

impl Columns {
    /// Puts the market together.
    pub fn open() -> Self {
        let mut providers: BTreeMap<&'static str, Arc<dyn Provider>> = BTreeMap::new();
        for column in COLUMNS {
            let provider: Arc<dyn Provider> = match bourse_providers::by_slug(column.provider) {
                Some(known) => Arc::new(known),
                None => Arc::new(own(column)),
            };
            providers.insert(column.provider, provider);
        }
        let setups = providers.values().map(|provider| ProviderSetup {
            provider: Arc::clone(provider),
            credentials: vec![Credential::None.into()],
            base_url: provider.base_url().unwrap().to_owned(),
            http2: Http2::Never,
            on_disconnect: Disconnect::Cancel,
            private_urls: false,
            via: None,
            simulated: false,
        });
        let catalog = Arc::new(catalog(&providers));
        let setups: Vec<_> = setups.collect();
        let (market, problems) = Market::build(catalog, setups, 0, &Memory::default());
        assert!(problems.is_empty(), "{problems:?}");
        Self { market, providers }
    }

    /// The target of a column for whoever asks for this tier of service, with
    /// its offer in the catalog.
    pub fn target(&self, column: &Column, tier: TierWish) -> (&Target, &Offer) {
        let offers = |target: &&Arc<Target>| {
            let model = self.market.endpoint(target);
            &*model.upstream_model == column.model && *target.provider.slug == *column.provider
        };
        let mut targets: Vec<_> = self.market.targets().iter().filter(offers).collect();
        targets.sort_by_key(|target| match (target.tier, tier) {
            (Some(sold), TierWish::Tier(wanted)) if sold == wanted => 0,
            (None, _) => 1,
            _ => 2,
        });
        let target = targets.first().unwrap_or_else(|| panic!("{}", column.id));
        (target, self.market.endpoint(target))
    }

    /// How a column's provider is called.
    pub fn provider(&self, column: &Column) -> &dyn Provider {
        &*self.providers[column.provider]
    }
}

/// An operator's own server.
fn own(column: &Column) -> Compatible {
    let (base_url, format) = match column.id {
        "own-ollama" => ("http://127.0.0.1:9", Format::Ollama),
        _ => ("http://127.0.0.1:9/v1", Format::OpenAiChat),
    };
    Compatible::operators_own(column.provider, base_url, format)
}

/// Every column as a model. Flex is sold where there is a word for it.
fn catalog(providers: &BTreeMap<&'static str, Arc<dyn Provider>>) -> Snapshot {
    let listed: serde_json::Map<_, _> = providers
        .iter()
        .map(|(slug, provider)| {
            let about = serde_json::json!({"base_url": provider.base_url()});
            ((*slug).to_owned(), about)
        })
        .collect();
    let models: Vec<_> = COLUMNS
        .iter()
        .map(|column| {
            let provider = &providers[column.provider];
            let format = provider.interfaces(column.model)[0].format;
            let dialect = provider.dialect(format, column.model);
            let flex = TierWish::Tier(bourse_vocab::ServiceTier::Flex);
            let services = match dialect.tier_word(flex) {
                Some(_) => serde_json::json!({"flex": {"prompt": "0.5", "completion": "0.5"}}),
                None => serde_json::json!({}),
            };
            let mut offer = serde_json::json!({
                "provider": column.provider, "upstream_model": column.model, "max_output": OUTPUT_MAX,
                "price": {"prompt": "1", "completion": "1", "services": services},
            });
            if column.id == "openai-responses" {
                offer["interface"] = "responses".into();
            }
            serde_json::json!({"slug": format!("acme/{}", column.id), "endpoints": [offer]})
        })
        .collect();
    let overlay = serde_json::json!({"providers": listed, "models": models});
    let overlay: Overlay = serde_json::from_value(overlay).unwrap();
    Snapshot::build(RawCatalog::default(), &[overlay]).unwrap()
}
