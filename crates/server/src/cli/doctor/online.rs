//! `bourse doctor --online`: whether each provider can be reached, and takes
//! our key.
//!
//! A provider is asked for the list of its models, which costs nothing, by the
//! roads and rules by which calls go there. Some answer that to anybody, or
//! not at all: then a key is not proven, and that is said.

use std::time::{Duration, Instant};

use bourse_dataplane::market::ProviderSetup;
use bourse_dataplane::phases::exchange::unreachable;
use bourse_net::{
    Client, ClientConfig, Deadlines, HeadTemplate, Origin, OutgoingRequest, Response,
};
use bourse_providers::{Credential, ErrorReply, Signing, ToSign, listing};
use bourse_vocab::{Failure, Format, Reason};
use http::{HeaderMap, Method};
use tokio::task::JoinSet;

use super::Finding;
use crate::config::Config;
use crate::market;
use crate::tokens::Tokens;

/// How long one provider may take in all.
const WAIT: Duration = Duration::from_secs(10);
/// From then on it is slow: a call would wait for as long before its first word.
const SLOW: Duration = Duration::from_secs(2);
/// Providers that are asked at once.
const AT_ONCE_MAX: usize = 16;
/// Bytes of an error that are read: enough to tell a wrong key.
const ERROR_BYTES_MAX: usize = 64 * 1024;

/// One question.
struct Question {
    slug: String,
    /// Which of its credentials, from 0, and of how many.
    credential: (usize, usize),
    /// Where the credential is set.
    source: String,
    setup: ProviderSetup,
    client: Client,
}

/// What came of it.
enum Answer {
    /// It listed its models.
    Listed,
    /// It answered, and its answer proves nothing about the key.
    Reached(String),
    /// It was not asked.
    Unasked(&'static str),
    /// It does not serve us, or cannot be reached.
    Failed(Reason, Option<u16>),
}

/// Asks every provider, several at once.
pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let setups = match market::configured(config, &Tokens::idle()) {
        Ok(setups) => setups,
        Err(error) => return vec![Finding::bad("providers", error.to_string(), "")],
    };
    let client = Client::new(ClientConfig {
        egress: market::egress(config, &setups),
        ..ClientConfig::default()
    });
    let client = match client {
        Ok(client) => client,
        Err(error) => return vec![Finding::bad("TLS", error.to_string(), "")],
    };
    let mut waiting = questions(config, setups, &client).into_iter().enumerate();
    let mut asked = JoinSet::new();
    let mut found = Vec::new();
    loop {
        while asked.len() < AT_ONCE_MAX
            && let Some((place, question)) = waiting.next()
        {
            asked.spawn(async move { (place, question.answer().await) });
        }
        match asked.join_next().await {
            Some(Ok(finding)) => found.push(finding),
            Some(Err(error)) => {
                let what = format!("a check ended early: {error}");
                found.push((usize::MAX, Finding::bad("providers", what, "")));
            }
            None => break,
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// One for each credential of each provider.
fn questions(config: &Config, setups: Vec<ProviderSetup>, client: &Client) -> Vec<Question> {
    let mut questions = Vec::new();
    for setup in setups {
        let slug = setup.provider.slug().to_owned();
        let given = config.providers.iter().find(|given| given.slug == slug);
        let mut sources: Vec<_> = given
            .into_iter()
            .flat_map(|given| &given.keys)
            .map(|key| key.source.clone())
            .collect();
        if sources.is_empty() {
            let ambient = config.ambient_keys.get(slug.as_str());
            sources.extend(ambient.map(|key| key.source.clone()));
        }
        let of = setup.credentials.len();
        for (place, credential) in setup.credentials.iter().enumerate() {
            questions.push(Question {
                slug: slug.clone(),
                credential: (place, of),
                source: sources.get(place).cloned().unwrap_or_default(),
                setup: ProviderSetup {
                    provider: setup.provider.clone(),
                    credentials: vec![credential.clone()],
                    base_url: setup.base_url.clone(),
                    via: setup.via.clone(),
                    ..setup
                },
                client: client.clone(),
            });
        }
    }
    questions
}

impl Question {
    async fn answer(self) -> Finding {
        let began = Instant::now();
        let answer = tokio::time::timeout(WAIT, self.ask()).await;
        let answer = answer.unwrap_or(Answer::Failed(Reason::Timeout, None));
        self.finding(&answer, began.elapsed())
    }

    async fn ask(&self) -> Answer {
        let setup = &self.setup;
        let Ok((origin, base_path)) = Origin::parse_operator(&setup.base_url) else {
            return Answer::Failed(Reason::NotCalled, None);
        };
        let origin = origin.with_http2(setup.http2).with_via(setup.via.clone());
        let Some(address) = listing(&*setup.provider, &base_path) else {
            return Answer::Unasked("no question is known that costs nothing there");
        };
        let credential = setup.credentials.first().map(|given| &given.credential);
        let credential = match credential {
            Some(Credential::Rotating(_)) => {
                return Answer::Unasked("its token is what `tokens` says");
            }
            Some(credential) if setup.provider.signing() == Signing::Once => credential,
            _ => return Answer::Unasked("no question is known that costs nothing there"),
        };
        let mut headers: HeaderMap = address.headers.into_iter().collect();
        let signed = setup.provider.sign(
            &ToSign {
                method: &Method::GET,
                authority: &origin.authority(),
                path: &address.path,
                headers: &headers,
                body: &[],
                now_ms: 0,
            },
            credential,
        );
        let Ok(signed) = signed else {
            return Answer::Failed(Reason::Unauthorized, None);
        };
        headers.extend(signed);
        let Ok(head) = HeadTemplate::new(&origin, Method::GET, &address.path, headers) else {
            return Answer::Failed(Reason::NotCalled, None);
        };
        let request = OutgoingRequest::new(head, Default::default());
        let deadlines = Deadlines::default();
        let sent = self.client.send(&origin, &request, &deadlines);
        match sent.await {
            Ok(response) => self.read(response).await,
            Err(error) => Answer::Failed(unreachable(&error).why(), None),
        }
    }

    async fn read(&self, response: Response) -> Answer {
        let status = response.status.as_u16();
        if response.status.is_success() {
            return Answer::Listed;
        }
        let mut body = response.body;
        let mut text = Vec::new();
        while let Some(Ok(piece)) = body.next().await {
            text.extend_from_slice(&piece);
            if text.len() >= ERROR_BYTES_MAX {
                break;
            }
        }
        text.truncate(ERROR_BYTES_MAX);
        match self.failure(status, &text).why() {
            reason @ (Reason::Unauthorized | Reason::Unpaid | Reason::ServerError) => {
                Answer::Failed(reason, Some(status))
            }
            // A list that does not exist, or is not for everybody.
            _ => Answer::Reached(format!("it answers {status}, so the key is not proven")),
        }
    }

    fn failure(&self, status: u16, body: &[u8]) -> Failure {
        let provider = &self.setup.provider;
        let format = provider.interfaces("").first();
        let format = format.map_or(Format::OpenAiChat, |interface| interface.format);
        let reply = ErrorReply {
            status,
            body,
            retry_after: None,
        };
        provider.read_failure(format, &reply)
    }

    fn finding(&self, answer: &Answer, took: Duration) -> Finding {
        let who = match self.credential {
            (_, 1) => self.slug.clone(),
            (place, of) => format!("{} (key {} of {of})", self.slug, place + 1),
        };
        let ms = took.as_millis();
        let slow = if took > SLOW { "slow: " } else { "" };
        let where_set = match &*self.source {
            "" => format!("providers.{}.api_key", self.slug),
            source => source.to_owned(),
        };
        match answer {
            Answer::Listed => Finding::good(&who, format!("{slow}lists its models in {ms} ms")),
            Answer::Reached(why) => Finding::good(&who, format!("{slow}reached in {ms} ms; {why}")),
            Answer::Unasked(why) => Finding::good(&who, format!("not asked: {why}")),
            Answer::Failed(reason, status) => {
                let status = status.map_or(String::new(), |status| format!(", status {status}"));
                let (said, remedy) = self.remedy(*reason, &where_set);
                let detail = format!("{said} ({}{status}, {ms} ms)", reason.name());
                Finding::bad(&who, detail, &remedy)
            }
        }
    }

    /// What is wrong, and what helps.
    fn remedy(&self, reason: Reason, where_set: &str) -> (&'static str, String) {
        let address = &self.setup.base_url;
        match reason {
            Reason::Unauthorized => (
                "refused: it does not take the key",
                format!("give it a key that is valid and may call models: {where_set}"),
            ),
            Reason::Unpaid => (
                "refused: the account there is empty or capped",
                format!("put money on the account of the key in {where_set}"),
            ),
            Reason::Dns => (
                "unreachable: its name has no address",
                format!("see that {address} is right, and that this machine resolves names"),
            ),
            Reason::Connect => (
                "unreachable: nobody takes the connection",
                format!("see that a server runs at {address}, and that no firewall is between"),
            ),
            Reason::Tls => (
                "unreachable: there is no TLS to be had",
                format!(
                    "see that {address} speaks TLS with a certificate for its name that this machine trusts"
                ),
            ),
            Reason::Timeout => (
                "unreachable: it does not answer in time",
                format!("see that {address} answers, and that no firewall swallows what is sent"),
            ),
            Reason::NotCalled => (
                "not called: the address may not be called",
                format!(
                    "write it as providers.{}.base_url if it is meant",
                    self.slug
                ),
            ),
            _ => (
                "it answers, and does not serve",
                format!("see at the provider whether it is known; {address} answered"),
            ),
        }
    }
}
