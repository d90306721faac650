//! Somebody whom another service vouches for: workload identity federation
//! (google.aip.dev/auth/4117, November 2026).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{SCOPE, impersonate};
use crate::Key;
use crate::credential::Headers;
use crate::identity::oauth::{bearer, get, post, said};
use crate::identity::{Fresh, NoToken, Outside, nonsense, unwilling};

#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(super) struct External {
    pub(super) audience: String,
    subject_token_type: String,
    token_url: String,
    pub(super) credential_source: Source,
    #[serde(default)]
    service_account_impersonation_url: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    pub(super) client_secret: Option<Key>,
    #[serde(default)]
    workforce_pool_user_project: Option<String>,
    #[serde(default)]
    pub(super) quota_project_id: Option<String>,
}

/// Where the token is with which somebody vouches for us.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Source {
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Key>,
    #[serde(default)]
    format: Shape,
    #[serde(default)]
    environment_id: Option<String>,
    #[serde(default)]
    executable: Option<serde_json::Value>,
}

/// How it is written there.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
struct Shape {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    subject_token_field_name: Option<String>,
}

impl External {
    pub(super) fn check(&self) -> Result<(), String> {
        let source = &self.credential_source;
        if source.executable.is_some() {
            return Err(
                "credential_source.executable: no program is started for a token; have it write a file, and name that".to_owned(),
            );
        }
        if source.environment_id.is_some() {
            return Err(
                "credential_source.environment_id: a signature of another cloud is not made; use a token in a file or at an address".to_owned(),
            );
        }
        if source.file.is_some() == source.url.is_some() {
            return Err("credential_source: either `file` or `url` is required".to_owned());
        }
        match source.format.kind.as_deref() {
            None | Some("text") => {}
            Some("json") if source.format.subject_token_field_name.is_some() => {}
            Some("json") => {
                return Err(
                    "credential_source.format.subject_token_field_name: required with json"
                        .to_owned(),
                );
            }
            Some(other) => {
                return Err(format!(
                    "credential_source.format.type: `{other}` is neither text nor json"
                ));
            }
        }
        for (name, value) in &source.headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() || value.header("").is_none() {
                return Err(format!("credential_source.headers: `{name}` is no header"));
            }
        }
        Ok(())
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        let mut all = vec![self.token_url.clone()];
        all.extend(self.credential_source.url.clone());
        all.extend(self.service_account_impersonation_url.clone());
        all
    }

    pub(super) async fn obtain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        let subject = self.subject(outside).await?;
        let options = self
            .workforce_pool_user_project
            .as_ref()
            .map(|project| json!({ "userProject": project }).to_string());
        // What is impersonated decides what may be done, so that the token
        // between may do what is needed for that (google.aip.dev/auth/4117).
        let mut fields = vec![
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", self.audience.as_str()),
            ("scope", SCOPE),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", subject.expose()),
            ("subject_token_type", self.subject_token_type.as_str()),
        ];
        fields.extend(options.as_deref().map(|options| ("options", options)));
        let ask = post(&self.token_url, self.client(), &fields);
        let fresh = bearer(outside, ask, "Google's security token service").await?;
        match &self.service_account_impersonation_url {
            None => Ok(fresh),
            Some(url) => impersonate(outside, &fresh, url, &[]).await,
        }
    }

    /// Workforce pools may have clients of their own.
    fn client(&self) -> Headers {
        let (Some(id), Some(secret)) = (&self.client_id, &self.client_secret) else {
            return Headers::new();
        };
        let both = Zeroizing::new(format!("{id}:{}", secret.expose()));
        let digits = STANDARD.encode(both.as_bytes());
        let value = Key::new(&digits).header("Basic ");
        value
            .map(|value| vec![(http::header::AUTHORIZATION, value)])
            .unwrap_or_default()
    }

    async fn subject(&self, outside: &dyn Outside) -> Result<Key, NoToken> {
        let source = &self.credential_source;
        let text = match (&source.file, &source.url) {
            (Some(path), _) => outside.read(path).await?,
            (None, Some(url)) => {
                let headers = source.headers.iter().filter_map(|(name, value)| {
                    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                    Some((name, value.header("")?))
                });
                let answer = outside.ask(get(url.clone(), headers.collect())).await?;
                let whose = "the address of the subject token";
                if answer.status != 200 {
                    let said = said(&answer.body);
                    return Err(unwilling(&answer, &said, outside.now_ms(), whose));
                }
                let text = std::str::from_utf8(&answer.body);
                Key::new(text.map_err(|_| nonsense(whose, "it is no text"))?)
            }
            // Refused as it was read.
            (None, None) => return Err(NoToken::refused("credential_source is empty")),
        };
        let token = match &source.format.subject_token_field_name {
            Some(field) if source.format.kind.as_deref() == Some("json") => {
                let json: Option<serde_json::Value> = serde_json::from_str(text.expose()).ok();
                let token = json.as_ref().and_then(|json| json.get(field)?.as_str());
                Key::new(token.ok_or_else(|| {
                    NoToken::later(format!("the subject token is not JSON with `{field}`"))
                })?)
            }
            _ => text,
        };
        if token.is_empty() {
            return Err(NoToken::later("the subject token is empty"));
        }
        Ok(token)
    }
}
