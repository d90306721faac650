//! Who we are to Google's cloud ("Application Default Credentials" and
//! google.aip.dev/auth/4110 to 4117, November 2026).
//!
//! A file with credentials says of which kind they are. Programs that a file
//! would have started (`executable`) are not: no request starts a process.

mod external;

use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::json;

use super::oauth::{bearer, get, post, said};
use super::wanted::{Found, Surroundings, Wanted};
use super::{Ask, Fresh, Identity, NoToken, Outside, jws, life_until, nonsense, unwilling};
use crate::credential::Headers;
use crate::{Credential, Key};
use external::External;

const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// What Vertex AI wants of a token ("Authenticate to Vertex AI", November 2026).
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long a claim of ours is good, and a token that somebody else's account
/// gives: the most there is ("Using OAuth 2.0 for Server to Server Applications").
const LIFE_S: u64 = 3_600;
/// The metadata service of a machine, by its address: a name could be somebody
/// else's ("About VM metadata", November 2026).
const METADATA: &str = "http://169.254.169.254";
const METADATA_NAME: &str = "metadata.google.internal";
const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
/// Files with credentials are a few kilobytes long.
const FILE_BYTES_MAX: usize = 64 << 10;

/// Who we are.
#[derive(Clone, PartialEq, Eq)]
pub struct Google(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// A service account that signs its own claims.
    Account(Account),
    /// A person, whose consent is kept.
    Person(Person),
    /// Somebody whom another service vouches for.
    External(Box<External>),
    /// Whoever may speak for a service account.
    Impersonated {
        source: Box<Google>,
        url: String,
        delegates: Vec<String>,
    },
    /// The machine that this runs on, and where it is asked.
    Machine(String),
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
struct Account {
    client_email: String,
    private_key: Key,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default = "token_url")]
    token_uri: String,
    #[serde(default)]
    project_id: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
struct Person {
    client_id: String,
    client_secret: Key,
    refresh_token: Key,
    #[serde(default = "token_url")]
    token_uri: String,
    #[serde(default)]
    quota_project_id: Option<String>,
}

#[derive(Deserialize)]
struct Impersonated {
    service_account_impersonation_url: String,
    source_credentials: serde_json::Value,
    #[serde(default)]
    delegates: Vec<String>,
}

fn token_url() -> String {
    TOKEN_URL.to_owned()
}

/// Finds what the operator means.
///
/// # Errors
/// A sentence for the operator.
pub(crate) fn find(wanted: &Wanted, around: &dyn Surroundings) -> Result<Found, String> {
    wanted.only("Google's cloud", &["default", "machine", "file"])?;
    if let Some(json) = &wanted.json {
        return found(Google::parse(json.expose())?);
    }
    let machine = || found(Google::machine(around));
    if wanted.is_machine {
        return machine();
    }
    if let Some(path) = around.variable("GOOGLE_APPLICATION_CREDENTIALS") {
        let text = around
            .file(&path)?
            .ok_or_else(|| format!("GOOGLE_APPLICATION_CREDENTIALS: there is no file {path}"))?;
        let google = Google::parse(&text);
        return found(google.map_err(|problem| format!("{path}: {problem}"))?);
    }
    // What `gcloud auth application-default login` writes.
    if let Some(path) = well_known(around)
        && let Some(text) = around.file(&path)?
    {
        let google = Google::parse(&text);
        return found(google.map_err(|problem| format!("{path}: {problem}"))?);
    }
    machine()
}

fn well_known(around: &dyn Surroundings) -> Option<String> {
    let folder = around
        .variable("CLOUDSDK_CONFIG")
        .or_else(|| Some(format!("{}/.config/gcloud", around.variable("HOME")?)))?;
    Some(format!("{folder}/application_default_credentials.json"))
}

fn found(google: Google) -> Result<Found, String> {
    Ok(Found::Identity {
        project: google.project(),
        identity: Box::new(Identity::Google(google)),
    })
}

impl Google {
    /// The machine that this runs on. Google's own programs read the address of
    /// another metadata service from this variable.
    fn machine(around: &dyn Surroundings) -> Self {
        // Its name is its address: see there.
        let other = around
            .variable("GCE_METADATA_HOST")
            .filter(|host| host != METADATA_NAME);
        let at = other.map_or_else(|| METADATA.to_owned(), |host| format!("http://{host}"));
        Self(Kind::Machine(at))
    }

    /// Reads a file with credentials. Errors name no part of a secret.
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > FILE_BYTES_MAX {
            return Err(format!(
                "credentials have at most {FILE_BYTES_MAX} bytes, and these {}",
                text.len()
            ));
        }
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|_| "credentials are JSON, and this is none")?;
        Self::of(json, true)
    }

    fn of(json: serde_json::Value, may_speak_for_another: bool) -> Result<Self, String> {
        let kind = json.get("type").and_then(serde_json::Value::as_str);
        let kind = kind.unwrap_or_default().to_owned();
        let google = match kind.as_str() {
            "service_account" => {
                let account: Account = read(json)?;
                jws::private_key(account.private_key.expose())
                    .map_err(|problem| format!("private_key: {problem}"))?;
                Kind::Account(account)
            }
            "authorized_user" => Kind::Person(read(json)?),
            "external_account" => {
                let external: External = read(json)?;
                external.check()?;
                Kind::External(Box::new(external))
            }
            "impersonated_service_account" if may_speak_for_another => {
                let given: Impersonated = read(json)?;
                Kind::Impersonated {
                    source: Box::new(Self::of(given.source_credentials, false)?),
                    url: given.service_account_impersonation_url,
                    delegates: given.delegates,
                }
            }
            other => {
                return Err(format!(
                    "type: `{other}` is not one of service_account, authorized_user, external_account, impersonated_service_account"
                ));
            }
        };
        let google = Self(google);
        for url in google.addresses() {
            check_url(&url)?;
        }
        Ok(google)
    }

    fn project(&self) -> Option<String> {
        match &self.0 {
            Kind::Account(account) => account.project_id.clone(),
            Kind::Person(person) => person.quota_project_id.clone(),
            Kind::External(external) => external.quota_project_id.clone(),
            Kind::Impersonated { source, .. } => source.project(),
            Kind::Machine(_) => None,
        }
    }

    pub(super) fn describe(&self) -> String {
        match &self.0 {
            Kind::Account(account) => format!("service account {}", account.client_email),
            Kind::Person(_) => "the user that gcloud knows".to_owned(),
            Kind::External(external) => format!("external account of {}", external.audience),
            Kind::Impersonated { url, .. } => {
                let name = url.rsplit('/').next().unwrap_or_default();
                let name = name.split(':').next().unwrap_or_default();
                format!("service account {name}, spoken for by another")
            }
            Kind::Machine(at) => format!("service account of this machine, asked at {at}"),
        }
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        match &self.0 {
            Kind::Account(account) => vec![account.token_uri.clone()],
            Kind::Person(person) => vec![person.token_uri.clone()],
            Kind::External(external) => external.addresses(),
            Kind::Impersonated { source, url, .. } => {
                let mut all = source.addresses();
                all.push(url.clone());
                all
            }
            Kind::Machine(at) => vec![at.clone()],
        }
    }

    pub(super) fn secrets(&self) -> Vec<Key> {
        match &self.0 {
            Kind::Account(account) => vec![account.private_key.clone()],
            Kind::Person(person) => {
                vec![person.client_secret.clone(), person.refresh_token.clone()]
            }
            Kind::External(external) => {
                let headers = external.credential_source.headers.values().cloned();
                headers.chain(external.client_secret.clone()).collect()
            }
            Kind::Impersonated { source, .. } => source.secrets(),
            Kind::Machine(_) => Vec::new(),
        }
    }

    pub(super) async fn obtain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        match &self.0 {
            Kind::Impersonated {
                source,
                url,
                delegates,
            } => {
                let fresh = source.plain(outside).await?;
                impersonate(outside, &fresh, url, delegates).await
            }
            _ => self.plain(outside).await,
        }
    }

    async fn plain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        match &self.0 {
            Kind::Account(account) => account.obtain(outside).await,
            Kind::Person(person) => person.obtain(outside).await,
            Kind::External(external) => external.obtain(outside).await,
            Kind::Machine(at) => {
                let flavor = (
                    HeaderName::from_static("metadata-flavor"),
                    HeaderValue::from_static("Google"),
                );
                let ask = get(format!("{at}{METADATA_PATH}"), vec![flavor]);
                bearer(outside, ask, "the metadata service").await
            }
            // One that speaks for one that speaks for another is refused as it
            // is read.
            Kind::Impersonated { .. } => Err(NoToken::refused("too many speak for one another")),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> Result<T, String> {
    // An error of its own would say the value that it does not understand.
    serde_json::from_value(json).map_err(|error| {
        let text = error.to_string();
        if text.starts_with("missing field") {
            text
        } else {
            "a member has a value of another type than Google writes".to_owned()
        }
    })
}

/// Tokens and proofs of who we are go over TLS, or stay on the machine or its
/// link.
fn check_url(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("http://");
    let host = rest.map(|rest| rest.split(['/', ':', '?']).next().unwrap_or_default());
    match host {
        None if url.starts_with("https://") => Ok(()),
        Some("localhost" | "127.0.0.1" | "169.254.169.254") => Ok(()),
        _ => Err(format!(
            "{url}: an address that is told credentials begins with https://"
        )),
    }
}

impl Account {
    async fn obtain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        let now_s = outside.now_ms() / 1_000;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.private_key_id});
        let claims = json!({
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now_s,
            "exp": now_s.saturating_add(LIFE_S),
        });
        // It was looked at as it was read.
        let key = jws::private_key(self.private_key.expose()).map_err(NoToken::refused)?;
        let sign = |text: &[u8]| outside.sign(&key, text);
        let proof = jws::signed(&header.to_string(), &claims.to_string(), sign)
            .ok_or_else(|| NoToken::refused("the private key cannot sign"))?;
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", &*proof),
        ];
        let ask = post(&self.token_uri, Headers::new(), &fields);
        bearer(outside, ask, "Google's token service").await
    }
}

impl Person {
    async fn obtain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        let ask = post(&self.token_uri, Headers::new(), &fields);
        bearer(outside, ask, "Google's token service").await
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spoken {
    access_token: Key,
    expire_time: String,
}

/// Speaks for a service account (`generateAccessToken`, IAM Service Account
/// Credentials API, November 2026).
async fn impersonate(
    outside: &dyn Outside,
    with: &Fresh,
    url: &str,
    delegates: &[String],
) -> Result<Fresh, NoToken> {
    let whose = "Google's service for impersonation";
    let headers = with.credential.headers("google").unwrap_or_default();
    let mut body = json!({"scope": [SCOPE], "lifetime": format!("{LIFE_S}s")});
    if !delegates.is_empty()
        && let Some(members) = body.as_object_mut()
    {
        members.insert("delegates".to_owned(), json!(delegates));
    }
    let ask = Ask {
        method: Method::POST,
        url: url.to_owned(),
        headers,
        content_type: Some("application/json"),
        body: body.to_string().into(),
    };
    let answer = outside.ask(ask).await?;
    let now_ms = outside.now_ms();
    if answer.status != 200 {
        return Err(unwilling(&answer, &said(&answer.body), now_ms, whose));
    }
    let spoken: Spoken = serde_json::from_slice(&answer.body)
        .map_err(|_| nonsense(whose, "it is no JSON with an accessToken"))?;
    let token = spoken.access_token;
    let life = life_until(&spoken.expire_time, &answer, now_ms)
        .ok_or_else(|| nonsense(whose, "expireTime is no time"))?;
    if token.is_empty() || token.header("Bearer ").is_none() {
        return Err(nonsense(whose, "its token is none that a header can carry"));
    }
    Ok(Fresh {
        credential: Credential::Bearer(token),
        life: life.min(Duration::from_secs(12 * 3_600)),
        clock_ahead_ms: super::clock_ahead_ms(&answer, now_ms),
    })
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Google({})", self.describe())
    }
}
