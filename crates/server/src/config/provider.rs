//! What a provider's section means.

use bourse_net::Http2;
use bourse_providers::{Disconnect, Key, Place, Prefill, Signing};
use bourse_vocab::Format;

use super::{Environment, KeyPair, ProviderConfig, ProviderKey, RawProvider, RawSecret};

/// Keys of one provider. Each multiplies its endpoints, which plans of calls go
/// through.
const KEYS_MAX: usize = 16;

/// Makes sense of `[providers.<slug>]`; nothing if it is switched off.
pub(super) fn resolve(
    slug: &str,
    raw: &RawProvider,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> Option<ProviderConfig> {
    if !slug.bytes().all(may_be_in_slug) {
        problems.push(format!(
            "providers.{slug}: a provider's name has only a-z, 0-9, '-', '_' and '.'"
        ));
    }
    if raw.disabled.unwrap_or(false) {
        return None;
    }
    let mut section = Section { slug, problems };
    section.check_address(raw);
    Some(ProviderConfig {
        slug: slug.to_owned(),
        keys: section.keys(raw, environment),
        key_pair: section.key_pair(raw, environment),
        place: section.place(raw),
        base_url: raw.base_url.clone(),
        format: section.format(raw),
        http2: section.http2(raw),
        on_disconnect: section.on_disconnect(raw),
        prefill: section.prefill(raw),
        private_urls: raw.private_urls.unwrap_or(false),
    })
}

const fn may_be_in_slug(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
}

/// A section that is being read, and where its mistakes go.
struct Section<'a> {
    slug: &'a str,
    problems: &'a mut Vec<String>,
}

impl Section<'_> {
    fn wrong(&mut self, field: &str, problem: impl std::fmt::Display) {
        let slug = self.slug;
        self.problems
            .push(format!("providers.{slug}.{field}: {problem}"));
    }

    /// A provider that is not built in must say where it is and how it
    /// speaks.
    fn check_address(&mut self, raw: &RawProvider) {
        let slug = self.slug;
        if bourse_providers::by_slug(slug).is_none() {
            let why = format!("required, because {slug} is not a built-in provider");
            if raw.base_url.is_none() {
                self.wrong("base_url", &why);
            }
            if raw.format.is_none() {
                let use_instead = "use \"openai-chat\" for most servers";
                self.wrong("format", format_args!("{why}; {use_instead}"));
            }
        }
        if let Some(url) = &raw.base_url
            && let Err(error) = bourse_net::Origin::parse_operator(url)
        {
            self.wrong("base_url", error);
        }
    }

    fn keys(&mut self, raw: &RawProvider, environment: &Environment) -> Vec<ProviderKey> {
        let one = raw.api_key.iter().map(|secret| ("api_key", secret, 1));
        let several = raw.api_keys.iter();
        let several = several.map(|given| ("api_keys", &given.secret, given.weight));
        let mut keys: Vec<ProviderKey> = Vec::new();
        for (field, secret, weight) in one.chain(several) {
            match secret.resolve(environment).map(|key| Key::new(&key)) {
                Ok(key) if keys.iter().any(|other| other.key.expose() == key.expose()) => {
                    self.wrong(field, "the same key is there twice");
                }
                Ok(key) => keys.push(ProviderKey { key, weight }),
                Err(problem) => self.wrong(field, problem),
            }
        }
        if keys.len() > KEYS_MAX {
            self.wrong("api_keys", format_args!("at most {KEYS_MAX} keys"));
        }
        keys
    }

    /// A pair of keys, for a provider that signs each request.
    fn key_pair(&mut self, raw: &RawProvider, environment: &Environment) -> Option<KeyPair> {
        let given = [
            ("access_key_id", &raw.access_key_id),
            ("secret_access_key", &raw.secret_access_key),
            ("session_token", &raw.session_token),
        ];
        let (first, _) = given.iter().find(|(_, secret)| secret.is_some())?;
        let signs = bourse_providers::by_slug(self.slug)
            .is_some_and(|provider| provider.signing() == Signing::EachRequest);
        if !signs {
            self.wrong(first, "the provider's requests are not signed");
            return None;
        }
        let mut read = |(field, secret): (&str, &Option<RawSecret>)| {
            let key = secret.as_ref()?.resolve(environment);
            match key.map(|key| Key::new(&key)) {
                Ok(key) if !key.is_empty() => Some(key),
                Ok(_) => {
                    self.wrong(field, "is empty");
                    None
                }
                Err(problem) => {
                    self.wrong(field, problem);
                    None
                }
            }
        };
        let [id, secret, session] = given.map(&mut read);
        for (field, secret) in given.iter().take(2) {
            if secret.is_none() {
                self.wrong(field, "required: a signature takes both keys of a pair");
            }
        }
        Some(KeyPair {
            id: id?,
            secret: secret?,
            session,
        })
    }

    fn place(&mut self, raw: &RawProvider) -> Place {
        let place = Place {
            region: raw.region.clone(),
        };
        let problem = match bourse_providers::by_slug(self.slug) {
            Some(provider) => provider.placed(&place).err(),
            None if place.is_empty() => None,
            None => Some("only built-in providers have regions".to_owned()),
        };
        if let Some(problem) = problem {
            self.wrong("region", problem);
        }
        place
    }

    fn format(&mut self, raw: &RawProvider) -> Option<Format> {
        let text = raw.format.as_deref()?;
        let format = Format::by_slug(text);
        if format.is_none() {
            let known: Vec<_> = Format::ALL.iter().map(|format| format.slug()).collect();
            let known = known.join(", ");
            self.wrong("format", format_args!("`{text}` is not one of {known}"));
        }
        format
    }

    fn http2(&mut self, raw: &RawProvider) -> Option<Http2> {
        match raw.http2.as_deref()? {
            "auto" => Some(Http2::Auto),
            "never" => Some(Http2::Never),
            "prior" => Some(Http2::Prior),
            other => {
                let problem = format!("`{other}` is not one of auto, never, prior");
                self.wrong("http2", problem);
                None
            }
        }
    }

    fn prefill(&mut self, raw: &RawProvider) -> Option<Prefill> {
        let text = raw.prefill.as_deref()?;
        if bourse_providers::by_slug(self.slug).is_some() {
            let problem = "what a built-in provider takes is known; this is for others";
            self.wrong("prefill", problem);
            return None;
        }
        let known = Prefill::NAMED.iter().find(|(name, _)| *name == text);
        if known.is_none() {
            let names: Vec<_> = Prefill::NAMED.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            self.wrong("prefill", format_args!("`{text}` is not one of {names}"));
        }
        known.map(|(_, how)| *how)
    }

    fn on_disconnect(&mut self, raw: &RawProvider) -> Option<Disconnect> {
        match raw.on_disconnect.as_deref()? {
            "cancel" => Some(Disconnect::Cancel),
            "drain" => Some(Disconnect::Drain),
            other => {
                let problem = format!("`{other}` is neither cancel nor drain");
                self.wrong("on_disconnect", problem);
                None
            }
        }
    }
}
