//! What LiteLLM's table says of how an offer is sold: over which interface, and
//! in which tiers of service.

use bourse_vocab::ServiceTier;

use crate::interface::Interface;
use crate::price::{Prices, ServicePrices, Tier};

use super::merge::without_nonsense;

/// Reads the prices of every tier of service. `prices` reads the columns with
/// an ending; `lengths` are the endings of longer prompts.
pub(super) fn read(
    mut prices: impl FnMut(&str) -> Prices,
    lengths: &[(&str, u64)],
) -> Vec<ServicePrices> {
    let mut services = Vec::new();
    for service in ServiceTier::ALL {
        let name = service.name();
        let mut base = prices(&format!("_{name}"));
        without_nonsense(&mut base);
        // Half a price list would sell the other half at the usual price.
        if !base.is_known() {
            continue;
        }
        let mut tiers = Vec::new();
        for (length, min_prompt_tokens) in lengths {
            let mut prices = prices(&format!("{length}_{name}"));
            without_nonsense(&mut prices);
            if !prices.is_empty() {
                tiers.push(Tier {
                    min_prompt_tokens: *min_prompt_tokens,
                    prices,
                });
            }
        }
        services.push(ServicePrices {
            service,
            base,
            tiers,
        });
    }
    services
}

/// Over which interface a row is sold, if that is another than chat. Where the
/// table names the paths they count, else its word for the kind of row.
/// Gateways and Google's API answer requests of chat with whatever it is.
pub(super) fn interface(mode: Option<&str>, paths: &[String], provider: &str) -> Option<Interface> {
    let has = |path: &str| paths.iter().any(|p| p.ends_with(path));
    if has("/chat/completions") || !matches!(provider, "openai" | "azure") {
        return None;
    }
    match mode {
        Some("responses") => Some(Interface::Responses),
        Some("image_generation") => Some(Interface::Images),
        _ if has("/responses") => Some(Interface::Responses),
        _ => None,
    }
}
