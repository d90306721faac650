//! The content of a file, on its way out: read piece by piece, as its reader
//! takes it.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bourse_store::FileRow;
use bourse_vocab::{Failure, FailureKind};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::content::Wishes;
use crate::error::{Refused, Result};
use crate::reply::Reply;
use crate::schema::Schemas;
use crate::state::ControlState;

/// Bytes that are read at once.
const PIECE_BYTES: u64 = 256 * 1024;

/// The content of a file.
pub(crate) struct Download {
    file: File,
    bytes: u64,
    media: &'static str,
}

impl Download {
    /// Opens a file.
    pub(crate) fn open(state: &ControlState, row: &FileRow, media: &'static str) -> Result<Self> {
        let file = state.backend.contents().read(row.id).map_err(|error| {
            let failure = match error.kind() {
                // It was deleted a moment ago, or is on another node.
                io::ErrorKind::NotFound => {
                    Failure::new(FailureKind::NotFound, "There is no such file")
                }
                _ => Failure::server(format!("a file cannot be read: {error}")),
            };
            Refused(failure)
        })?;
        Ok(Self {
            file,
            bytes: row.bytes,
            media,
        })
    }
}

impl Reply for Download {
    const MEDIA: &'static str = "application/octet-stream";

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "string", "contentMediaType": "application/octet-stream"})
    }

    fn send(self, _: &Wishes) -> Response {
        let bytes = self.bytes;
        let body = Reading {
            state: State::Resting(self.file),
            left: bytes,
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.media)),
            (header::CONTENT_LENGTH, HeaderValue::from(bytes)),
        ];
        (StatusCode::OK, headers, Body::new(body)).into_response()
    }
}

/// A file that is being read.
struct Reading {
    state: State,
    left: u64,
}

enum State {
    Resting(File),
    Busy(JoinHandle<io::Result<(File, Vec<u8>)>>),
    Over,
}

fn read(mut file: File, count: u64) -> io::Result<(File, Vec<u8>)> {
    let mut piece = vec![0; usize::try_from(count).unwrap_or(0)];
    file.read_exact(&mut piece)?;
    Ok((file, piece))
}

impl HttpBody for Reading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        let this = self.get_mut();
        if let State::Resting(_) = this.state
            && this.left > 0
            && let State::Resting(file) = std::mem::replace(&mut this.state, State::Over)
        {
            let count = this.left.min(PIECE_BYTES);
            this.left = this.left.saturating_sub(count);
            let reading = tokio::task::spawn_blocking(move || read(file, count));
            this.state = State::Busy(reading);
        }
        let State::Busy(reading) = &mut this.state else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(cx));
        Poll::Ready(Some(match read.map_err(io::Error::other) {
            Ok(Ok((file, piece))) => {
                this.state = State::Resting(file);
                Ok(http_body::Frame::data(piece.into()))
            }
            Ok(Err(error)) | Err(error) => {
                this.state = State::Over;
                Err(error)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        match self.state {
            State::Resting(_) => self.left == 0,
            State::Busy(_) => false,
            State::Over => true,
        }
    }
}
