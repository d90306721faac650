//! `GET /providers`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Public;
use crate::error::Result;
use crate::kept::Edition;
use crate::reply::{Data, Written};
use crate::route::{Operation, Route};
use crate::schema::Null;
use crate::state::{ControlState, Shared};

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/providers",
        Operation::new("Providers", "Lists providers")
            .about("Every provider that the catalog knows, configured here or not."),
        all,
    )]
}

/// A service that models are called at.
// OpenRouter's API document, October 2026.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub(crate) struct ProviderBody {
    name: String,
    slug: String,
    privacy_policy_url: Option<String>,
    terms_of_service_url: Option<String>,
    status_page_url: Option<String>,
    headquarters: Option<String>,
    /// Not in the catalog.
    #[schemars(with = "Null")]
    datacenters: Option<()>,
}

/// The list as it is kept.
pub(crate) type ProviderList = Written<Data<Vec<ProviderBody>>>;

async fn all(state: Shared, _: Public) -> Result<ProviderList> {
    let edition = Edition::of(&*state.backend);
    state.providers.of(edition, || written(&state))
}

fn written(state: &ControlState) -> Result<ProviderList> {
    let text = |text: &Option<_>| -> Option<String> { text.as_deref().map(str::to_owned) };
    let catalog = state.backend.catalog();
    let data = catalog.providers().map(|provider| ProviderBody {
        name: provider.name.to_string(),
        slug: provider.slug.to_string(),
        privacy_policy_url: text(&provider.privacy_url),
        terms_of_service_url: text(&provider.terms_url),
        status_page_url: text(&provider.status_url),
        headquarters: text(&provider.headquarters),
        datacenters: None,
    });
    let data = data.collect();
    Written::of(&Data { data })
}
