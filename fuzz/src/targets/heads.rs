//! HTTP/1.1, as a server and as a client.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bourse_net::h1_server::{Answer, Answering, Ended, RequestBody, Service, Waits, serve};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Target;
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// Requests on a connection, as clients, proxies and smugglers write them.
pub struct OfClients;

/// Answers on a connection, as providers write them.
pub struct OfProviders;

/// How long a client may take to send a head: everything is there already.
const WAITS: Waits = Waits {
    head: Duration::from_secs(10),
    next: Duration::from_secs(10),
};

impl Target for OfClients {
    fn name(&self) -> &'static str {
        "client-heads"
    }

    fn held_to(&self) -> &'static str {
        "the requests of a connection are the same, with the same bodies, however its bytes are cut"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let texts = [
            "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
            "POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nx: y\r\n\r\n",
            "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
            "POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "POST /a HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-1\r\nuser-agent: x/1\r\naccept: */*\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
        ];
        let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        seeds.push([texts[0], texts[1], texts[6]].concat().into_bytes());
        Ok(seeds)
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let pieces = Chance::new(of_bytes(input)).pieces(input);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| error.to_string())?;
        let (whole, end) = runtime.block_on(served(&[input]));
        let (cut, cut_end) = runtime.block_on(served(&pieces));
        // A head that is not all there is hyper's or nobody's, by where it was cut.
        if whole != cut {
            return Err(format!(
                "cut otherwise there are other requests\n{whole:?} {end:?}\n{cut:?} {cut_end:?}"
            ));
        }
        let mut sign = Sign::default();
        sign.count(whole.len());
        for request in &whole {
            sign.count(request.len());
        }
        sign.text(match end {
            End::Other => "other",
            End::Closed(why) => why,
        });
        Ok(sign.get())
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its next request is hyper's.
    Other,
    /// It was closed, and why.
    Closed(&'static str),
}

/// The requests that were served, each as text, and how the connection ended.
async fn served(pieces: &[&[u8]]) -> (Vec<String>, End) {
    let server = Server::default();
    let stream = Wire {
        pieces: pieces
            .iter()
            .rev()
            .map(|piece| Bytes::copy_from_slice(piece))
            .collect(),
    };
    let end = match serve(stream, &server, WAITS, std::future::pending()).await {
        Ended::Other(..) => End::Other,
        Ended::Closed(why) => End::Closed(why),
    };
    let seen = server
        .0
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    (seen, end)
}

/// Answers every request and notes it.
#[derive(Default)]
struct Server(Mutex<Vec<String>>);

impl Service<Wire> for Server {
    type Route = ();
    type Reply = Said;

    fn route(&self, path: &str, _: &dyn Fn(&str) -> bool) -> Option<()> {
        path.starts_with('/').then_some(())
    }

    fn answer<'a>(
        &'a self,
        (): (),
        request: Request<RequestBody<'a, Wire>>,
    ) -> Answering<'a, Self::Reply> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut response = Response::new(Said(Full::new(Bytes::from_static(b"ok"))));
            // No longer than the input, which is bounded.
            #[allow(clippy::disallowed_methods)]
            let collected = body.collect().await;
            let body = match collected {
                Ok(body) => body.to_bytes(),
                Err(_) => {
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                    Bytes::from_static(b"broken")
                }
            };
            let text = format!("{} {} {:?} {body:?}", head.method, head.uri, head.headers);
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(text);
            response
        })
    }
}

/// An answer of a few bytes.
struct Said(Full<Bytes>);

impl Answer for Said {}

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A client that sends its pieces, reads everything, and closes its side.
struct Wire {
    /// The last first.
    pieces: Vec<Bytes>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.pieces.pop() else {
            // Closed by the client: nobody waits for a deadline.
            return Poll::Ready(Ok(()));
        };
        let now = piece.split_to(piece.len().min(buf.remaining()));
        buf.put_slice(&now);
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Target for OfProviders {
    fn name(&self) -> &'static str {
        "provider-heads"
    }

    fn held_to(&self) -> &'static str {
        "a provider's answer has the same head, body and end however its bytes are cut"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let texts = [
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nx: y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil it is closed",
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ];
        Ok(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let pieces = Chance::new(of_bytes(input)).pieces(input);
        // How much came before what is wrong in a body is the cuts' doing.
        let read = |pieces: &[&[u8]]| {
            bourse_net::reply_of(pieces).map(|mut reply| {
                if reply.end == "broken" {
                    reply.body.clear();
                }
                reply
            })
        };
        let (whole, cut) = (read(&[input]), read(&pieces));
        if whole != cut {
            return Err(format!(
                "cut otherwise it is another answer\n{whole:?}\n{cut:?}"
            ));
        }
        let mut sign = Sign::default();
        match whole {
            Ok(reply) => {
                sign.count(usize::from(reply.status));
                sign.count(reply.body.len());
                sign.text(reply.end);
            }
            Err(why) => sign.sentence(&why),
        }
        Ok(sign.get())
    }
}
