//! What is before HTTP on a port that speaks TLS: the handshake, which has its
//! time, and of which a worker takes so many at once.

use std::sync::Arc;
use std::time::Duration;

use bourse_net::server_tls::ServerTls;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Handshakes that a worker takes at once. rustls keeps at most 64 KiB of what
/// a client says in one, so all of them have 64 MiB at the most. Who has not
/// begun takes no place, and is counted as every connection is.
const HANDSHAKES_MAX: usize = 1_024;
/// What is told to a client that speaks no TLS.
const NO_TLS: &str = r#"{"error":{"code":400,"message":"This port speaks TLS: call it by https:// in place of http://."}}"#;
/// What of its request is read, so that the answer is not lost with it.
const UNREAD_BYTES_MAX: u64 = 64 * 1024;
/// For how long.
const UNREAD_MAX: Duration = Duration::from_secs(2);

/// The handshakes of a worker.
#[derive(Clone)]
pub struct Encrypted {
    tls: Arc<ServerTls>,
    places: Arc<Semaphore>,
}

impl Encrypted {
    /// Those of one worker.
    pub fn new(tls: &Arc<ServerTls>) -> Self {
        Self {
            tls: Arc::clone(tls),
            places: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        }
    }

    /// Takes a handshake within `wait`. `None` if nothing came of it; the
    /// client has been told then.
    pub(super) async fn shake_hands(
        &self,
        stream: TcpStream,
        wait: Duration,
    ) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        let shaking = async {
            let mut first = [0];
            // A client that says nothing takes no place.
            match stream.peek(&mut first).await {
                Ok(1..) => {}
                _ => return Err("the client has closed before its handshake"),
            }
            // Methods of HTTP are capital letters; TLS begins with 22.
            if first[0].is_ascii_uppercase() {
                refuse(stream).await;
                return Err("a client speaks HTTP without TLS");
            }
            let _place = self.places.acquire().await;
            self.tls.accept(stream).await.map_err(|error| {
                tracing::debug!(%error, "a handshake failed");
                "a handshake failed"
            })
        };
        let shaken = tokio::time::timeout(wait, shaking).await;
        shaken
            .unwrap_or(Err("no handshake came in time"))
            .inspect_err(|why| tracing::debug!(why, "a connection ended"))
            .ok()
    }
}

/// Answers plain HTTP, whatever it asks for.
async fn refuse(mut stream: TcpStream) {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{NO_TLS}",
        NO_TLS.len()
    );
    let telling = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // The kernel takes an answer back if it closes with something unread.
        let mut unread = stream.take(UNREAD_BYTES_MAX);
        tokio::io::copy(&mut unread, &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(UNREAD_MAX, telling).await;
}
