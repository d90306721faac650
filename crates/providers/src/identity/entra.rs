//! Who we are to Microsoft's cloud (learn.microsoft.com: "OAuth 2.0 client
//! credentials flow", "How to use managed identities to get an access token",
//! "How to use managed identities for App Service", November 2026).

use std::fmt;

use http::{HeaderName, HeaderValue};

use super::oauth::{bearer, form, get, post};
use super::wanted::{Found, Surroundings, Wanted};
use super::{Fresh, Identity, NoToken, Outside};
use crate::Key;
use crate::credential::Headers;

const AUTHORITY: &str = "https://login.microsoftonline.com";
/// What models are called with ("How to configure Azure OpenAI with Microsoft
/// Entra ID authentication", November 2026).
const RESOURCE: &str = "https://cognitiveservices.azure.com";
const MACHINE: &str = "http://169.254.169.254";
const MACHINE_PATH: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01";
/// What App Service and Container Apps answer at the address in
/// `IDENTITY_ENDPOINT`.
const HOSTED_VERSION: &str = "2019-08-01";

/// Who we are.
#[derive(Clone, PartialEq, Eq)]
pub struct Entra {
    /// What the token is for, without `/.default`.
    resource: String,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// An application with a secret of its own.
    Secret { client: Client, secret: Key },
    /// An application that another service vouches for, in a file.
    Federated { client: Client, path: String },
    /// The machine that this runs on.
    Machine {
        at: String,
        client_id: Option<String>,
    },
    /// The service that this runs in.
    Hosted {
        at: String,
        header: Key,
        client_id: Option<String>,
    },
}

#[derive(Clone, PartialEq, Eq)]
struct Client {
    authority: String,
    tenant: String,
    id: String,
}

/// Finds what the operator means.
///
/// # Errors
/// A sentence for the operator.
pub(crate) fn find(wanted: &Wanted, around: &dyn Surroundings) -> Result<Found, String> {
    let known = [
        "default",
        "machine",
        "tenant_id",
        "client_id",
        "client_secret",
        "token_file",
        "authority",
        "scope",
    ];
    wanted.only("Microsoft's cloud", &known)?;
    let kind = if wanted.is_machine {
        machine(wanted, around)
    } else if wanted.is_default {
        of_environment(wanted, around)?
    } else {
        written(wanted)?
    };
    let resource = wanted.scope.as_deref().unwrap_or(RESOURCE);
    let resource = resource.trim_end_matches("/.default").to_owned();
    if !resource.starts_with("https://") && !resource.starts_with("api://") {
        return Err(format!(
            "scope: `{resource}` is none, such as \"{RESOURCE}/.default\""
        ));
    }
    Ok(Found::identity(Identity::Entra(Entra { resource, kind })))
}

/// What the operator wrote out.
fn written(wanted: &Wanted) -> Result<Kind, String> {
    let required = |value: &Option<String>, name: &str| {
        value
            .clone()
            .ok_or_else(|| format!("{name}: required, beside client_secret or token_file"))
    };
    let client = Client {
        authority: authority(wanted.authority.as_deref())?,
        tenant: tenant(&required(&wanted.tenant_id, "tenant_id")?)?,
        id: required(&wanted.client_id, "client_id")?,
    };
    match (&wanted.client_secret, &wanted.token_file) {
        (Some(secret), None) if !secret.is_empty() => Ok(Kind::Secret {
            client,
            secret: secret.clone(),
        }),
        (None, Some(path)) => Ok(Kind::Federated {
            client,
            path: path.clone(),
        }),
        (Some(_), None) => Err("client_secret: is empty".to_owned()),
        _ => Err("either client_secret or token_file is required".to_owned()),
    }
}

/// The variables that Microsoft's own libraries read, in their order
/// (`DefaultAzureCredential`, azure-identity, 2026): those of an application,
/// of a workload identity, and then the machine.
fn of_environment(wanted: &Wanted, around: &dyn Surroundings) -> Result<Kind, String> {
    let said = |own: &Option<String>, name: &str| own.clone().or_else(|| around.variable(name));
    let other = said(&wanted.authority, "AZURE_AUTHORITY_HOST");
    let (tenant_id, id) = (
        said(&wanted.tenant_id, "AZURE_TENANT_ID"),
        said(&wanted.client_id, "AZURE_CLIENT_ID"),
    );
    if let (Some(tenant_id), Some(id)) = (tenant_id, id) {
        let client = Client {
            authority: authority(other.as_deref())?,
            tenant: tenant(&tenant_id)?,
            id,
        };
        if let Some(secret) = around.variable("AZURE_CLIENT_SECRET") {
            let secret = Key::new(&secret);
            return Ok(Kind::Secret { client, secret });
        }
        if let Some(path) = around.variable("AZURE_FEDERATED_TOKEN_FILE") {
            return Ok(Kind::Federated { client, path });
        }
    }
    Ok(machine(wanted, around))
}

fn machine(wanted: &Wanted, around: &dyn Surroundings) -> Kind {
    let client_id = wanted
        .client_id
        .clone()
        .or_else(|| around.variable("AZURE_CLIENT_ID"));
    let hosted = around.variable("IDENTITY_ENDPOINT");
    if let (Some(at), Some(header)) = (hosted, around.variable("IDENTITY_HEADER")) {
        return Kind::Hosted {
            at,
            header: Key::new(&header),
            client_id,
        };
    }
    // Another service in place of the machine's (azure-identity's name for it).
    let other = around.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    Kind::Machine {
        at: other.map_or_else(
            || MACHINE.to_owned(),
            |at| at.trim_end_matches('/').to_owned(),
        ),
        client_id,
    }
}

fn authority(given: Option<&str>) -> Result<String, String> {
    let url = given.unwrap_or(AUTHORITY).trim_end_matches('/').to_owned();
    let is_here = ["http://127.0.0.1", "http://localhost"]
        .iter()
        .any(|here| url.starts_with(here));
    if url.starts_with("https://") || is_here {
        Ok(url)
    } else {
        Err(format!("authority: {url} does not begin with https://"))
    }
}

/// A tenant becomes part of an address.
fn tenant(given: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if !given.is_empty() && given.len() <= 128 && given.bytes().all(is_name) {
        Ok(given.to_owned())
    } else {
        Err(format!(
            "tenant_id: `{given}` is neither an id nor a domain"
        ))
    }
}

impl Client {
    fn url(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.authority, self.tenant)
    }
}

impl Entra {
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::Secret { client, .. } => format!("application {}", client.id),
            Kind::Federated { client, path } => {
                format!("application {}, vouched for by {path}", client.id)
            }
            Kind::Machine { at, .. } => format!("identity of this machine, asked at {at}"),
            Kind::Hosted { at, .. } => format!("identity of this service, asked at {at}"),
        }
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        vec![match &self.kind {
            Kind::Secret { client, .. } | Kind::Federated { client, .. } => {
                client.authority.clone()
            }
            Kind::Machine { at, .. } | Kind::Hosted { at, .. } => at.clone(),
        }]
    }

    pub(super) fn secrets(&self) -> Vec<Key> {
        match &self.kind {
            Kind::Secret { secret, .. } => vec![secret.clone()],
            Kind::Hosted { header, .. } => vec![header.clone()],
            Kind::Federated { .. } | Kind::Machine { .. } => Vec::new(),
        }
    }

    pub(super) async fn obtain(&self, outside: &dyn Outside) -> Result<Fresh, NoToken> {
        let scope = format!("{}/.default", self.resource);
        let token_service = "Microsoft's token service";
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("scope", scope.as_str()),
        ];
        match &self.kind {
            Kind::Secret { client, secret } => {
                fields.push(("client_id", &client.id));
                fields.push(("client_secret", secret.expose()));
                let ask = post(&client.url(), Headers::new(), &fields);
                bearer(outside, ask, token_service).await
            }
            Kind::Federated { client, path } => {
                let proof = outside.read(path).await?;
                fields.push(("client_id", &client.id));
                fields.push((
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ));
                fields.push(("client_assertion", proof.expose()));
                let ask = post(&client.url(), Headers::new(), &fields);
                bearer(outside, ask, token_service).await
            }
            Kind::Machine { at, client_id } => {
                let query = self.query(client_id.as_deref());
                let metadata = (
                    HeaderName::from_static("metadata"),
                    HeaderValue::from_static("true"),
                );
                let ask = get(format!("{at}{MACHINE_PATH}&{query}"), vec![metadata]);
                bearer(outside, ask, "the metadata service").await
            }
            Kind::Hosted {
                at,
                header,
                client_id,
            } => {
                let query = self.query(client_id.as_deref());
                let name = HeaderName::from_static("x-identity-header");
                let header = header.header("").map(|value| vec![(name, value)]);
                let url = format!("{at}?api-version={HOSTED_VERSION}&{query}");
                let ask = get(url, header.unwrap_or_default());
                bearer(outside, ask, "the service's own identity endpoint").await
            }
        }
    }

    fn query(&self, client_id: Option<&str>) -> String {
        let mut fields = vec![("resource", self.resource.as_str())];
        fields.extend(client_id.map(|id| ("client_id", id)));
        form(&fields).to_string()
    }
}

impl fmt::Debug for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entra({})", self.describe())
    }
}
