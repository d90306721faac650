//! One connection: who reads it, and who answers its requests.
//!
//! A connection begins with [`h1_server`], which reads model calls and
//! nothing else. The first request that is none (another path or method, a
//! head that is odd in any way) takes the connection to hyper, with the bytes
//! that were read, and there it stays. So every refusal of a head is hyper's or
//! ours as it always was, and the short way serves only what is beyond doubt.
//! On a port that speaks TLS all of that is inside it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bourse_control::cors;
use bourse_dataplane::admission::priority::PRIORITY;
use bourse_dataplane::boxed::boxed;
use bourse_dataplane::counting::count;
use bourse_dataplane::endpoints::{self, Counter, Endpoint};
use bourse_dataplane::pipeline::call;
use bourse_dataplane::realtime::{self, Session};
use bourse_dataplane::refusal::refuse;
use bourse_dataplane::respond::{self, ReplyBody};
use bourse_net::h1_server::{self, Answering, Ended, RequestBody};
use bourse_net::websocket::Socket;
use bourse_vocab::{Failure, FailureKind};
use bytes::Bytes;
use http::header::{CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::ServiceExt;

use super::guarded::{Guarded, Watched};
use super::written::{ByHyper, Flushed};
use super::{Service, framing, head, stopped};

/// Bytes that hyper buffers for a connection, which is also what bounds a
/// request's head: it refuses with 431 what is longer, give or take one read.
/// Large enough that a long body arrives in few pieces.
const BUFFER_BYTES_MAX: usize = 512 * 1024;

/// How the names of headers begin that nobody reads.
const UNREAD_PREFIX: &str = "x-stainless-";
/// Others that nobody reads: an answer of a model has one type, one language
/// and no encoding.
const UNREAD: [&str; 3] = ["accept", "accept-encoding", "accept-language"];

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, service: Service, stop: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    match &service.encrypted {
        None => speak(stream, service, stop).await,
        // Boxed: a plain connection should not have the room for it.
        Some(_) => Box::pin(speak_within_tls(stream, service, stop)).await,
    }
}

/// Serves a connection whose first words are a handshake.
async fn speak_within_tls(stream: TcpStream, service: Service, mut stop: watch::Receiver<bool>) {
    let Some(encrypted) = &service.encrypted else {
        return;
    };
    let shaken = tokio::select! {
        shaken = encrypted.shake_hands(stream, service.waits.head) => shaken,
        () = stopped(&mut stop) => return,
    };
    if let Some(stream) = shaken {
        speak(stream, service, stop).await;
    }
}

/// Serves HTTP on a connection to its end.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    service: Service,
    mut stop: watch::Receiver<bool>,
) {
    let stream = Guarded::new(stream, service.write_timeout);
    let calls = Calls { service: &service };
    let stopping = stopped(&mut stop);
    match h1_server::serve(stream, &calls, service.waits, stopping).await {
        Ended::Closed(why) => tracing::debug!(why, "a connection ended"),
        // Boxed: most connections never come here, and should not have the
        // room for it.
        Ended::Other(stream, read) => Box::pin(by_hyper(stream, read, &service, stop)).await,
    }
}

/// Serves what is left of a connection, of which `read` was read.
async fn by_hyper<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    read: Bytes,
    service: &Service,
    mut stop: watch::Receiver<bool>,
) {
    let watch = framing::Watch::default();
    let is_ambiguous = watch.is_ambiguous();
    let flushed = Flushed::default();
    let waits = service.waits;
    let watched = Watched::new(stream, read, waits.head, watch, Arc::clone(&flushed));
    let io = TokioIo::new(watched);
    let switching = Switching::default();
    let handler = service_fn(|request: Request<Incoming>| {
        let (is_ambiguous, flushed, switching) = (&is_ambiguous, &flushed, &switching);
        async move {
            let answer = answer(service, request, (is_ambiguous, switching)).await;
            Ok::<_, Infallible>(answer.map(|body| ByHyper::new(body, flushed)))
        }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(waits.head.max(waits.next))
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(io, handler)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            // Finish what is under way, then close.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
    let switched = switching.lock().ok().and_then(|mut one| one.take());
    if let Some((upgrade, session)) = switched {
        // Boxed: few connections become sessions.
        Box::pin(talk::<S>(upgrade, session, stop)).await;
    }
}

/// A session whose connection is about to switch to WebSocket.
type Switching = Mutex<Option<(OnUpgrade, Box<Session>)>>;

/// Holds a session on a connection that has switched.
async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    upgrade: OnUpgrade,
    session: Box<Session>,
    stop: watch::Receiver<bool>,
) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => return tracing::debug!(%error, "a connection did not switch"),
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<Watched<S>>>() else {
        return tracing::error!("a connection has switched that nobody handed over");
    };
    let (stream, unread) = parts.io.into_inner().into_inner();
    let read = [parts.read_buf, unread].concat();
    let client = Socket::of_client(stream, read.into()).await;
    session.run(client, stop).await;
}

/// Answers a request for a session: with the switch to WebSocket, or as any
/// other call is refused.
async fn switch(
    service: &Service,
    endpoint: &'static dyn Endpoint,
    mut request: Request<Incoming>,
    switching: &Switching,
) -> Response<ReplyBody> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let opened = match realtime::open(&service.worker, endpoint, &head).await {
        Ok(opened) => opened,
        Err(response) => return *response,
    };
    let mut response = Response::new(ReplyBody::Whole(None, None));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&opened.accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = opened.protocol {
        let protocol = HeaderValue::from_static(protocol);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    if let Ok(mut switching) = switching.lock() {
        *switching = Some((upgrade, opened.session));
    }
    response
}

/// What is to be done with a request.
struct Route {
    endpoint: &'static dyn Endpoint,
    /// It is refused without being looked at any further.
    is_refused: bool,
}

/// Answers the model calls of a connection that brought nothing else so far.
struct Calls<'a> {
    service: &'a Service,
}

impl<S: AsyncRead + Unpin + Send + 'static> h1_server::Service<S> for Calls<'_> {
    type Route = Route;
    type Reply = ReplyBody;

    fn route(&self, path: &str, has: &dyn Fn(&str) -> bool) -> Option<Route> {
        let endpoint = endpoint_at(path)?;
        // Who may wait says so in a header, and a page wants to be told that it
        // may read the refusal.
        let door = &self.service.worker.door;
        let is_refused = door.has_refused()
            && !has(PRIORITY.as_str())
            && !has(ORIGIN.as_str())
            && door.keeps_refusing();
        Some(Route {
            endpoint,
            is_refused,
        })
    }

    /// What SDKs say of themselves and what they accept nobody reads, and it is
    /// more than half of what they send.
    fn reads(&self, route: &Route, name: &str) -> bool {
        if route.is_refused {
            return false;
        }
        let prefix = name.get(..UNREAD_PREFIX.len());
        let is_unread = prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(UNREAD_PREFIX));
        !is_unread
            && !UNREAD
                .iter()
                .any(|unread| name.eq_ignore_ascii_case(unread))
    }

    fn answer<'a>(
        &'a self,
        route: Route,
        request: Request<RequestBody<'a, S>>,
    ) -> Answering<'a, ReplyBody> {
        let endpoint = route.endpoint;
        if route.is_refused {
            let refusal = refuse(&self.service.worker, endpoint);
            return Box::pin(std::future::ready(refusal));
        }
        boxed(move || async move {
            match head::check(&request, &self.service.hosts) {
                Ok(()) => model_call(self.service, endpoint, request).await,
                Err(failure) => closing(respond::failure(endpoint, &failure, None)),
            }
        })
    }
}

/// Serves a request whose head can be read in one way only, and was meant for
/// this server. Behind a refusal the connection is closed: nobody knows where
/// the next request begins.
async fn answer(
    service: &Service,
    request: Request<Incoming>,
    (is_ambiguous, switching): (&AtomicBool, &Switching),
) -> Response<ReplyBody> {
    let checked = if is_ambiguous.load(Relaxed) {
        Err(head::ambiguous())
    } else {
        head::check(&request, &service.hosts)
    };
    let Err(failure) = checked else {
        return route(service, request, switching).await;
    };
    closing(match words_at(request.uri().path()) {
        Some(endpoint) => respond::failure(endpoint, &failure, None),
        None => bourse_control::failure_response(failure)
            .map(|body| ReplyBody::Other(Box::pin(Boxed(body)))),
    })
}

/// Makes an answer the last of its connection.
fn closing(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// The endpoint of a path, with or without `/api` in front.
fn endpoint_at(path: &str) -> Option<&'static dyn Endpoint> {
    endpoints::at(path.strip_prefix("/api").unwrap_or(path))
}

/// The endpoint of a path where a connection is asked for, likewise.
fn session_at(path: &str) -> Option<&'static dyn Endpoint> {
    endpoints::session_at(path.strip_prefix("/api").unwrap_or(path))
}

/// The counter of a path, likewise.
fn counter_at(path: &str) -> Option<&'static dyn Counter> {
    endpoints::counter_at(path.strip_prefix("/api").unwrap_or(path))
}

/// Whoever words what is told at a path of the data plane.
fn words_at(path: &str) -> Option<&'static dyn Endpoint> {
    let counter = || counter_at(path).map(|counter| counter as &dyn Endpoint);
    endpoint_at(path).or_else(counter)
}

/// Model calls go straight to the data plane, everything else to the router.
/// Both see the same path, and the same bytes of it.
async fn route(
    service: &Service,
    request: Request<Incoming>,
    switching: &Switching,
) -> Response<ReplyBody> {
    let path = request.uri().path();
    if request.method() == Method::GET
        && let Some(endpoint) = session_at(path)
    {
        let is_page = is_page(&request);
        let response = Box::pin(switch(service, endpoint, request, switching)).await;
        return for_page(is_page, response);
    }
    let Some(endpoint) = words_at(path).filter(|_| request.method() != Method::OPTIONS) else {
        return control(service, request).await;
    };
    if request.method() == Method::POST {
        return match counter_at(path) {
            Some(counter) => {
                let is_page = is_page(&request);
                for_page(is_page, count(&service.worker, counter, request).await)
            }
            None => model_call(service, endpoint, request).await,
        };
    }
    let failure = Failure::new(
        FailureKind::NotFound,
        format!("{} {path} does not exist; use POST", request.method()),
    );
    let is_page = is_page(&request);
    for_page(is_page, respond::failure(endpoint, &failure, None))
}

/// Answers a model call, whoever read it.
async fn model_call<B>(
    service: &Service,
    endpoint: &'static dyn Endpoint,
    request: Request<B>,
) -> Response<ReplyBody>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let is_page = is_page(&request);
    let by_query = request
        .uri()
        .query()
        .and_then(|query| endpoint.with_query(query));
    let endpoint = by_query.unwrap_or(endpoint);
    for_page(is_page, call(&service.worker, endpoint, request).await)
}

/// Browsers say where a page comes from, and want to be told that it may
/// read the answer. Others are spared the headers.
fn is_page<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(ORIGIN)
}

fn for_page(is_page: bool, mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    if is_page {
        cors::allow(response.headers_mut());
    }
    response
}

async fn control(service: &Service, request: Request<Incoming>) -> Response<ReplyBody> {
    let mut request = request.map(axum::body::Body::new);
    bourse_control::lead_googles(&mut request);
    let answer = service
        .control_runtime
        .spawn(service.control.clone().oneshot(request))
        .await;
    let response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(error) => bourse_control::failure_response(Failure::server(format!(
            "a control-plane request failed: {error}"
        ))),
    };
    response.map(|body| ReplyBody::Other(Box::pin(Boxed(body))))
}

/// An axum body, with errors that the data plane can carry.
struct Boxed(axum::body::Body);

impl http_body::Body for Boxed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().0)
            .poll_frame(cx)
            .map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::UNREAD_PREFIX;

    fn mentions(folder: &Path, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(mentions(&path, text));
            } else if std::fs::read_to_string(&path).unwrap().contains(text) {
                found.push(path.display().to_string());
            }
        }
        found
    }

    /// They are not in the requests that the data plane sees.
    #[test]
    fn no_source_of_the_data_plane_reads_a_header_that_is_left_out() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dataplane/src");
        assert_eq!(mentions(&sources, UNREAD_PREFIX), Vec::<String>::new());
        assert!(!mentions(&sources, "x-api-key").is_empty());
    }
}
