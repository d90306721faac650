//! What a provider's section means.

use bourse_net::{Http2, Via};
use bourse_providers::azure::{Azure, KIND};
use bourse_providers::identity::Found;
use bourse_providers::{Credential, Disconnect, Key, Place, Prefill, Provider, Signing};
use bourse_vocab::Format;

use super::credentials::Around;
use super::near::nearest;
use super::{Environment, KeyPair, ProviderConfig, ProviderKey, RawProvider, RawSecret, net};

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
    let format = section.format(raw);
    let kind = section.kind(raw, format);
    let (found, project) = section.credentials(raw, kind.as_ref(), environment);
    let (identity, fixed) = match found {
        Some(Found::Identity { identity, .. }) => (Some(*identity), None),
        Some(Found::Fixed(credential)) => (None, Some(credential)),
        None => (None, None),
    };
    let found_pair = fixed.and_then(KeyPair::of);
    Some(ProviderConfig {
        slug: slug.to_owned(),
        keys: section.keys(raw, environment),
        key_pair: section.key_pair(raw, environment).or(found_pair),
        identity,
        kind,
        place: section.place(raw, project),
        base_url: raw.base_url.clone(),
        format,
        http2: section.http2(raw),
        on_disconnect: section.on_disconnect(raw),
        prefill: section.prefill(raw),
        private_urls: raw.private_urls.unwrap_or(false),
        via: section.via(raw, environment),
    })
}

const fn may_be_in_slug(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
}

impl KeyPair {
    /// The pair of a credential that is one.
    fn of(credential: Credential) -> Option<Self> {
        match credential {
            Credential::KeyPair {
                id,
                secret,
                session,
            } => Some(Self {
                id,
                secret,
                session,
            }),
            _ => None,
        }
    }
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
            let mut why = format!("required, because {slug} is not a built-in provider");
            let near = nearest(slug, bourse_providers::all().map(Provider::slug));
            if let Some(near) = near.filter(|_| raw.base_url.is_none()) {
                why = format!("{why}; did you mean [providers.{near}]?");
            }
            if raw.base_url.is_none() {
                self.wrong("base_url", &why);
            }
            // One question is enough.
            if raw.format.is_none()
                && raw.kind.is_none()
                && (near.is_none() || raw.base_url.is_some())
            {
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
        let one = raw
            .api_key
            .iter()
            .map(|secret| ("api_key".to_owned(), secret, 1));
        let several = raw.api_keys.iter();
        let several = several.enumerate().map(|(index, given)| {
            let field = format!("api_keys[{index}]");
            (field, &given.secret, given.weight)
        });
        let mut keys: Vec<ProviderKey> = Vec::new();
        for (field, secret, weight) in one.chain(several) {
            match secret.resolve_key(environment).map(|key| Key::new(&key)) {
                Ok(key) if keys.iter().any(|other| other.key.expose() == key.expose()) => {
                    self.wrong(&field, "the same key is there twice");
                }
                Ok(key) => keys.push(ProviderKey {
                    key,
                    weight,
                    source: secret.source(),
                }),
                Err(problem) => self.wrong(&field, problem),
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

    fn place(&mut self, raw: &RawProvider, found: Option<String>) -> Place {
        let place = Place {
            region: raw.region.clone(),
            project: raw.project.clone().or(found),
        };
        let problem = match bourse_providers::by_slug(self.slug) {
            Some(provider) => provider.placed(&place).err(),
            None if place.is_empty() => None,
            None => Some("only built-in providers have regions and projects".to_owned()),
        };
        if let Some(problem) = problem {
            let is_region = place.region.is_some() && raw.project.is_none();
            self.wrong(if is_region { "region" } else { "project" }, problem);
        }
        place
    }

    /// A kind of provider that is neither built in nor plain.
    fn kind(&mut self, raw: &RawProvider, format: Option<Format>) -> Option<Azure> {
        let Some(kind) = raw.kind.as_deref() else {
            if raw.api_version.is_some() {
                let problem = format!("means nothing without kind = \"{KIND}\"");
                self.wrong("api_version", problem);
            }
            return None;
        };
        if kind != KIND || bourse_providers::by_slug(self.slug).is_some() {
            let problem =
                format!("`{kind}`: there is \"{KIND}\" alone, for a provider that is not built in");
            self.wrong("kind", problem);
            return None;
        }
        let base_url = raw.base_url.as_deref()?;
        match Azure::new(self.slug, base_url, format, raw.api_version.as_deref()) {
            Ok(azure) => Some(azure),
            Err((member, problem)) => {
                self.wrong(member, problem);
                None
            }
        }
    }

    /// What `credentials` mean, and the project that they belong to.
    fn credentials(
        &mut self,
        raw: &RawProvider,
        kind: Option<&Azure>,
        environment: &Environment,
    ) -> (Option<Found>, Option<String>) {
        let Some(given) = &raw.credentials else {
            return (None, None);
        };
        let has_keys = raw.api_key.is_some()
            || !raw.api_keys.is_empty()
            || raw.access_key_id.is_some()
            || raw.secret_access_key.is_some();
        if has_keys {
            let problem = "goes without keys: say one or the other";
            self.wrong("credentials", problem);
        }
        let built_in = bourse_providers::by_slug(self.slug);
        let provider = match (&built_in, kind) {
            (Some(provider), _) => *provider as &dyn Provider,
            (None, Some(azure)) => azure,
            (None, None) => {
                let problem = format!("only clouds give tokens: say `kind = \"{KIND}\"`, or a key");
                self.wrong("credentials", problem);
                return (None, None);
            }
        };
        let found = given
            .wanted(raw.region.as_deref(), environment)
            .and_then(|wanted| provider.find_credentials(&wanted, &Around(environment)));
        let found = match found {
            Ok(found) => found,
            Err(problem) => {
                self.wrong("credentials", problem);
                return (None, None);
            }
        };
        let project = match &found {
            Found::Identity { identity, project } => {
                for address in identity.addresses() {
                    if let Err(error) = bourse_net::Origin::parse_operator(&address) {
                        self.wrong("credentials", format_args!("{address}: {error}"));
                    }
                }
                project.clone()
            }
            Found::Fixed(_) => None,
        };
        if provider.needs_project() && project.is_none() && raw.project.is_none() {
            self.wrong(
                "project",
                "required: these credentials do not say to which project they belong",
            );
        }
        (Some(found), project)
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

    fn via(&mut self, raw: &RawProvider, environment: &Environment) -> Option<Via> {
        let written_at = format!("providers.{}.proxy", self.slug);
        let text = raw.proxy.as_ref()?.resolve(environment);
        text.and_then(|text| net::via(&text, &written_at))
            .map_err(|problem| self.wrong("proxy", problem))
            .ok()
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
