//! Answers that come compressed.
//!
//! A stream that a provider compresses waits in the provider's buffers, so
//! requests ask for none of it. Some answer so all the same, and proxies in
//! between do it of their own accord (RFC 9110, section 12.5.3, lets them);
//! what a client's own HTTP library would unpack without a word is unpacked
//! here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::stream::poll_fn;
use http_body::{Body, Frame};
use tokio::io::{AsyncBufRead, AsyncRead};
use tokio_util::io::{StreamReader, poll_read_buf};

use crate::body::{Response, UpstreamBody};
use crate::error::{NetError, NetErrorKind};

/// How much is unpacked at a time. A few bytes can unpack to gigabytes, so
/// that no more is made than the reader has asked for.
const PIECE_BYTES: usize = 16 * 1024;

/// The silence that is put up with inside a compressed body: its reader counts
/// the silence of what comes out.
const INNER_IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// The response with its content unpacked, or as it is where nothing was
/// packed.
///
/// # Errors
/// The content comes in a coding that is not known, or in several.
pub(crate) fn decoded(mut response: Response, idle: Duration) -> Result<Response, NetError> {
    let Some(coding) = response.headers.get("content-encoding") else {
        return Ok(response);
    };
    let Some(coding) = Coding::named(coding)? else {
        return Ok(response);
    };
    let mut packed = response.body;
    packed.set_idle_timeout(INNER_IDLE);
    response.body = UpstreamBody::from_body(Unpacked::new(coding, packed), idle);
    Ok(response)
}

/// Content codings (IANA, HTTP Content Coding Registry, November 2026).
#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding of this name; `None` where the content is as it is.
    fn named(name: &[u8]) -> Result<Option<Self>, NetError> {
        let known: [(&str, Self); 5] = [
            ("gzip", Self::Gzip),
            // RFC 9110, section 8.4.1.3: the same.
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        let name = name.trim_ascii();
        if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
            return Ok(None);
        }
        let found = known
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        match found {
            Some((_, coding)) => Ok(Some(*coding)),
            None => Err(NetError::because(
                NetErrorKind::Malformed,
                "the content is in a coding that is none of gzip, deflate, br and zstd",
            )
            .written(true)),
        }
    }
}

/// A body that is unpacked as it is read.
struct Unpacked {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    piece: BytesMut,
}

impl Unpacked {
    fn new(coding: Coding, mut packed: UpstreamBody) -> Self {
        let pieces = poll_fn(move |cx| packed.poll_data(cx).map_err(io::Error::other));
        Self {
            reader: reader(coding, StreamReader::new(pieces)),
            piece: BytesMut::new(),
        }
    }
}

/// Members that follow one another are one content (RFC 1952, section 2.2;
/// RFC 8878, section 3).
fn reader(
    coding: Coding,
    packed: impl AsyncBufRead + Send + 'static,
) -> Pin<Box<dyn AsyncRead + Send>> {
    match coding {
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(packed);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        Coding::Deflate => Box::pin(ZlibDecoder::new(packed)),
        Coding::Brotli => Box::pin(BrotliDecoder::new(packed)),
        Coding::Zstd => {
            let mut decoder = ZstdDecoder::new(packed);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
    }
}

impl Body for Unpacked {
    type Data = Bytes;
    type Error = NetError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NetError>>> {
        let this = &mut *self;
        this.piece.reserve(PIECE_BYTES);
        let read = poll_read_buf(this.reader.as_mut(), cx, &mut this.piece);
        Poll::Ready(match ready!(read) {
            Ok(0) => None,
            Ok(_) => Some(Ok(Frame::data(this.piece.split().freeze()))),
            Err(error) => Some(Err(why(error))),
        })
    }
}

/// What the body failed with, or that it cannot be unpacked.
fn why(error: io::Error) -> NetError {
    match error.downcast::<NetError>() {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            NetError::because(NetErrorKind::Truncated, error)
        }
        Err(error) => NetError::because(NetErrorKind::Malformed, error),
    }
}
