//! The requests that are measured with.

use std::net::SocketAddr;

/// Which behaviour of the simulated provider a request asks for; also its
/// model's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A whole answer of about 1.4 KB, or a stream of one chunk.
    Short,
    /// A stream of [`CHUNKS`] chunks, as fast as they can be taken.
    Full,
    /// A stream of a chunk every 20 ms.
    Paced,
    /// A stream that stops after its first chunk and stays open.
    Idle,
}

/// Chunks of a stream at full speed.
pub const CHUNKS: u64 = 200;
/// Between two chunks of a paced stream, in microseconds.
pub const PACE_US: u64 = 20_000;

impl Profile {
    pub const ALL: [Self; 4] = [Self::Short, Self::Full, Self::Paced, Self::Idle];

    /// Name of the simulated provider, and of the model without `bench/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Full => "full",
            Self::Paced => "paced",
            Self::Idle => "idle",
        }
    }
}

/// Ordinary prose with a line break, which JSON escapes, in every line.
const LINE: &str = "The exchange opens at nine, and by ten every broker has quoted a price for \
    the day's grain, copper and cloth.\\n";

/// A chat request of about `bytes` bytes in all.
pub fn request_body(profile: Profile, stream: bool, bytes: usize) -> Vec<u8> {
    let head = format!(
        "{{\"model\":\"bench/{}\",\"stream\":{stream},\"temperature\":0.7,\"max_tokens\":400,\
         \"user\":\"bench\",\"messages\":[{{\"role\":\"system\",\"content\":\"Answer briefly.\"}},\
         {{\"role\":\"user\",\"content\":\"",
        profile.name()
    );
    let tail = "\"}]}";
    let mut body = head;
    while body.len() + tail.len() + LINE.len() <= bytes {
        body.push_str(LINE);
    }
    body.push_str(tail);
    body.into_bytes()
}

/// A whole HTTP/1.1 request.
pub fn request(addr: SocketAddr, path: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    request
}
