//! Sockets, files, chance and the time for those who ask for tokens.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use bourse_dataplane::clock::now_ms;
use bourse_dataplane::http_date;
use bourse_net::{
    Client, ClientConfig, Deadlines, EgressPolicy, HeadTemplate, Origin, OutgoingRequest, Response,
    Roads, Scheme, Segments, Via,
};
use bourse_providers::identity::{Answer, Ask, NoToken, Outcome, Outside};
use bourse_providers::{Identity, Key};
use bytes::BytesMut;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue};

use super::Error;

/// How long a service may take. They answer within a second where they are well,
/// and nobody waits for them.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(5),
    head: Duration::from_secs(10),
    idle: Duration::from_secs(5),
};
/// The most that is read of an answer: tokens have a few kilobytes, those of
/// Microsoft with many groups some 20.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The most that is read of a file with a token.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// By which road they are reached: as all others, or as their provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct By {
    /// That of all others.
    pub roads: Arc<Roads>,
    /// That of the provider, if it has one.
    pub via: Option<Via>,
}

impl By {
    /// The road to a service. One that speaks plain HTTP is the machine's own,
    /// and reached straight: a proxy would ask for its.
    fn lead(&self, origin: &Origin) -> Origin {
        origin.with_via(match origin.scheme() {
            Scheme::Http => Some(Via::Straight),
            Scheme::Https => self.via.clone(),
        })
    }
}

/// The services of one identity, and no other address: its rules of egress let
/// it reach what the operator wrote, link-local addresses included where they
/// are written as such.
pub(super) struct Network {
    client: Client,
    allowed: Vec<Origin>,
}

impl Network {
    /// # Errors
    /// TLS cannot be used, or an address is none.
    pub(super) fn new(identity: &Identity, by: &By) -> Result<Self, Error> {
        let mut egress = EgressPolicy::by(&by.roads);
        let mut allowed = Vec::new();
        for address in identity.addresses() {
            let (origin, _) =
                Origin::parse_operator(&address).map_err(|error| format!("{address}: {error}"))?;
            egress.allow_origin(&origin);
            allowed.push(by.lead(&origin));
        }
        let client = Client::new(ClientConfig {
            egress,
            ..ClientConfig::default()
        })?;
        Ok(Self { client, allowed })
    }

    async fn send(&self, ask: Ask) -> Result<Answer, NoToken> {
        let odd = |error: &dyn std::fmt::Display| NoToken::refused(format!("{}: {error}", ask.url));
        let (origin, path) = Origin::parse_operator(&ask.url).map_err(|error| odd(&error))?;
        let Some(origin) = self
            .allowed
            .iter()
            .find(|known| known.is_same_place(&origin))
        else {
            return Err(odd(&"is not one of the addresses of these credentials"));
        };
        let mut headers: HeaderMap = ask.headers.into_iter().collect();
        headers.insert(USER_AGENT, HeaderValue::from_static("bourse"));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(kind) = ask.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let head = HeadTemplate::new(origin, ask.method, &path, headers)
            .map_err(|error| NoToken::refused(format!("{origin}: {error}")))?;
        let mut body = Segments::new();
        if !ask.body.is_empty() {
            body.push(ask.body);
        }
        let request = OutgoingRequest::new(head, body);
        let sent = self.client.send(origin, &request, &DEADLINES).await;
        let response = sent.map_err(|error| NoToken::later(format!("{origin}: {error}")))?;
        answer(response)
            .await
            .map_err(|why| NoToken::later(format!("{origin}: {why}")))
    }
}

async fn answer(response: Response) -> Result<Answer, String> {
    let date = response.headers.get_str("date").and_then(http_date::parse);
    let status = response.status.as_u16();
    let mut pieces = response.body;
    let mut body = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece.map_err(|error| error.to_string())?);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(format!("its answer has more than {ANSWER_BYTES_MAX} bytes"));
        }
    }
    Ok(Answer {
        status,
        body: body.freeze(),
        date_ms: date.map(|s| s.saturating_mul(1_000)),
    })
}

impl Outside for Network {
    fn ask(&self, ask: Ask) -> Outcome<'_, Answer> {
        Box::pin(self.send(ask))
    }

    fn read<'a>(&'a self, path: &'a str) -> Outcome<'a, Key> {
        let path = path.to_owned();
        Box::pin(async move {
            // On a thread for such things: a file may be on a network.
            let read = tokio::task::spawn_blocking(move || read(&path)).await;
            read.unwrap_or_else(|error| Err(error.to_string()))
                .map_err(NoToken::later)
        })
    }

    fn sign(&self, key: &RsaKeyPair, text: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; key.public_modulus_len()];
        let chance = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &chance, text, &mut signature)
            .ok()?;
        Some(signature)
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }
}

fn read(path: &str) -> Result<Key, String> {
    let problem = |error: std::io::Error| format!("{path}: {error}");
    let file = std::fs::File::open(path).map_err(problem)?;
    let mut text = String::new();
    let limited = &mut file.take(FILE_BYTES_MAX.saturating_add(1));
    limited.read_to_string(&mut text).map_err(problem)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{path}: more than {FILE_BYTES_MAX} bytes"));
    }
    let token = Key::new(&text);
    if token.is_empty() {
        return Err(format!("{path}: is empty"));
    }
    Ok(token)
}
