//! Asking a provider after a job, and fetching what it made.
//!
//! The provider's key goes to the provider's own address and nowhere else: what
//! lies at another is fetched without it. Redirects are followed here, a few,
//! each through the egress rules, because Google's addresses lead to others.

use std::sync::Arc;
use std::time::Duration;

use bourse_ledger::video_job::{Outcome, Taken};
use bourse_net::{
    Deadlines, HeadTemplate, NetErrorKind, Origin, OutgoingRequest, Response, Segments, Upstream,
    UpstreamBody,
};
use bourse_vocab::videos::{Progress, Shape};
use bourse_vocab::{Failure, FailureKind, Operation};
use bourse_wire::ErrorReply;
use bourse_wire::videos::codec;
use http::{HeaderMap, Method};

use crate::gateway::Gateway;
use crate::market::{Market, Target};
use crate::phases::exchange::unreachable;
use crate::rest;
use crate::way::{Follow, Way};

/// How long a question may take.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(10),
    head: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};
/// Bytes of an answer: a state, and some addresses.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Redirects of one film.
const REDIRECTS_MAX: usize = 3;

/// What came of asking.
#[derive(Debug)]
pub enum Answer {
    /// How far it has come.
    Progress(Progress),
    /// It may be known later.
    Later {
        /// When to ask again, if the provider said so.
        after: Option<Duration>,
        /// Why not now.
        why: String,
    },
    /// The provider does not know the job.
    Forgotten,
}

/// Whom to ask: the endpoint with the credential that it was sent with, or with
/// another of the provider's where that is gone.
fn target(market: &Market, taken: &Taken) -> Option<Arc<Target>> {
    let is_it = |target: &&Arc<Target>| *target.id == *taken.endpoint;
    let mut targets = market.targets().iter().filter(is_it);
    let exact = targets
        .clone()
        .find(|target| target.credential == taken.credential);
    exact.or_else(|| targets.next()).map(Arc::clone)
}

fn way_of(target: &Target, shape: Shape) -> Option<(&Way, &Follow)> {
    let mut ways = target.ways.iter();
    let way = ways.find(|way| way.operation == Operation::Videos(shape))?;
    Some((way, way.follow.as_deref()?))
}

fn later(why: impl Into<String>) -> Answer {
    Answer::Later {
        after: None,
        why: why.into(),
    }
}

/// Asks a provider once how far a job has come.
pub async fn ask<U: Upstream>(gateway: &Gateway, client: &U, taken: &Taken) -> Answer {
    let market = gateway.market.load_full();
    let (target, shape) = (target(&market, taken), Shape::from_name(&taken.shape));
    let (Some(target), Some(shape)) = (target, shape) else {
        return later("its provider or model is not configured any more");
    };
    let Some((way, follow)) = way_of(&target, shape) else {
        return later("its provider does not make films any more");
    };
    let codec = codec(shape);
    let path = format!("{}/{}", follow.base_path, codec.path(&taken.name));
    let request = match follow.get(&path).await {
        Ok(request) => request,
        Err(failure) => return later(failure.message.into_owned()),
    };
    let sent = client
        .send(&target.provider.origin, &request, &DEADLINES)
        .await;
    let response = match sent {
        Ok(response) => response,
        Err(error) => return later(error.to_string()),
    };
    let status = response.status.as_u16();
    let after = rest::announced(
        |name| response.headers.get_str(name),
        gateway.clock.now_ms(),
    );
    let body = match response.body.read_to_end(ANSWER_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return later(error.to_string()),
    };
    match status {
        200..=299 => match codec.progress(&taken.name, &body) {
            Ok(progress) => Answer::Progress(progress),
            Err(failure) => later(failure.message.into_owned()),
        },
        404 | 410 => Answer::Forgotten,
        _ => {
            let reply = ErrorReply {
                status,
                body: &body,
                retry_after: after,
            };
            let failure = target.provider.provider.read_failure(way.format, &reply);
            let failure = target.secrets.clean(failure);
            Answer::Later {
                after: after.or(failure.retry_after),
                why: format!("it answers with {status}: {}", failure.message),
            }
        }
    }
}

/// A film on its way.
pub struct Film {
    /// What it is.
    pub media: String,
    /// How many bytes it has, if that was said.
    pub bytes: Option<u64>,
    /// The bytes.
    pub body: UpstreamBody,
}

/// Fetches one of the films of a job.
///
/// # Errors
/// There is none of that number, its time is up, or the provider does not give
/// it now.
pub async fn fetch<U: Upstream>(
    gateway: &Gateway,
    client: &U,
    (taken, outcome): (&Taken, &Outcome),
    index: usize,
) -> Result<Film, Failure> {
    let Outcome::Made { places, .. } = outcome else {
        return Err(Failure::new(FailureKind::NotFound, "Nothing was made"));
    };
    let place = places.get(index).ok_or_else(|| {
        let message = format!("index: there are {} films; the first is 0", places.len());
        Failure::new(FailureKind::NotFound, message)
    })?;
    let market = gateway.market.load_full();
    let (target, shape) = (target(&market, taken), Shape::from_name(&taken.shape));
    let found = target.as_ref().zip(shape);
    let found = found.and_then(|(target, shape)| Some((target, way_of(target, shape)?.1)));
    let (target, follow) = found.ok_or_else(|| {
        Failure::unavailable("The provider that made the film is not configured any more")
    })?;
    let own = &target.provider.origin;
    let (mut origin, mut path) = if place.contains("://") {
        Origin::parse(place).map_err(|error| odd_address(&error.to_string()))?
    } else {
        (own.clone(), format!("{}/{place}", follow.base_path))
    };
    for _ in 0..=REDIRECTS_MAX {
        // An address that the provider writes out may be its own.
        let is_own = origin.authority() == own.authority() && origin.scheme() == own.scheme();
        let (to, request) = if is_own {
            (own, follow.get(&path).await?)
        } else {
            (&origin, plain_get(&origin, &path)?)
        };
        let sent = client.send(to, &request, &DEADLINES).await;
        let response = sent.map_err(|error| {
            if error.kind == NetErrorKind::Egress {
                return odd_address("the egress rules refuse it");
            }
            unreachable(&error)
        })?;
        match response.status.as_u16() {
            200..=299 => return Ok(film(response)),
            301 | 302 | 303 | 307 | 308 => {
                let location = response.headers.get_str("location").unwrap_or_default();
                (origin, path) =
                    Origin::parse(location).map_err(|error| odd_address(&error.to_string()))?;
            }
            401 | 403 | 404 | 410 => {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    "The provider does not have the film any more: its time is up, or it was deleted there",
                ));
            }
            status => {
                return Err(Failure::unavailable(format!(
                    "The provider does not give the film now (status {status})"
                )));
            }
        }
    }
    Err(odd_address("it leads to others again and again"))
}

fn odd_address(why: &str) -> Failure {
    Failure::unavailable("The address that the provider gave for the film may not be called")
        .inside(why.to_owned())
}

fn film(response: Response) -> Film {
    let header = |name: &str| response.headers.get_str(name);
    // What plays elsewhere is not run here: whatever else a provider calls it.
    let media = header("content-type").filter(|media| media.starts_with("video/"));
    let media = media.unwrap_or("video/mp4").to_owned();
    let bytes = header("content-length").and_then(|text| text.parse().ok());
    Film {
        media,
        bytes,
        body: response.body,
    }
}

fn plain_get(origin: &Origin, path: &str) -> Result<OutgoingRequest, Failure> {
    let head = HeadTemplate::new(origin, Method::GET, path, HeaderMap::new());
    let head = head.map_err(|error| odd_address(&error.to_string()))?;
    Ok(OutgoingRequest::new(head, Segments::new()))
}
