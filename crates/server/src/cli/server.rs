//! How a command asks a running server by a management route.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bourse_net::{
    Client, ClientConfig, Deadlines, EgressPolicy, HeadTemplate, NetErrorKind, Origin,
    OutgoingRequest, Roads,
};
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use super::Error;
use crate::config::Config;

/// Longest answer: some thousand endpoints of 500 bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Which server a command asks, and with which key.
#[derive(Args)]
pub(super) struct Asking {
    /// A management key, with which the running server is asked
    #[arg(long, env = "BOURSE_MANAGEMENT_KEY", hide_env_values = true)]
    pub(super) key: Option<String>,
    /// Where the server runs [default: where the configuration says that it listens]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
}

impl Asking {
    /// Where the server is, without a slash at the end.
    pub(super) fn url(&self, config: &Config) -> String {
        match &self.server {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let scheme = if config.tls.is_some() {
                    "https"
                } else {
                    "http"
                };
                format!("{scheme}://{}", reachable(config.listen))
            }
        }
    }

    /// The server, for a command that cannot do without one.
    ///
    /// # Errors
    /// There is no key, or it cannot be sent.
    pub(super) fn server(&self, config: &Config) -> Result<Server, Error> {
        let key = self.key.as_deref();
        let key = key.ok_or("a management key is needed, as --key or in BOURSE_MANAGEMENT_KEY")?;
        Server::new(&self.url(config), key, &config.roads)
    }
}

/// Where a server that listens on every address is reached from here.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    };
    SocketAddr::new(ip, listen.port())
}

/// A server that may be asked. Its connection is kept for the next question.
pub(super) struct Server {
    url: String,
    origin: Origin,
    /// Before the paths of the API.
    base: String,
    headers: HeaderMap,
    client: Client,
}

impl Server {
    /// # Errors
    /// The address is none, or the key cannot be sent.
    pub(super) fn new(url: &str, key: &str, roads: &Arc<Roads>) -> Result<Self, Error> {
        let (origin, path) =
            Origin::parse_operator(url).map_err(|error| format!("{url}: {error}"))?;
        let mut egress = EgressPolicy::by(roads);
        egress.allow_origin(&origin);
        let client = Client::new(ClientConfig {
            egress,
            ..ClientConfig::default()
        })?;
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {key}"))
            .map_err(|_| "--key: is no key of this server")?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self {
            url: url.to_owned(),
            base: path.trim_end_matches('/').to_owned(),
            origin,
            headers,
            client,
        })
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Asks; `None` if no server is there.
    ///
    /// # Errors
    /// It does not answer, not with JSON, or not with success.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        let url = &self.url;
        let path = format!("{}{path}", self.base);
        let head = HeadTemplate::new(&self.origin, method, &path, self.headers.clone())
            .map_err(|error| format!("{url}: {error}"))?;
        let pieces = (!body.is_empty()).then(|| body.into());
        let outgoing = OutgoingRequest::new(head, pieces.into_iter().collect());
        let deadlines = Deadlines::default();
        let response = match self.client.send(&self.origin, &outgoing, &deadlines).await {
            Ok(response) => response,
            Err(error) if error.kind == NetErrorKind::Connect => return Ok(None),
            Err(error) => return Err(format!("{url}: {error}").into()),
        };
        let status = response.status;
        let mut body = response.body;
        let mut text = Vec::new();
        while let Some(piece) = body.next().await {
            text.extend_from_slice(&piece?);
            if text.len() > ANSWER_BYTES_MAX {
                return Err(format!("{url}: answers more than {ANSWER_BYTES_MAX} bytes").into());
            }
        }
        if status.is_success() {
            return Ok(Some(text));
        }
        let reply: Value = serde_json::from_slice(&text)
            .map_err(|error| format!("{url}: answered {status} without JSON: {error}"))?;
        let message = reply.pointer("/error/message").and_then(Value::as_str);
        let message = message.unwrap_or("no reason");
        Err(format!("{url}: answered {status}: {message}").into())
    }
}
