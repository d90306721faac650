//! From configuration to a market: catalog, providers, prices.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bourse_catalog::{ModelIx, Overlay, OverlayProvider, RawCatalog, Snapshot, embedded};
use bourse_dataplane::ask::Defaults;
use bourse_dataplane::market::{Market, Memory, ProviderSetup, SetupProblem, Weighted};
use bourse_net::{EgressPolicy, Http2, Origin, Via};
use bourse_providers::{Compatible, Credential, Disconnect, Key, Place, Provider};
use bourse_routing::strategies;
use bourse_vocab::Format;

use crate::config::{Config, ProviderConfig, ProviderKey};
use crate::tokens::{By, Tokens};

/// Where `bourse catalog sync` keeps what it took over.
/// In a directory of its own, because the directory is watched and the data
/// directory changes with every call.
pub const SYNCED_CATALOG: &str = "catalog/catalog.json";

/// Who answers.
pub enum Providers {
    /// Those that are configured, in the file or by their variables.
    Configured,
    /// Our own simulated ones, because none is configured.
    Simulated(SocketAddr),
}

/// A market and what came of building it.
pub struct Built {
    /// The market.
    pub market: Market,
    /// Which addresses it may call.
    pub egress: EgressPolicy,
    /// Providers and endpoints that had to be left out.
    pub problems: Vec<SetupProblem>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Whether there is any provider to call.
#[must_use]
pub fn is_any_configured(config: &Config) -> bool {
    !config.providers.is_empty() || !config.ambient_keys.is_empty()
}

/// Built-in providers that the operator has not switched off.
fn enabled(config: &Config) -> impl Iterator<Item = &'static dyn Provider> + '_ {
    bourse_providers::all()
        .filter(|provider| !config.disabled.iter().any(|slug| slug == provider.slug()))
}

/// What is known of models: embedded, or as it was last synchronised.
pub fn raw_catalog(data_dir: &Path) -> Result<RawCatalog, Error> {
    let path = data_dir.join(SYNCED_CATALOG);
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|error| format!("{}: {error}", path.display()).into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => embedded::embedded()
            .map_err(|problems| format!("the embedded catalog: {}", join(&problems)).into()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// The catalog with the configuration laid over it.
pub fn catalog(config: &Config) -> Result<Snapshot, Error> {
    let raw = raw_catalog(&config.data_dir)?;
    let mut overlay = Overlay {
        models: config.overlay.models.clone(),
        ..Overlay::default()
    };
    let named_by_models = config
        .overlay
        .models
        .iter()
        .flat_map(|model| &model.endpoints)
        .map(|endpoint| endpoint.provider.as_str());
    let configured = config.providers.iter().map(|given| given.slug.as_str());
    for slug in named_by_models.chain(configured) {
        let built_in = bourse_providers::by_slug(slug);
        if built_in.is_some() && raw.providers.contains_key(slug) {
            continue;
        }
        // One of the operator's own, or one that no price list has.
        let given = config.providers.iter().find(|given| given.slug == slug);
        if given.is_some() || built_in.is_some() {
            let own = own_provider(given, built_in);
            overlay.providers.insert(slug.to_owned(), own);
        }
    }
    Snapshot::build(raw, &[overlay])
        .map(|snapshot| snapshot.with_sort_suffixes(strategies::suffixes()))
        .map_err(|problems| {
            config
                .located(problems.iter().map(ToString::to_string))
                .into()
        })
}

/// What the catalog must know of a provider that it does not list: what the
/// configuration says, else what is built in.
fn own_provider(
    given: Option<&ProviderConfig>,
    built_in: Option<&dyn Provider>,
) -> OverlayProvider {
    let format = given.and_then(|given| given.format).or_else(|| {
        let interface = built_in?.interfaces("").first()?;
        Some(interface.format)
    });
    OverlayProvider {
        base_url: given
            .and_then(|given| given.base_url.clone())
            .or_else(|| Some(built_in?.base_url()?.to_owned())),
        format: format.map(|format| format.slug().to_owned()),
        ..OverlayProvider::default()
    }
}

fn join(problems: &[bourse_catalog::Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Builds a market.
pub fn build(
    config: &Config,
    providers: &Providers,
    memory: &Memory,
    tokens: &Tokens,
) -> Result<Built, Error> {
    let catalog = Arc::new(catalog(config)?);
    let defaults = defaults(config, &catalog)?;
    let setups = match providers {
        Providers::Configured => configured(config, tokens)?,
        Providers::Simulated(address) => simulated(*address, &catalog),
    };
    let egress = egress(config, &setups);
    let (market, problems) = Market::build(catalog, setups, config.markup_ppm, memory);
    // Nothing can fail any more.
    tokens.keep_only(config);
    Ok(Built {
        market: market.with_defaults(defaults),
        egress,
        problems,
    })
}

/// What calls of some models have without asking for it.
fn defaults(config: &Config, catalog: &Snapshot) -> Result<Vec<(ModelIx, Defaults)>, Error> {
    let models = |key: &str, names: &[String]| -> Result<Vec<ModelIx>, Error> {
        let model = |name: &String| {
            let resolution = catalog.resolve(name);
            resolution
                .map(|resolution| resolution.model)
                .ok_or_else(|| {
                    let problem = format!("options.{key}: there is no model `{name}`");
                    config.located([problem]).into()
                })
        };
        names.iter().map(model).collect()
    };
    let continues = models("continues", &config.continues)?;
    let hedges = models("hedges", &config.hedges)?;
    let mut all: Vec<_> = continues.iter().chain(&hedges).copied().collect();
    all.sort_by_key(|model| model.0);
    all.dedup();
    let of = |model: ModelIx| Defaults {
        continues: continues.contains(&model),
        hedges: hedges.contains(&model),
    };
    Ok(all.into_iter().map(|model| (model, of(model))).collect())
}

/// Which addresses may be called: those of vendors, and what the operator
/// wrote, which may be a private one.
pub fn egress(config: &Config, setups: &[ProviderSetup]) -> EgressPolicy {
    let mut egress = EgressPolicy::by(&config.roads);
    for setup in setups
        .iter()
        .filter(|setup| setup.simulated || is_operators(config, setup))
    {
        if let Ok((origin, _)) = Origin::parse_operator(&setup.base_url) {
            egress.allow_origin(&origin.with_http2(setup.http2));
        }
    }
    egress
}

/// Whether the operator wrote the address, so that it may be a private one.
fn is_operators(config: &Config, setup: &ProviderSetup) -> bool {
    config
        .providers
        .iter()
        .any(|provider| provider.slug == setup.provider.slug() && provider.base_url.is_some())
}

/// Every provider that is configured, and what it takes to call it.
pub fn configured(config: &Config, tokens: &Tokens) -> Result<Vec<ProviderSetup>, Error> {
    let built_in = enabled(config).filter_map(|provider| {
        let given = config
            .providers
            .iter()
            .find(|given| given.slug == provider.slug());
        let mut keys = given.map(|given| given.keys.clone()).unwrap_or_default();
        let has_other =
            given.is_some_and(|given| given.key_pair.is_some() || given.identity.is_some());
        if keys.is_empty() && !has_other {
            let ambient = config.ambient_keys.get(provider.slug());
            keys.extend(ambient.cloned());
        }
        if given.is_none() && keys.is_empty() {
            return None;
        }
        // A place that is wrong has been refused with the configuration.
        let placed = given.and_then(|given| provider.placed(&given.place).ok()?);
        let provider = placed.unwrap_or_else(|| Arc::new(provider));
        Some(setup(config, provider, given, keys, tokens))
    });
    let own = config.providers.iter().filter_map(|given| {
        if bourse_providers::by_slug(&given.slug).is_some() {
            return None;
        }
        if let Some(azure) = &given.kind {
            let azure = Arc::new(azure.clone());
            return Some(setup(
                config,
                azure,
                Some(given),
                given.keys.clone(),
                tokens,
            ));
        }
        let base_url = given.base_url.as_deref()?;
        let format = given.format.unwrap_or(Format::OpenAiChat);
        let provider = Compatible::operators_own(&given.slug, base_url, format)
            .goes_on(given.prefill.unwrap_or_default());
        let keys = given.keys.clone();
        Some(setup(config, Arc::new(provider), Some(given), keys, tokens))
    });
    built_in.chain(own).collect()
}

fn setup(
    config: &Config,
    provider: Arc<dyn Provider>,
    given: Option<&ProviderConfig>,
    mut keys: Vec<ProviderKey>,
    tokens: &Tokens,
) -> Result<ProviderSetup, Error> {
    let pair = given.and_then(|given| given.key_pair.clone());
    let pair = pair.map(|pair| Credential::KeyPair {
        id: pair.id,
        secret: pair.secret,
        session: pair.session,
    });
    let identity = given.and_then(|given| given.identity.as_ref().zip(Some(given)));
    let rotating = identity.map(|(identity, given)| {
        tokens.credential(provider.slug(), identity, &By::of(config, given))
    });
    let rotating = rotating.transpose()?;
    if keys.is_empty() && pair.is_none() && rotating.is_none() {
        keys.push(ProviderKey {
            key: Key::new(""),
            weight: 1,
            source: String::new(),
        });
    }
    let base_url = given
        .and_then(|given| given.base_url.clone())
        .or_else(|| provider.base_url().map(str::to_owned))
        .unwrap_or_default();
    Ok(ProviderSetup {
        credentials: keys
            .into_iter()
            .map(|given| Weighted {
                credential: provider.credential(given.key),
                weight: given.weight,
            })
            .chain(pair.map(Weighted::from))
            .chain(rotating.map(Weighted::from))
            .collect(),
        base_url,
        http2: given.and_then(|given| given.http2).unwrap_or(Http2::Auto),
        on_disconnect: given
            .and_then(|given| given.on_disconnect)
            .unwrap_or_else(|| provider.on_disconnect()),
        private_urls: given.is_some_and(|given| given.private_urls),
        via: given.and_then(|given| given.via.clone()),
        simulated: false,
        provider,
    })
}

/// Every provider of the catalog, played by a simulator, so that whatever is
/// listed can be tried. Addresses keep their paths: a simulator knows by them
/// what it is asked for. Who is not built in, or needs an address of the
/// operator's own, is played as a server that imitates OpenAI.
fn simulated(address: SocketAddr, catalog: &Snapshot) -> Vec<ProviderSetup> {
    let play = |provider: Arc<dyn Provider>, path: &str| ProviderSetup {
        credentials: vec![provider.credential(Key::new("simulated")).into()],
        base_url: played_at(address, provider.slug(), path),
        http2: Http2::Never,
        on_disconnect: Disconnect::Cancel,
        private_urls: false,
        via: Some(Via::Straight),
        simulated: true,
        provider,
    };
    let built_in = bourse_providers::all().filter_map(|provider| {
        let (_, path) = Origin::parse(provider.base_url()?).ok()?;
        let place = Place {
            project: provider.needs_project().then(|| "simulated".to_owned()),
            ..Place::default()
        };
        let placed = provider.placed(&place).ok()?;
        Some(play(placed.unwrap_or_else(|| Arc::new(provider)), &path))
    });
    let built_in: Vec<_> = built_in.collect();
    let is_known = |slug: &str| built_in.iter().any(|known| known.provider.slug() == slug);
    let others = catalog.providers().filter(|listed| !is_known(&listed.slug));
    let others = others.map(|listed| {
        let url = played_at(address, &listed.slug, "/v1");
        let own = Compatible::operators_own(&listed.slug, &url, Format::OpenAiChat);
        play(Arc::new(own), "/v1")
    });
    let others: Vec<_> = others.collect();
    built_in.into_iter().chain(others).collect()
}

/// Where a simulator plays a provider; `/p/` and its slug is its convention.
fn played_at(address: SocketAddr, slug: &str, path: &str) -> String {
    format!("http://{address}/p/{slug}{}", path.trim_end_matches('/'))
}
