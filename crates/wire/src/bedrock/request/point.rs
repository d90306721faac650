//! Breakpoints, which are blocks of their own here, and what a block is.

use bourse_vocab::chat::CacheControl;
use bourse_vocab::json;
use bourse_vocab::json::Value;

use super::super::model::Model;

/// The only member of a breakpoint.
pub const POINT: &str = "cachePoint";

/// A breakpoint, if the model takes them.
pub fn cache_point(model: &Model, cache: &CacheControl) -> Option<Value> {
    if !model.caches() {
        return None;
    }
    let ttl = cache.ttl.as_deref().filter(|_| model.is_claude());
    Some(match ttl {
        Some(ttl) => json!({POINT: {"type": "default", "ttl": ttl}}),
        None => json!({POINT: {"type": "default"}}),
    })
}

/// The only member of a block, which says what it is.
pub fn kind(block: &Value) -> Option<&str> {
    let (name, _) = block.as_object()?.iter().next()?;
    Some(name)
}
