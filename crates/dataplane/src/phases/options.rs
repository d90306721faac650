//! Members of a request for one provider alone (`provider.options`:
//! openrouter.ai/docs, TypeScript SDK, `Provider`, October 2026: those of the
//! provider that is asked are spread into its request).
//!
//! What a provider may be sent so is what it may be sent at all: the members on
//! the list of its dialect (`Dialect::accepts`), none of which costs anything
//! that is not counted. Everything else is refused by its name, because whoever
//! writes to one provider wants it to read that.

use bourse_routing::preferences::Preferences;
use bourse_vocab::json::Map;
use bourse_vocab::{Failure, Next, Operation};
use bourse_wire::dialect::members;
use bourse_wire::json::scan;
use bourse_wire::json::splice::Splice;
use bytes::Bytes;

use crate::endpoints::Prepared;
use crate::market::{Market, Target};
use crate::way::Way;

/// Refuses options that no provider is sent, and those for nobody.
///
/// # Errors
/// Names the provider, the member and the remedy.
pub fn check(market: &Market, wishes: &Preferences) -> Result<(), Failure> {
    for (slug, options) in &wishes.options {
        if market.catalog.provider_by_slug(slug).is_none() {
            return Err(Failure::invalid(format!(
                "provider.options.{slug}: there is no provider of this slug; GET /api/v1/providers lists them"
            )));
        }
        for (name, value) in options {
            let value = || Some(value.to_string().into_bytes().into());
            members::check(name, value).map_err(|mut failure| {
                failure.message = format!("provider.options.{slug}.{}", failure.message).into();
                failure
            })?;
        }
    }
    Ok(())
}

/// Puts the options for a target's provider into the request for it, in place
/// of members of their names.
///
/// # Errors
/// It is not known to take one of them; another target may answer.
pub(super) fn put(
    prepared: Prepared,
    wishes: &Preferences,
    (target, way): (&Target, &Way),
) -> Result<Prepared, Failure> {
    match wishes.options.get(&*target.provider.slug) {
        None => Ok(prepared),
        Some(options) => spread(prepared, &target.provider.slug, options, way),
    }
}

#[cold]
fn spread(
    mut prepared: Prepared,
    slug: &str,
    options: &Map,
    way: &Way,
) -> Result<Prepared, Failure> {
    let is_chat = matches!(way.operation, Operation::Chat | Operation::Text);
    let takes = |name: &str| is_chat && way.dialect.takes_option(way.format, name);
    if let Some(name) = options.keys().find(|name| !takes(name)) {
        return Err(Failure::invalid(format!(
            "provider.options.{slug}.{name}: the provider is not known to take it; remove it, or choose another provider"
        ))
        .next(Next::TryAnother));
    }
    let segments: Vec<Bytes> = prepared.body.iter().cloned().collect();
    let body = [Bytes::from(segments.concat())];
    let [whole] = &body;
    // Our own words; what was passed on was scanned when it came.
    let outline = scan(whole).map_err(|error| Failure::server(error.to_string()))?;
    let mut splice = Splice::new(&outline);
    for (name, value) in options {
        splice.set(name, value.to_string());
    }
    prepared.body = splice.write(&body).into_iter().collect();
    Ok(prepared)
}
