//! Models, endpoints, prices and capabilities, as immutable snapshots.
//!
//! What is known is written down as a [`RawCatalog`]: plain records keyed
//! by name, read from the embedded data files, imported from other price
//! lists, and corrected by an operator's [`Overlay`]s. [`Snapshot::build`]
//! checks all of it at once and compiles it into arrays and one hash map;
//! after that nothing changes and looking a model up allocates nothing.
//!
//! Nothing here opens a socket or a file, or asks what day it is.

pub mod data_policy;
mod date;
pub mod diff;
pub mod embedded;
pub mod holes;
pub mod image_tokens;
pub mod import;
mod interface;
pub mod model;
mod nearest;
pub mod overlay;
pub mod price;
mod problem;
pub mod quirks;
pub mod raw;
pub mod resolve;
mod set;
mod slug;
pub mod snapshot;

pub use data_policy::DataPolicy;
pub use image_tokens::ImageTokens;
pub use interface::Interface;
pub use model::{
    ApiFamily, CatalogVariant, EffortName, Efforts, Endpoint, EndpointIx, EndpointStatus,
    Modalities, Modality, Model, ModelIx, Parameter, Parameters, Provider, ProviderIx,
    Quantization, Reasoning,
};
pub use overlay::{Overlay, OverlayEndpoint, OverlayModel, OverlayPrice, OverlayProvider};
pub use price::{Fee, PriceKey, PriceList, Prices, SearchFees, SearchSize, ServicePrices, Tier};
pub use problem::Problem;
pub use raw::{RawCatalog, RawEndpoint, RawModel, RawPrice, RawProvider};
pub use resolve::{Resolution, RoutingVariants};
pub use slug::{SLUG_BYTES_MAX, is_slug};
pub use snapshot::{Catalog, Snapshot};
