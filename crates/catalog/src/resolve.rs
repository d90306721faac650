//! From the name in a request to a model, and to how it should be routed.
//!
//! A suffix is either part of the catalogue (`:free` is another row, with
//! its own price) or a wish about routing (`:nitro` is the same row, sorted
//! by throughput). They combine in any order; at most one may be of the
//! first kind, and of the wishes about order the last one counts (OpenRouter,
//! model variants, October 2026). Which wishes about order there are is not
//! known here: whoever routes says so ([`Snapshot::with_sort_suffixes`]).

use crate::model::{CatalogVariant, ModelIx};
use crate::slug::SLUG_BYTES_MAX;
use crate::snapshot::Snapshot;

/// Wishes about routing that came with the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RoutingVariants {
    /// The last wish about order, of those that the snapshot was told of.
    pub sort: Option<&'static str>,
    /// `:online`: search the web.
    pub online: bool,
}

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resolution {
    /// The model.
    pub model: ModelIx,
    /// Wishes about routing.
    pub routing: RoutingVariants,
}

/// Suffixes in one name: more than there are, and none is needed twice.
const SUFFIXES_MAX: usize = 8;

impl Snapshot {
    /// Finds the model that `name` means: a slug, an alias, or either of
    /// them with variants. Upper case is forgiven. `None` if there is no
    /// such model, suffix or catalogue variant. Allocates nothing.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Resolution> {
        if let Some(model) = self.model_ix(name) {
            return Some(Resolution {
                model,
                routing: RoutingVariants::default(),
            });
        }
        let mut buffer = [0_u8; SLUG_BYTES_MAX];
        let lower = buffer.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let name = std::str::from_utf8(lower).ok()?;
        if let Some(model) = self.model_ix(name) {
            return Some(Resolution {
                model,
                routing: RoutingVariants::default(),
            });
        }
        self.resolve_suffixes(name)
    }

    fn resolve_suffixes(&self, name: &str) -> Option<Resolution> {
        let mut parts = name.split(':');
        let base = parts.next()?;
        let mut catalog = None;
        let mut routing = RoutingVariants::default();
        for (count, suffix) in parts.enumerate() {
            if count >= SUFFIXES_MAX {
                return None;
            }
            if suffix == "online" {
                routing.online = true;
            } else if let Some(sort) = self.sort_suffix(suffix) {
                routing.sort = Some(sort);
            } else {
                let variant = CatalogVariant::by_suffix(suffix)?;
                if catalog.replace(variant).is_some() {
                    return None;
                }
            }
        }
        let base_ix = self.model_ix(base);
        let model = match catalog {
            None => base_ix?,
            Some(variant) => {
                // An alias of the plain model also names its variants.
                let base = base_ix.map_or(base, |ix| &*self.model(ix).slug);
                self.variant_ix(base, variant)?
            }
        };
        Some(Resolution { model, routing })
    }

    /// The row `base:variant`.
    fn variant_ix(&self, base: &str, variant: CatalogVariant) -> Option<ModelIx> {
        let mut buffer = [0_u8; SLUG_BYTES_MAX];
        let mut length = 0;
        for part in [base, ":", variant.suffix()] {
            let end = length + part.len();
            buffer
                .get_mut(length..end)?
                .copy_from_slice(part.as_bytes());
            length = end;
        }
        self.model_ix(std::str::from_utf8(buffer.get(..length)?).ok()?)
    }
}

#[cfg(test)]
mod tests;
