//! Who we are to Amazon's cloud ("Standardized credential providers",
//! docs.aws.amazon.com/sdkref, November 2026).
//!
//! The chain of places is gone through once, as the configuration is read:
//! which of them it is does not change while a process runs, and a machine that
//! has none is told so at once. Programs (`credential_process`) are not started,
//! and a person's single sign-on is not for servers; both are refused by name.

mod chain;

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;

use super::oauth::{form, get};
use super::{
    Answer, Ask, Fresh, NoToken, Outside, clock_ahead_ms, life_until, nonsense, unwilling,
};
use crate::credential::Headers;
use crate::sigv4::{self, Scope, Signable};
use crate::{Credential, Key};

pub(crate) use chain::chain;

const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
/// How long a session with the metadata service lasts, in seconds: the longest
/// ("Use the Instance Metadata Service", November 2026). Each asking has its own.
const MACHINE_SESSION_S: &str = "21600";
const STS_VERSION: &str = "2011-06-15";

/// Who we are.
#[derive(Clone, PartialEq, Eq)]
pub struct Amazon(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// A role, taken on with a token that somebody else renews.
    WebIdentity { role: Role, path: String },
    /// A role, taken on with other credentials.
    Assumed {
        role: Role,
        external_id: Option<String>,
        with: Box<Base>,
    },
    /// The container that this runs in.
    Container { url: String, token: ContainerToken },
    /// The machine that this runs on.
    Machine { at: String },
}

#[derive(Clone, PartialEq, Eq)]
struct Role {
    arn: String,
    session_name: String,
    /// Where the token service is, and in which region.
    url: String,
    region: String,
}

/// What a role is taken on with.
#[derive(Clone, PartialEq, Eq)]
enum Base {
    Pair {
        id: Key,
        secret: Key,
        session: Option<Key>,
    },
    Other(Amazon),
}

#[derive(Clone, PartialEq, Eq)]
enum ContainerToken {
    None,
    Text(Key),
    File(String),
}

impl Amazon {
    pub(super) fn describe(&self) -> String {
        match &self.0 {
            Kind::WebIdentity { role, path } => {
                format!("role {}, vouched for by {path}", role.arn)
            }
            Kind::Assumed { role, .. } => format!("role {}", role.arn),
            Kind::Container { url, .. } => format!("role of this container, asked at {url}"),
            Kind::Machine { at } => format!("role of this machine, asked at {at}"),
        }
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        match &self.0 {
            Kind::WebIdentity { role, .. } => vec![role.url.clone()],
            Kind::Assumed { role, with, .. } => {
                let mut all = vec![role.url.clone()];
                if let Base::Other(other) = &**with {
                    all.extend(other.addresses());
                }
                all
            }
            Kind::Container { url, .. } => vec![url.clone()],
            Kind::Machine { at } => vec![at.clone()],
        }
    }

    pub(super) fn secrets(&self) -> Vec<Key> {
        match &self.0 {
            Kind::Assumed { with, .. } => match &**with {
                Base::Pair {
                    secret, session, ..
                } => std::iter::once(secret.clone())
                    .chain(session.clone())
                    .collect(),
                Base::Other(other) => other.secrets(),
            },
            Kind::Container {
                token: ContainerToken::Text(text),
                ..
            } => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    pub(super) async fn obtain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        let mut above = Vec::new();
        let mut innermost = self;
        // From the outermost role to whoever takes nothing on, and back.
        let mut has = loop {
            match &innermost.0 {
                Kind::Assumed {
                    role,
                    external_id,
                    with,
                } => {
                    above.push((role, external_id.as_deref()));
                    match &**with {
                        Base::Pair {
                            id,
                            secret,
                            session,
                        } => {
                            break Credential::KeyPair {
                                id: id.clone(),
                                secret: secret.clone(),
                                session: session.clone(),
                            };
                        }
                        Base::Other(other) => innermost = other,
                    }
                }
                _ => {
                    let fresh = innermost.plain(outside).await?;
                    if above.is_empty() {
                        return Ok(fresh);
                    }
                    break fresh.credential;
                }
            }
        };
        let mut last = Err(NoToken::refused("no role is taken on"));
        while let Some((role, external_id)) = above.pop() {
            let fresh = role.assume(outside, &has, external_id).await?;
            has = fresh.credential.clone();
            last = Ok(fresh);
        }
        last
    }

    async fn plain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        match &self.0 {
            Kind::WebIdentity { role, path } => {
                let proof = outside.read(path).await?;
                let fields = [
                    ("Action", "AssumeRoleWithWebIdentity"),
                    ("Version", STS_VERSION),
                    ("RoleArn", role.arn.as_str()),
                    ("RoleSessionName", role.session_name.as_str()),
                    ("WebIdentityToken", proof.expose()),
                ];
                let body = Bytes::copy_from_slice(form(&fields).as_bytes());
                let answer = outside.ask(role.asked(body, Headers::new())).await?;
                read_sts(&answer, outside.now_ms())
            }
            Kind::Container { url, token } => {
                let token = match token {
                    ContainerToken::None => None,
                    ContainerToken::Text(text) => Some(text.clone()),
                    ContainerToken::File(path) => Some(outside.read(path).await?),
                };
                let whose = "the container's service for credentials";
                let headers = match token.map(|token| token.header("")) {
                    None => Headers::new(),
                    Some(Some(value)) => vec![(http::header::AUTHORIZATION, value)],
                    Some(None) => {
                        return Err(NoToken::later("the container's token has odd characters"));
                    }
                };
                let answer = outside.ask(get(url.clone(), headers)).await?;
                read_json(&answer, outside.now_ms(), whose)
            }
            Kind::Machine { at } => machine(outside, at).await,
            Kind::Assumed { .. } => Err(NoToken::refused("a role is taken on elsewhere")),
        }
    }
}

impl Role {
    fn asked(&self, body: Bytes, headers: Headers) -> Ask {
        Ask {
            method: Method::POST,
            url: format!("{}/", self.url),
            headers,
            content_type: Some("application/x-www-form-urlencoded"),
            body,
        }
    }

    /// Takes the role on (AWS STS API reference, `AssumeRole`).
    async fn assume(
        &self,
        outside: &dyn Outside,
        with: &Credential,
        external_id: Option<&str>,
    ) -> Result<Fresh, NoToken> {
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("Version", STS_VERSION),
            ("RoleArn", self.arn.as_str()),
            ("RoleSessionName", self.session_name.as_str()),
        ];
        fields.extend(external_id.map(|id| ("ExternalId", id)));
        let body = Bytes::copy_from_slice(form(&fields).as_bytes());
        let headers = self
            .signature(&body, with, outside.now_ms())
            .ok_or_else(|| NoToken::refused("the role cannot be asked for: a key is odd"))?;
        let answer = outside.ask(self.asked(body, headers)).await?;
        read_sts(&answer, outside.now_ms())
    }

    fn signature(&self, body: &Bytes, with: &Credential, now_ms: u64) -> Option<Headers> {
        let Credential::KeyPair {
            id,
            secret,
            session,
        } = with
        else {
            return None;
        };
        let time = sigv4::timestamp(now_ms)?;
        let uri: http::Uri = format!("{}/", self.url).parse().ok()?;
        let authority = uri.authority()?.as_str();
        let mut headers = vec![
            ("host", authority),
            ("x-amz-date", &time),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        headers.extend(
            session
                .as_ref()
                .map(|token| ("x-amz-security-token", token.expose())),
        );
        let signable = Signable {
            method: "POST",
            path: uri.path(),
            headers: &headers,
            body: std::slice::from_ref(body),
        };
        let scope = Scope {
            region: &self.region,
            service: "sts",
        };
        let proof = sigv4::authorization(&signable, (id.expose(), secret.expose()), scope, &time);
        let mut signed = vec![
            (
                HeaderName::from_static("x-amz-date"),
                HeaderValue::from_str(&time).ok()?,
            ),
            (http::header::AUTHORIZATION, Key::new(&proof).header("")?),
        ];
        if let Some(token) = session {
            let name = HeaderName::from_static("x-amz-security-token");
            signed.push((name, token.header("")?));
        }
        Some(signed)
    }
}

/// Version 2 of the machine's metadata service: a session, the name of the role,
/// its credentials ("Retrieve security credentials from instance metadata",
/// November 2026).
async fn machine(outside: &dyn Outside, at: &str) -> Result<Fresh, NoToken> {
    let whose = "the metadata service";
    let ttl = (
        HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds"),
        HeaderValue::from_static(MACHINE_SESSION_S),
    );
    let ask = Ask {
        method: Method::PUT,
        ..get(format!("{at}/latest/api/token"), vec![ttl])
    };
    let answer = outside.ask(ask).await?;
    let session = text_of(&answer, outside, whose)?;
    let session = Key::new(session).header("");
    let session = session.ok_or_else(|| nonsense(whose, "its session is odd"))?;
    let headers = || {
        let name = HeaderName::from_static("x-aws-ec2-metadata-token");
        vec![(name, session.clone())]
    };
    let answer = outside
        .ask(get(format!("{at}{ROLES_PATH}"), headers()))
        .await?;
    if answer.status == 404 {
        return Err(NoToken::refused(
            "the metadata service says that this machine has no role",
        ));
    }
    let name = text_of(&answer, outside, whose)?.lines().next();
    let name = name.unwrap_or_default().trim().to_owned();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(nonsense(whose, "its role has no name"));
    }
    let url = format!("{at}{ROLES_PATH}{name}");
    let answer = outside.ask(get(url, headers())).await?;
    read_json(&answer, outside.now_ms(), whose)
}

fn text_of<'a>(answer: &'a Answer, outside: &dyn Outside, whose: &str) -> Result<&'a str, NoToken> {
    if answer.status != 200 {
        return Err(unwilling(answer, "", outside.now_ms(), whose));
    }
    std::str::from_utf8(&answer.body).map_err(|_| nonsense(whose, "it is no text"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: Key,
    secret_access_key: Key,
    token: Key,
    expiration: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    #[serde(default, alias = "code")]
    code: String,
    #[serde(default, alias = "message")]
    message: String,
}

/// Credentials in JSON, of machines and containers.
fn read_json(answer: &Answer, now_ms: u64, whose: &str) -> Result<Fresh, NoToken> {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = [refusal.code.as_str(), refusal.message.as_str()].join(" ");
    if answer.status != 200 {
        return Err(unwilling(answer, said.trim(), now_ms, whose));
    }
    // A machine says so with 200 (`AssumeRoleUnauthorizedAccess`, …).
    if !matches!(refusal.code.as_str(), "" | "Success") {
        let said = super::cut(&said, super::SENTENCE_BYTES_MAX)
            .trim()
            .to_owned();
        return Err(NoToken::refused(format!("{whose} says: {said}")));
    }
    let given: Given = serde_json::from_slice(&answer.body)
        .map_err(|_| nonsense(whose, "it is no JSON with credentials"))?;
    fresh(
        answer,
        now_ms,
        whose,
        (given.access_key_id, given.secret_access_key, given.token),
        &given.expiration,
    )
}

/// Credentials in XML, of the token service.
fn read_sts(answer: &Answer, now_ms: u64) -> Result<Fresh, NoToken> {
    let whose = "Amazon's token service";
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != 200 {
        let part = |name| element(&text, name).unwrap_or_default();
        let said = format!("{} {}", part("Code"), part("Message"));
        return Err(unwilling(answer, said.trim(), now_ms, whose));
    }
    let key = |name: &str| {
        let found = element(&text, name).map(Key::new);
        found.ok_or_else(|| nonsense(whose, &format!("it has no {name}")))
    };
    let until = element(&text, "Expiration").unwrap_or_default();
    let keys = (
        key("AccessKeyId")?,
        key("SecretAccessKey")?,
        key("SessionToken")?,
    );
    fresh(answer, now_ms, whose, keys, until)
}

/// The text of the first element of a name. What the token service gives is
/// base64, letters and times, so that there is nothing to unescape.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

fn fresh(
    answer: &Answer,
    now_ms: u64,
    whose: &str,
    (id, secret, session): (Key, Key, Key),
    until: &str,
) -> Result<Fresh, NoToken> {
    if [&id, &secret, &session]
        .iter()
        .any(|key| key.is_empty() || key.header("").is_none())
    {
        return Err(nonsense(whose, "a key is empty or odd"));
    }
    let life = life_until(until, answer, now_ms)
        .ok_or_else(|| nonsense(whose, "it does not say until when its keys are good"))?;
    Ok(Fresh {
        credential: Credential::KeyPair {
            id,
            secret,
            session: Some(session),
        },
        life,
        clock_ahead_ms: clock_ahead_ms(answer, now_ms),
    })
}

impl fmt::Debug for Amazon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amazon({})", self.describe())
    }
}
