//! The rendered list: a megabyte of JSON that changes only with the
//! catalog, so each model is written once for each catalog.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use bourse_catalog::{Endpoint, EndpointIx, ModelIx, Snapshot};
use bourse_vocab::{Failure, PicosPerUnit};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::body::ModelBody;
use crate::backend::Backend;
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

/// A listed model.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) model: ModelIx,
    /// The endpoint that stands for it: the cheapest.
    pub(crate) best: EndpointIx,
    /// What a customer pays there for an input token.
    pub(crate) prompt: PicosPerUnit,
    /// And for an output token.
    pub(crate) completion: PicosPerUnit,
    pub(crate) json: Arc<RawValue>,
}

/// Everything that is listed, of one catalog.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) catalog: Arc<Snapshot>,
    markup_ppm: u64,
    /// Newest first.
    pub(crate) offers: Vec<Offer>,
    /// The answer to a request without arguments.
    pub(crate) usual: Written<ModelList>,
}

/// The last rendered list.
#[derive(Debug, Default)]
pub(crate) struct Listing(Mutex<Option<Arc<Rendered>>>);

impl Listing {
    /// The list of the catalog in force.
    pub(crate) fn of(&self, backend: &dyn Backend) -> Result<Arc<Rendered>, Failure> {
        let (catalog, markup_ppm) = (backend.catalog(), backend.markup_ppm());
        // Held while rendering, so that it is done once: some milliseconds
        // after a change of catalog, on the control plane's own threads.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rendered) = &*kept
            && rendered.catalog.version() == catalog.version()
            && rendered.markup_ppm == markup_ppm
        {
            return Ok(Arc::clone(rendered));
        }
        let rendered = render(catalog, markup_ppm)
            .map_err(|error| Failure::server(format!("the list of models: {error}")))?;
        let rendered = Arc::new(rendered);
        *kept = Some(Arc::clone(&rendered));
        Ok(rendered)
    }
}

/// Dollars for an input and an output token together.
fn worth(endpoint: &Endpoint) -> u64 {
    let price = |price: Option<PicosPerUnit>| price.map_or(u64::MAX, |p| p.0);
    let base = &endpoint.prices.base;
    price(base.prompt).saturating_add(price(base.completion))
}

/// The endpoint that stands for a model: the cheapest that may be called.
pub(super) fn best(endpoints: &[Endpoint]) -> Option<&Endpoint> {
    let callable = endpoints.iter().filter(|endpoint| endpoint.is_callable());
    callable.min_by_key(|endpoint| worth(endpoint))
}

fn render(catalog: Arc<Snapshot>, markup_ppm: u64) -> Result<Rendered, serde_json::Error> {
    let mut models: Vec<_> = catalog.models().collect();
    models.sort_by_key(|model| (Reverse(model.created), &model.slug));
    let mut offers = Vec::with_capacity(models.len());
    for model in models {
        let Some(best) = best(catalog.endpoints(model.ix)) else {
            continue;
        };
        let body = ModelBody::new(model, best, markup_ppm);
        let price = |price: Option<PicosPerUnit>| {
            with_markup(price.unwrap_or(PicosPerUnit::FREE), markup_ppm)
        };
        offers.push(Offer {
            model: model.ix,
            best: best.ix,
            prompt: price(best.prices.base.prompt),
            completion: price(best.prices.base.completion),
            json: serde_json::value::to_raw_value(&body)?.into(),
        });
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
        markup_ppm,
        offers,
    })
}
