//! What can be understood, and is hardly meant.

use bourse_net::Origin;
use bourse_vocab::Format;

use super::near::nearest;
use super::problem::{Finding, Level};
use super::raw::RawProvider;
use super::secret::reference;
use super::{Config, RawConfig};

/// What the formats put behind an address.
const ENDS: &[&str] = &[
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/embeddings",
    "/images/generations",
    "/audio/transcriptions",
    "/audio/speech",
];
/// Formats whose addresses carry a version that is not added to them.
const VERSIONED: &[Format] = &[
    Format::OpenAiChat,
    Format::OpenAiResponses,
    Format::Anthropic,
    Format::Gemini,
];

pub(super) fn all(raw: &RawConfig, config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    for (slug, provider) in &raw.providers {
        if !provider.disabled.unwrap_or(false) {
            found.extend(address(slug, provider));
        }
    }
    models(raw, config, &mut found);
    found
}

fn doubt(path: String, sentence: String) -> Finding {
    let finding = Finding::new(path, sentence);
    Finding {
        level: Level::Warning,
        ..finding
    }
}

fn address(slug: &str, provider: &RawProvider) -> Option<Finding> {
    let url = provider.base_url.as_deref()?;
    let path = format!("providers.{slug}.base_url");
    if url.contains("${") || url.starts_with('$') || url.starts_with("os.environ/") {
        let name = reference(url.trim()).unwrap_or("NAME");
        let sentence = "a variable is not put in here; it is text as it stands".to_owned();
        let help = format!(
            "take the key out of the file and set {}=\"${name}\" where the server is started",
            super::source::variable(&path)
        );
        return Some(Finding::new(path, sentence).helped(help));
    }
    let (origin, written) = Origin::parse_operator(url).ok()?;
    let written = written.trim_end_matches('/');
    if let Some(end) = ENDS.iter().find(|end| written.ends_with(*end)) {
        let without = url.trim_end_matches('/').strip_suffix(end).unwrap_or(url);
        let sentence = format!("{end} is added to the address, and would be there twice");
        return Some(doubt(path, sentence).helped(format!("write base_url = \"{without}\"")));
    }
    if let bourse_net::OriginHost::Ip(std::net::IpAddr::V4(ip)) = origin.host()
        && ip.is_link_local()
    {
        let sentence =
            format!("{ip} is an address of this one link, where clouds have their metadata");
        return Some(doubt(path, sentence));
    }
    let built_in = bourse_providers::by_slug(slug);
    let usual = built_in.and_then(|provider| Some(provider.base_url()?.to_owned()));
    let wants_version = match (&usual, built_in) {
        (Some(usual), _) => has_version(usual),
        (None, Some(_)) => false,
        (None, None) => {
            let format = provider.format.as_deref().and_then(Format::by_slug);
            provider.kind.is_none() && format.is_some_and(|format| VERSIONED.contains(&format))
        }
    };
    if !wants_version || has_version(written) {
        return None;
    }
    let sentence = "has no version in it, such as /v1; only what is asked for is added".to_owned();
    let help = match usual {
        Some(usual) => format!("the usual address is {usual}"),
        None => format!(
            "most servers want base_url = \"{}/v1\"",
            url.trim_end_matches('/')
        ),
    };
    Some(doubt(path, sentence).helped(help))
}

/// Whether a path has a part such as `v1`, `v1beta` or `2024-10-21`.
fn has_version(url: &str) -> bool {
    url.split('/').any(|part| {
        let digits = part.strip_prefix('v').unwrap_or(part);
        digits.starts_with(|char: char| char.is_ascii_digit()) && !part.contains([':', '.'])
    })
}

fn models(raw: &RawConfig, config: &Config, found: &mut Vec<Finding>) {
    let mut seen = std::collections::HashMap::new();
    for (index, model) in raw.models.iter().enumerate() {
        if let Some(first) = seen.insert(model.slug.as_str(), index) {
            let sentence =
                format!("models[{first}] has this name too; what both say is laid over each other");
            found.push(doubt(format!("models[{index}].slug"), sentence));
        }
        for (place, endpoint) in model.endpoints.iter().enumerate() {
            let path = format!("models[{index}].endpoints[{place}].provider");
            found.extend(endpoint_at(config, &endpoint.provider, path));
        }
    }
}

/// An endpoint at somebody who is not called.
fn endpoint_at(config: &Config, slug: &str, path: String) -> Option<Finding> {
    let built_in = bourse_providers::by_slug(slug);
    if config.disabled.iter().any(|disabled| disabled == slug) {
        let help = format!("take `disabled = true` out of [providers.{slug}]");
        let sentence = format!("{slug} is switched off, and this endpoint with it");
        let finding = doubt(path, sentence).helped(help);
        return Some(match built_in {
            Some(_) => finding,
            // Nothing else is known of it, such as its format.
            None => Finding {
                level: Level::Error,
                ..finding
            },
        });
    }
    let is_set_up = config.providers.iter().any(|given| given.slug == slug)
        || config.ambient_keys.contains_key(slug);
    let built_in = built_in.filter(|_| !is_set_up)?;
    let sentence = format!("{slug} has no key here, so this endpoint cannot be called");
    let help = match built_in.env().first() {
        Some(variable) => format!("set {variable}, or write [providers.{slug}]"),
        None => format!("write [providers.{slug}]"),
    };
    Some(doubt(path, sentence).helped(help))
}

/// A mistake that the catalog found, with what was probably meant.
pub(super) fn meant(config: &Config, problem: &str) -> Finding {
    let finding = Finding::told(Level::Error, problem);
    let Some(rest) = finding.sentence.strip_prefix("there is no provider \"") else {
        return finding;
    };
    let own = config.providers.iter().map(|given| given.slug.as_str());
    let known = own.chain(bourse_providers::all().map(|known| known.slug()));
    let near = rest.split('"').next().and_then(|slug| nearest(slug, known));
    match near.map(str::to_owned) {
        Some(near) => finding.helped(format!("did you mean \"{near}\"?")),
        None => finding,
    }
}
