//! The catalogue as it is used: arrays, and one map from names.

use std::collections::BTreeMap;
use std::sync::Arc;

use self::names::{Names, content_hash};
use crate::interface::Interface;
use crate::model::{
    CatalogVariant, Endpoint, EndpointIx, Modalities, Modality, Model, ModelIx, Parameters,
    Provider, ProviderIx,
};
use crate::overlay::{self, Overlay};
use crate::price::{PriceList, TIERS_MAX};
use crate::problem::Problem;
use crate::quirks;
use crate::raw::{RawCatalog, RawEndpoint, RawModel, RawProvider};
use crate::slug::{is_provider_slug, is_slug};

mod names;

/// A snapshot that many hold at once.
pub type Catalog = Arc<Snapshot>;

/// Everything that is known at one moment; never changes.
#[derive(Debug)]
pub struct Snapshot {
    version: u64,
    models: Vec<Model>,
    endpoints: Vec<Endpoint>,
    providers: Vec<Provider>,
    by_name: Names<ModelIx>,
    by_provider: Names<ProviderIx>,
    sort_suffixes: Box<[&'static str]>,
}

impl Snapshot {
    /// Lays `overlays` over `base`, first to last, checks everything and
    /// compiles it.
    ///
    /// # Errors
    /// Every mistake there is, not only the first.
    pub fn build(base: RawCatalog, overlays: &[Overlay]) -> Result<Self, Vec<Problem>> {
        let mut raw = base;
        let mut problems = Vec::new();
        for (index, overlay) in overlays.iter().enumerate() {
            // With one overlay, which is the usual case, paths are those of
            // the configuration file.
            let prefix = match overlays.len() {
                1 => String::new(),
                _ => format!("overlays[{index}]."),
            };
            overlay::apply(&mut raw, overlay, &prefix, &mut problems);
        }
        // Mistakes of an overlay cause others further down; report only the
        // causes.
        if !problems.is_empty() {
            return Err(problems);
        }
        Builder::default().build(raw)
    }

    /// Tells the snapshot which suffixes of a model's name are wishes about
    /// the order of its endpoints.
    #[must_use]
    pub fn with_sort_suffixes(mut self, suffixes: impl IntoIterator<Item = &'static str>) -> Self {
        self.sort_suffixes = suffixes.into_iter().collect();
        self
    }

    /// One of those suffixes.
    pub(crate) fn sort_suffix(&self, suffix: &str) -> Option<&'static str> {
        let mut known = self.sort_suffixes.iter();
        known.find(|known| **known == suffix).copied()
    }

    /// A hash of all that is in it: equal contents, equal version, on every
    /// machine.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The model at `ix`, which must come from this snapshot: a stale index
    /// leads to another model, or to the last one.
    #[must_use]
    pub fn model(&self, ix: ModelIx) -> &Model {
        at(&self.models, ix.0 as usize)
    }

    /// The endpoint at `ix`, which must come from this snapshot.
    #[must_use]
    pub fn endpoint(&self, ix: EndpointIx) -> &Endpoint {
        at(&self.endpoints, ix.0 as usize)
    }

    /// The provider at `ix`, which must come from this snapshot.
    #[must_use]
    pub fn provider(&self, ix: ProviderIx) -> &Provider {
        at(&self.providers, usize::from(ix.0))
    }

    /// The endpoints of a model, in order of their ids.
    #[must_use]
    pub fn endpoints(&self, model: ModelIx) -> &[Endpoint] {
        let range = &self.model(model).endpoints;
        self.endpoints
            .get(range.start as usize..range.end as usize)
            .unwrap_or(&[])
    }

    /// Every model, in order of slugs.
    pub fn models(&self) -> impl ExactSizeIterator<Item = &Model> {
        self.models.iter()
    }

    /// Every endpoint, grouped by model.
    pub fn all_endpoints(&self) -> impl ExactSizeIterator<Item = &Endpoint> {
        self.endpoints.iter()
    }

    /// Every provider, in order of slugs.
    pub fn providers(&self) -> impl ExactSizeIterator<Item = &Provider> {
        self.providers.iter()
    }

    /// The model with exactly this slug or alias, without variants.
    #[must_use]
    pub fn model_ix(&self, name: &str) -> Option<ModelIx> {
        self.by_name.get(name).copied()
    }

    /// The provider with this slug, alias, or name in lower case.
    #[must_use]
    pub fn provider_by_slug(&self, slug: &str) -> Option<&Provider> {
        self.by_provider.get(slug).map(|&ix| self.provider(ix))
    }
}

/// An index is only ever made by the snapshot that it is used with, and no
/// snapshot is empty where one was made, so the fallback is not reached.
fn at<T>(items: &[T], index: usize) -> &T {
    let last = items.len().saturating_sub(1);
    #[allow(clippy::indexing_slicing)] // `last` is in range for any array that handed out an index.
    &items[index.min(last)]
}

/// What kind of request makes vectors, and nothing else, is no chat; nor are
/// those that order documents, judge, read aloud, write down or make films.
fn interface_of(output: Modalities) -> Interface {
    [
        (Modality::Embeddings, Interface::Embeddings),
        (Modality::Rerank, Interface::Rerank),
        (Modality::Decisions, Interface::Moderations),
        (Modality::Speech, Interface::Speech),
        (Modality::Transcription, Interface::Transcription),
        (Modality::Video, Interface::Videos),
    ]
    .into_iter()
    .find(|(modality, _)| output == Modalities::of(&[*modality]))
    .map_or(Interface::Chat, |(_, interface)| interface)
}

/// Collects what is wrong while compiling.
#[derive(Default)]
struct Builder {
    problems: Vec<Problem>,
    providers: Vec<Provider>,
    models: Vec<Model>,
    endpoints: Vec<Endpoint>,
    by_name: Names<ModelIx>,
    by_provider: Names<ProviderIx>,
}

impl Builder {
    fn build(mut self, raw: RawCatalog) -> Result<Snapshot, Vec<Problem>> {
        let version = content_hash(&raw);
        let RawCatalog {
            providers,
            models,
            endpoints,
        } = raw;
        // To the place: doubling would leave a third of what is kept unused.
        self.endpoints.reserve_exact(endpoints.len());
        self.models.reserve_exact(models.len());
        let mut policies = Vec::with_capacity(providers.len());
        for (slug, provider) in providers {
            policies.push(provider.data_policy.unwrap_or_default());
            self.provider(slug, provider);
        }
        let mut of_model: BTreeMap<String, Vec<(String, RawEndpoint)>> = BTreeMap::new();
        for (id, endpoint) in endpoints {
            if models.contains_key(&endpoint.model) {
                of_model
                    .entry(endpoint.model.clone())
                    .or_default()
                    .push((id, endpoint));
            } else {
                self.wrong(
                    format!("endpoints.{id}"),
                    format!("there is no model \"{}\"", endpoint.model),
                );
            }
        }
        let slugs: Vec<String> = models.keys().cloned().collect();
        for (slug, model) in models {
            let endpoints = of_model.remove(&slug).unwrap_or_default();
            self.model(slug, model, endpoints, &policies);
        }
        self.names(&slugs);
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(Snapshot {
            version,
            models: self.models,
            endpoints: self.endpoints,
            providers: self.providers,
            by_name: self.by_name,
            by_provider: self.by_provider,
            sort_suffixes: Box::default(),
        })
    }

    fn wrong(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn provider(&mut self, slug: String, raw: RawProvider) {
        let path = format!("providers.{slug}");
        if !is_provider_slug(&slug) {
            self.wrong(
                &path,
                "a provider's name has lower-case letters, digits, '.', '_' and '-'",
            );
        }
        let Ok(number) = u16::try_from(self.providers.len()) else {
            self.wrong(&path, "too many providers: at most 65,536");
            return;
        };
        let ix = ProviderIx(number);
        if raw
            .data_policy
            .is_some_and(|policy| policy.is_contradictory())
        {
            self.wrong(
                format!("{path}.data_policy"),
                "zero data retention excludes training and retention",
            );
        }
        // Slugs are inserted as they come, aliases must not take one away:
        // they are checked against all slugs in `names`.
        self.by_provider.insert(slug.as_str().into(), ix);
        let name = if raw.name.is_empty() {
            slug.clone()
        } else {
            raw.name
        };
        self.providers.push(Provider {
            ix,
            slug: slug.into(),
            aliases: raw.aliases.into_iter().map(Into::into).collect(),
            name: name.into(),
            env: raw.env.into_iter().map(Into::into).collect(),
            base_url: raw.base_url.map(Into::into),
            family: raw.family,
            is_gateway: raw.gateway,
            author: raw.author.map(Into::into),
            data_policy_source: raw.data_policy_source.map(Into::into),
            docs_url: raw.docs_url.map(Into::into),
            privacy_url: raw.privacy_url.map(Into::into),
            terms_url: raw.terms_url.map(Into::into),
            status_url: raw.status_url.map(Into::into),
            headquarters: raw.headquarters.map(Into::into),
        });
    }

    fn model(
        &mut self,
        slug: String,
        raw: RawModel,
        endpoints: Vec<(String, RawEndpoint)>,
        policies: &[crate::DataPolicy],
    ) {
        let path = format!("models.{slug}");
        if !is_slug(&slug) {
            self.wrong(&path, "a slug is author/model in lower case");
        }
        let variant = self.variant(&slug);
        if raw.output.is_empty() {
            self.wrong(format!("{path}.output_modalities"), "nothing comes out");
        }
        let start = self.endpoints.len();
        let ix = ModelIx(u32::try_from(self.models.len()).unwrap_or(u32::MAX));
        let slug: Arc<str> = slug.into();
        for (id, endpoint) in endpoints {
            self.endpoint(ix, &slug, &raw, id, endpoint, policies);
        }
        let offered = self.endpoints.get(start..).unwrap_or(&[]);
        let context_length = self.context_length(&slug, raw.context_length, offered);
        let supported_parameters = offered
            .iter()
            .fold(Parameters::EMPTY, |all, e| all.union(e.parameters));
        // A model that draws states none, whatever it may say beside its pictures.
        let draws = raw.output.contains(Modality::Image);
        if context_length == 0 && raw.output.contains(Modality::Text) && !draws {
            self.wrong(format!("{path}.context_length"), "missing or zero");
        }
        let index = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        self.models.push(Model {
            ix,
            canonical_slug: raw
                .canonical_slug
                .map_or_else(|| Arc::clone(&slug), Into::into),
            name: if raw.name.is_empty() {
                Box::from(&*slug)
            } else {
                raw.name.into()
            },
            slug,
            created: (raw.created > 0).then_some(raw.created),
            description: raw.description.unwrap_or_default().into(),
            context_length,
            max_output: raw.max_output,
            input_modalities: raw.input,
            output_modalities: raw.output,
            supported_parameters,
            tokenizer: raw.tokenizer.map(Into::into),
            knowledge_cutoff: raw.knowledge_cutoff.map(Into::into),
            expiration_date: raw.expiration_date.map(Into::into),
            open_weights: raw.open_weights,
            hugging_face_id: raw.hugging_face_id.map(Into::into),
            reasoning: raw.reasoning,
            aliases: raw.aliases.into_iter().map(Into::into).collect(),
            variant,
            endpoints: index(start)..index(self.endpoints.len()),
        });
    }

    /// The context that stands for a model: its maker's, or else the most
    /// that anyone who runs it offers; `stated` if nobody does.
    fn context_length(&self, slug: &str, stated: u64, offered: &[Endpoint]) -> u64 {
        let author = slug.split_once('/').map(|(author, _)| author);
        let most = |is_meant: &dyn Fn(&Provider) -> bool| {
            let meant = offered
                .iter()
                .filter(|endpoint| is_meant(at(&self.providers, usize::from(endpoint.provider.0))));
            meant.map(|endpoint| endpoint.context_length).max()
        };
        most(&|provider| provider.author.is_some() && provider.author.as_deref() == author)
            .filter(|&tokens| tokens > 0)
            .or_else(|| most(&|provider| !provider.is_gateway))
            .filter(|&tokens| tokens > 0)
            .unwrap_or(stated)
    }

    /// What the suffix of a slug means.
    fn variant(&mut self, slug: &str) -> Option<CatalogVariant> {
        let (_, suffix) = slug.split_once(':')?;
        let variant = CatalogVariant::by_suffix(suffix);
        if variant.is_none() {
            self.wrong(
                format!("models.{slug}"),
                format!("\":{suffix}\" is not one of :free, :batch, :thinking, :extended"),
            );
        }
        variant
    }

    fn endpoint(
        &mut self,
        model: ModelIx,
        slug: &Arc<str>,
        of: &RawModel,
        id: String,
        raw: RawEndpoint,
        policies: &[crate::DataPolicy],
    ) {
        let path = format!("endpoints.{id}");
        let Some(&provider) = self.by_provider.get(raw.provider.as_str()) else {
            self.wrong(path, format!("there is no provider \"{}\"", raw.provider));
            return;
        };
        self.check_names(&path, &id, &raw);
        let provider_slug = self.provider_slug(provider);
        let tag = if raw.tag.is_some() {
            Arc::from(raw.tag())
        } else {
            provider_slug
        };
        let prices: PriceList = raw.price.map(Into::into).unwrap_or_default();
        self.check_tiers(&path, &prices);
        let data_policy = raw.data_policy.unwrap_or_else(|| {
            policies
                .get(usize::from(provider.0))
                .copied()
                .unwrap_or_default()
        });
        if data_policy.is_contradictory() {
            self.wrong(
                format!("{path}.data_policy"),
                "zero data retention excludes training and retention",
            );
        }
        let Ok(number) = u32::try_from(self.endpoints.len()) else {
            self.wrong(path, "too many endpoints");
            return;
        };
        let ix = EndpointIx(number);
        let output_modalities = raw.output.unwrap_or(of.output);
        debug_assert!(id.starts_with(&**slug) || !self.problems.is_empty());
        self.endpoints.push(Endpoint {
            ix,
            id: id.into(),
            model,
            provider,
            upstream_model: raw.upstream_model.into(),
            tag,
            context_length: raw.context_length.unwrap_or(of.context_length),
            max_output: raw.max_output.or(of.max_output),
            max_prompt: raw.max_prompt,
            quantization: raw.quantization,
            prices,
            image_tokens: quirks::image_tokens::rule(slug),
            parameters: raw.parameters,
            input_modalities: raw.input.unwrap_or(of.input),
            output_modalities,
            data_policy,
            supports_implicit_caching: raw.implicit_caching,
            interface: raw
                .interface
                .unwrap_or_else(|| interface_of(output_modalities)),
            status: raw.status,
        });
    }

    fn check_names(&mut self, path: &str, id: &str, raw: &RawEndpoint) {
        let tag = raw.tag();
        let tag_is_of_provider = tag == raw.provider
            || tag
                .strip_prefix(raw.provider.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
        if !tag_is_of_provider {
            self.wrong(
                format!("{path}.tag"),
                format!("must be \"{0}\" or begin with \"{0}/\"", raw.provider),
            );
        }
        if id != raw.id() {
            self.wrong(
                path,
                format!("is filed under another name than {}", raw.id()),
            );
        }
        if raw.upstream_model.is_empty() {
            self.wrong(format!("{path}.upstream_model"), "missing");
        }
    }

    fn check_tiers(&mut self, path: &str, prices: &PriceList) {
        if prices.tiers.len() > TIERS_MAX {
            self.wrong(
                format!("{path}.price.tiers"),
                format!("more than {TIERS_MAX}"),
            );
        }
        let twice = prices.tiers.windows(2).any(|pair| match pair {
            [a, b] => a.min_prompt_tokens == b.min_prompt_tokens,
            _ => false,
        });
        if twice {
            self.wrong(
                format!("{path}.price.tiers"),
                "two tiers with the same threshold",
            );
        }
    }

    fn provider_slug(&self, ix: ProviderIx) -> Arc<str> {
        Arc::clone(&at(&self.providers, usize::from(ix.0)).slug)
    }

    /// Fills the maps from names: slugs first, so that no alias takes a
    /// slug away; a name claimed twice is a mistake.
    fn names(&mut self, slugs: &[String]) {
        for (model, slug) in self.models.iter().zip(slugs) {
            self.by_name.insert(slug.as_str().into(), model.ix);
        }
        let mut taken = Vec::new();
        for model in &self.models {
            for alias in &model.aliases {
                let previous = self.by_name.insert(alias.clone(), model.ix);
                if previous.is_some_and(|other| other != model.ix) {
                    taken.push((format!("models.{}.aliases", model.slug), alias.clone()));
                }
            }
            let canonical = &model.canonical_slug;
            if !self.by_name.contains_key(&**canonical) {
                self.by_name.insert(Box::from(&**canonical), model.ix);
            }
        }
        for provider in &self.providers {
            for alias in &provider.aliases {
                let previous = self.by_provider.insert(alias.clone(), provider.ix);
                if previous.is_some_and(|other| other != provider.ix) {
                    taken.push((
                        format!("providers.{}.aliases", provider.slug),
                        alias.clone(),
                    ));
                }
            }
        }
        // Callers also name providers as people do. Such a name gives way.
        for provider in &self.providers {
            let name = provider.name.to_ascii_lowercase();
            self.by_provider.entry(name.into()).or_insert(provider.ix);
        }
        for (path, alias) in taken {
            self.wrong(path, format!("\"{alias}\" already names another"));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
