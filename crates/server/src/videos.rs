//! Films in a running server: where jobs are kept, who follows them, who calls
//! callbacks, and how a film comes to its client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bourse_control::Film;
use bourse_dataplane::clock::now_ms;
use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::videos::book::{self, Book, RUNNING_MAX};
use bourse_dataplane::videos::{Job, follow};
use bourse_jobs::BoxFuture;
use bourse_jobs::video::{self, Posted, Teller};
use bourse_net::{
    Client, ClientConfig, EgressPolicy, Origin, OriginHost, Roads, Scheme, UpstreamBody,
    is_public_url,
};
use bourse_store::{Store, StoreError, VideoRow};
use bourse_vocab::{AccountId, Failure, FailureKind};
use bytes::Bytes;
use http_body::Frame;

use crate::webhooks::{self, Message};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a client waits until its job is written down.
const NOTED_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take to find where a callback is.
const FOUND_WITHIN: Duration = Duration::from_secs(5);

/// Which addresses callbacks may have.
#[derive(Debug, Clone, Default)]
pub struct Callbacks {
    /// Those of the operator's own network.
    origins: Vec<Origin>,
    roads: Arc<Roads>,
}

impl Callbacks {
    /// Public ones, and these.
    pub const fn new(origins: Vec<Origin>, roads: Arc<Roads>) -> Self {
        Self { origins, roads }
    }

    /// What may be reached for them.
    fn egress(&self) -> EgressPolicy {
        let mut egress = EgressPolicy::by(&self.roads);
        for origin in &self.origins {
            egress.allow_origin(origin);
        }
        egress
    }

    /// Where a callback is.
    ///
    /// # Errors
    /// In a sentence for whoever wrote it.
    fn find(&self, url: &str) -> Result<(Origin, String), &'static str> {
        let refused =
            "callback_url: must be an https address that anybody on the internet can call";
        if let Ok((origin, path)) = Origin::parse_operator(url)
            && self.origins.contains(&origin)
        {
            return Ok((origin, path));
        }
        let (origin, path) = Origin::parse(url).map_err(|_| refused)?;
        if origin.scheme() != Scheme::Https || !is_public_url(url) {
            return Err(refused);
        }
        Ok((origin, path))
    }

    /// The same, with what name servers say of it now.
    async fn check(&self, url: &str) -> Result<(), Failure> {
        let (origin, _) = self.find(url).map_err(Failure::invalid)?;
        if origin.is_operators() {
            return Ok(());
        }
        // Behind a proxy names are its own, and the egress rules go by what is
        // written.
        let egress = self.egress();
        if egress.proxy(&origin).is_some() {
            let checked = egress.check_named(&origin);
            return checked.map_err(|_| Failure::invalid("callback_url: is not called"));
        }
        // A literal address has been looked at.
        let OriginHost::Name(host) = origin.host() else {
            return Ok(());
        };
        let found = tokio::net::lookup_host((&**host, origin.port()));
        let found = tokio::time::timeout(FOUND_WITHIN, found).await;
        let Ok(Ok(mut found)) = found else {
            return Err(Failure::invalid(
                "callback_url: its host is not known to name servers",
            ));
        };
        if found.any(|address| !bourse_net::is_globally_routable(address.ip())) {
            return Err(Failure::invalid(
                "callback_url: its host leads to a private address, which is not called",
            ));
        }
        Ok(())
    }
}

/// Jobs in the database.
pub struct Jobs {
    store: Arc<dyn Store>,
    callbacks: Callbacks,
}

impl Jobs {
    /// Jobs of this store.
    pub fn new(store: &Arc<dyn Store>, callbacks: Callbacks) -> Self {
        Self {
            store: Arc::clone(store),
            callbacks,
        }
    }

    async fn check_callback(&self, account: AccountId, url: &str) -> Result<(), Failure> {
        self.callbacks.check(url).await?;
        let secret = within(self.store.webhook_secret(account)).await?;
        if secret.is_none() {
            return Err(Failure::new(
                FailureKind::PreconditionFailed,
                "callback_url: the account has no secret to sign with; make one with POST /api/v1/webhooks/secret and a management key",
            ));
        }
        Ok(())
    }
}

/// What the database says, if it says something soon.
async fn within<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
    let away = |why: String| {
        Failure::new(FailureKind::Overloaded, "Jobs cannot be noted right now.").inside(why)
    };
    match tokio::time::timeout(NOTED_WITHIN, asked).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(away(error.to_string())),
        Err(_) => Err(away("the database does not answer".to_owned())),
    }
}

impl Book for Jobs {
    fn begin<'a>(&'a self, video: VideoRow, callback: Option<&'a str>) -> book::Reply<'a, ()> {
        Box::pin(async move {
            let account = video.account;
            if let Some(url) = callback {
                self.check_callback(account, url).await?;
            }
            if within(self.store.create_video(video, RUNNING_MAX)).await? {
                Ok(())
            } else {
                Err(book::too_many(account))
            }
        })
    }

    fn save(&self, video: VideoRow) -> book::Reply<'_, ()> {
        Box::pin(async move {
            if within(self.store.save_video(video)).await? {
                Ok(())
            } else {
                Err(Failure::server("a job is not known any more"))
            }
        })
    }
}

/// Calls callbacks.
pub struct Messages {
    store: Arc<dyn Store>,
    callbacks: Callbacks,
    client: Client,
}

impl Messages {
    /// # Errors
    /// TLS cannot be used.
    pub fn new(store: &Arc<dyn Store>, callbacks: Callbacks) -> Result<Self, Error> {
        let client = Client::new(ClientConfig {
            egress: callbacks.egress(),
            ..ClientConfig::default()
        })?;
        Ok(Self {
            store: Arc::clone(store),
            callbacks,
            client,
        })
    }

    async fn send(&self, account: AccountId, url: &str, id: &str, body: &[u8]) -> Posted {
        let later = |why: String| Posted::Later { after: None, why };
        let (origin, path) = match self.callbacks.find(url) {
            Ok(found) => found,
            Err(why) => return Posted::Refused(why.to_owned()),
        };
        let key = match within(self.store.webhook_secret(account)).await {
            Ok(Some(key)) => key,
            Ok(None) => return Posted::Refused("there is no secret to sign with".to_owned()),
            Err(failure) => return later(failure.message.into_owned()),
        };
        let message = Message {
            id,
            body,
            at_s: now_ms() / 1_000,
        };
        match webhooks::post(&self.client, (&origin, &path), &key, message).await {
            webhooks::Posted::Taken(_) => Posted::Taken,
            webhooks::Posted::Later { after, why } => Posted::Later { after, why },
            webhooks::Posted::Refused(status) => {
                Posted::Refused(format!("it answers with {status}"))
            }
        }
    }
}

impl Teller for Messages {
    fn tell(
        &self,
        account: AccountId,
        url: String,
        id: String,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Posted> {
        Box::pin(async move { self.send(account, &url, &id, &body).await })
    }
}

/// What a client is told of a job.
///
/// # Errors
/// What is written of it cannot be read.
pub fn answer(row: &VideoRow) -> Result<Vec<u8>, Failure> {
    let job = read(row)?;
    let id = row.id.to_string();
    Ok(video::told(&id, row, &job).answer())
}

fn read(row: &VideoRow) -> Result<Job, Failure> {
    Job::read(&row.job).map_err(|error| Failure::server(format!("a job is written oddly: {error}")))
}

/// Fetches a film.
///
/// # Errors
/// There is none of that number, or its provider does not give it.
pub async fn content(
    gateway: &Gateway,
    client: &Client,
    row: &VideoRow,
    index: usize,
) -> Result<Film, Failure> {
    let job = read(row)?;
    let (Some(taken), Some(outcome)) = (&job.taken, &job.outcome) else {
        return Err(Failure::new(FailureKind::NotFound, "Nothing was made"));
    };
    let film = follow::fetch(gateway, client, (taken, outcome), index).await?;
    let body = Passing {
        body: film.body,
        left: FILM_BYTES_MAX,
    };
    Ok(Film {
        media: film.media,
        bytes: film.bytes,
        body: axum::body::Body::new(body),
    })
}

/// The most bytes of a film: a minute of the largest size has some 500 MB.
const FILM_BYTES_MAX: u64 = 4 << 30;

/// A film that passes through, a piece at a time as its client takes them.
struct Passing {
    body: UpstreamBody,
    left: u64,
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        Poll::Ready(match ready!(this.body.poll_data(cx)) {
            None => None,
            Some(Err(error)) => Some(Err(error.into())),
            Some(Ok(piece)) => match this.left.checked_sub(piece.len() as u64) {
                Some(left) => {
                    this.left = left;
                    Some(Ok(Frame::data(piece)))
                }
                None => Some(Err("the film is larger than any may be".into())),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_are_public_and_secure_unless_the_operator_lists_them() {
        let own = Origin::parse_operator("http://10.0.0.7:8080").unwrap().0;
        let callbacks = Callbacks::new(vec![own], Arc::default());
        for url in [
            "https://example.com/hook?x=1",
            "https://example.com:8443/",
            "http://10.0.0.7:8080/hook",
        ] {
            assert!(callbacks.find(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/hook",
            "https://127.0.0.1/",
            "https://10.0.0.7:8080/",
            "https://[::1]/",
            "https://localhost/",
            "https://a.internal/",
            "https://user@example.com/",
            "https://169.254.169.254/",
            "ftp://example.com/",
            "example.com",
            "",
        ] {
            assert!(callbacks.find(url).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn names_that_lead_to_private_addresses_are_refused_when_a_job_is_made() {
        let callbacks = Callbacks::default();
        for url in ["https://127.0.0.1/", "https://localhost/x"] {
            let failure = callbacks.check(url).await.unwrap_err();
            assert!(failure.message.starts_with("callback_url: "), "{url}");
        }
    }
}
