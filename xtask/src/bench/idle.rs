//! Many streams that have begun and then say nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::prompts::Profile;
use super::subject::Subject;

/// Longest wait for a stream's first chunk.
const FIRST_CHUNK_TIMEOUT: Duration = Duration::from_secs(20);
/// Opened before their first chunks are waited for.
const WAVE: usize = 100;
/// Most bytes looked at for the first chunk.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Opens so many streams and waits for the first chunk of each.
pub fn open(subject: &Subject, count: usize) -> Result<Vec<TcpStream>, String> {
    let request = subject.request(Profile::Idle, true, 1_000);
    let say = |error: std::io::Error| format!("{} open streams: {error}", subject.kind.name());
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let wave = WAVE.min(count - streams.len());
        let begun = streams.len();
        for _ in 0..wave {
            let mut stream = TcpStream::connect(subject.addr).map_err(say)?;
            stream
                .set_read_timeout(Some(FIRST_CHUNK_TIMEOUT))
                .map_err(say)?;
            stream.write_all(&request).map_err(say)?;
            streams.push(stream);
        }
        for stream in streams.iter_mut().skip(begun) {
            wait_for_chunk(stream).map_err(say)?;
        }
    }
    Ok(streams)
}

fn wait_for_chunk(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut have = Vec::with_capacity(2_048);
    let mut buffer = [0_u8; 2_048];
    loop {
        let read = stream.read(&mut buffer)?;
        have.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&have);
        if text.contains("data: {") {
            return Ok(());
        }
        // An answer that is no stream keeps its connection: no chunk would
        // come, and nobody would say why.
        let head = text.split_once("\r\n\r\n").map(|(head, _)| head);
        let is_refused = head.is_some_and(|head| !head.starts_with("HTTP/1.1 200 "));
        if is_refused || read == 0 || have.len() > ANSWER_BYTES_MAX {
            let first = text.lines().next().unwrap_or_default().to_owned();
            return Err(std::io::Error::other(format!("no chunk came: {first}")));
        }
    }
}
