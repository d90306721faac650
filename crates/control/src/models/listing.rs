//! The rendered list: a megabyte of JSON that changes only with the
//! catalog and with what is configured, so each model is written once for
//! each edition of both.

use std::cmp::Reverse;
use std::sync::Arc;

use bourse_catalog::{Endpoint, EndpointIx, ModelIx, Snapshot};
use bourse_vocab::{Failure, PicosPerUnit};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::{ModelBody, details};
use super::headline::{self, Limits};
use crate::backend::Backend;
use crate::error::Result;
use crate::kept::{Edition, Kept};
use crate::pricing::with_markup;
use crate::reply::Written;

/// A list of models.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct ModelList {
    #[schemars(with = "Vec<ModelBody<'static>>")]
    pub(super) data: Vec<Arc<RawValue>>,
    /// On all pages together
    pub(super) total_count: usize,
    pub(super) links: Links,
    pub(super) object: Object,
}

/// Where to go on from a page.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Links {
    /// The path of the next page
    pub(super) next: Option<String>,
}

/// OpenAI's word for what is returned.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Object {
    List,
}

/// A listed model, or an alias of one.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) model: ModelIx,
    /// The name under which it is listed.
    pub(crate) id: Box<str>,
    /// The endpoint that stands for it.
    pub(crate) best: EndpointIx,
    /// What a customer pays there for an input token.
    pub(crate) prompt: PicosPerUnit,
    /// And for an output token.
    pub(crate) completion: PicosPerUnit,
    /// What may be asked of it.
    pub(crate) limits: Limits,
    pub(crate) json: Arc<RawValue>,
}

/// Everything that is listed, of one edition.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) catalog: Arc<Snapshot>,
    /// Newest first; those whose age is not known last.
    pub(crate) offers: Vec<Offer>,
    /// The answer to a request without arguments.
    pub(crate) usual: Written<ModelList>,
}

/// The last rendered list.
#[derive(Debug, Default)]
pub(crate) struct Listing(Kept<Edition, Arc<Rendered>>);

impl Listing {
    /// The list of the catalog in force, and of what can be called.
    pub(crate) fn of(&self, backend: &dyn Backend) -> Result<Arc<Rendered>> {
        self.0.of(Edition::of(backend), || {
            render(backend)
                .map(Arc::new)
                .map_err(|error| Failure::server(format!("the list of models: {error}")).into())
        })
    }
}

/// A name for people: `~anthropic/claude-opus-latest` is Claude Opus Latest.
fn name_of(alias: &str) -> String {
    let bare = alias.split_once('/').map_or(alias, |(_, bare)| bare);
    let words = bare.split('-').map(|word| match word {
        "gpt" | "glm" => word.to_ascii_uppercase(),
        _ => {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    });
    words.collect::<Vec<String>>().join(" ")
}

fn render(backend: &dyn Backend) -> Result<Rendered, serde_json::Error> {
    let (catalog, markup_ppm) = (backend.catalog(), backend.markup_ppm());
    let mut models: Vec<_> = catalog.models().collect();
    models.sort_by_key(|model| (Reverse(model.created), &model.slug));
    let mut offers = Vec::with_capacity(models.len());
    for model in models {
        let is_here = |endpoint: &Endpoint| backend.callable(&endpoint.id);
        let Some((best, limits)) = headline::of(&catalog, model, is_here) else {
            continue;
        };
        let price = |price: Option<PicosPerUnit>| {
            with_markup(price.unwrap_or(PicosPerUnit::FREE), markup_ppm)
        };
        let body = || ModelBody::new(model, best, limits, markup_ppm);
        let mut offer = |id: &str, body: &ModelBody<'_>| {
            offers.push(Offer {
                model: model.ix,
                id: id.into(),
                best: best.ix,
                prompt: price(best.prices.base.prompt),
                completion: price(best.prices.base.completion),
                limits,
                json: serde_json::value::to_raw_value(body)?.into(),
            });
            Ok::<_, serde_json::Error>(())
        };
        offer(&model.slug, &body())?;
        // Names that follow a family's newest model; other aliases are just
        // other spellings.
        for alias in model.aliases.iter().filter(|alias| alias.starts_with('~')) {
            let name = name_of(alias);
            offer(alias, &body().under(alias, &name, details(alias)))?;
        }
    }
    let usual: Vec<Arc<RawValue>> = offers
        .iter()
        .filter(|offer| catalog.model(offer.model).has_text_output())
        .map(|offer| Arc::clone(&offer.json))
        .collect();
    let usual = Written::new(&ModelList {
        total_count: usual.len(),
        data: usual,
        links: Links { next: None },
        object: Object::List,
    })?;
    Ok(Rendered {
        usual,
        catalog,
        offers,
    })
}
