//! A provider that is none: whatever it is asked, it answers with something
//! that must not be taken for an answer, must not take the server's memory or
//! time, and must send the call on to the next provider.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::words::mix;

/// Bytes that a small compressed answer becomes.
const BOMB_BYTES: usize = 64 << 20;
/// The most that one answer without an end sends, and how long it goes on: a
/// server that reads on for ever would be found, and the run would end all
/// the same.
const ENDLESS_BYTES_MAX: usize = 128 << 20;
const ENDLESS_MAX: Duration = Duration::from_secs(20);
/// Longest wait for a request that does not come.
const READ_MAX: Duration = Duration::from_secs(10);
/// How many manners there are.
const MANNERS: u64 = 14;

/// An impostor, on threads of its own until the process ends.
#[derive(Debug)]
pub struct Impostor {
    /// Where it listens.
    pub address: SocketAddr,
    answered: Arc<AtomicU64>,
}

impl Impostor {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub fn start(seed: u64) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the impostor: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let bomb: Arc<[u8]> = bomb().map_err(failed)?.into();
        let answered = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&answered);
        std::thread::Builder::new()
            .name("impostor".to_owned())
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    let bomb = Arc::clone(&bomb);
                    let manner = mix(seed, count.fetch_add(1, Ordering::AcqRel)) % MANNERS;
                    // One that cannot be started is a connection that is closed.
                    let _ = std::thread::Builder::new().spawn(move || {
                        // The server goes away whenever it likes.
                        let _ = answer(stream, manner, &bomb);
                    });
                }
            })
            .map_err(failed)?;
        Ok(Self { address, answered })
    }

    /// How many connections it had.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }
}

/// Blanks, compressed: they may stand before any JSON, so that nothing is
/// wrong with them before their end.
fn bomb() -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..BOMB_BYTES >> 20 {
        encoder.write_all(&blanks)?;
    }
    encoder.finish()
}

fn answer(mut stream: TcpStream, manner: u64, bomb: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ_MAX))?;
    stream.set_write_timeout(Some(READ_MAX))?;
    // What was asked does not matter, but that it was.
    let mut request = [0; 16 * 1024];
    if stream.read(&mut request)? == 0 {
        return Ok(());
    }
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let events = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    let mut say = |text: String| stream.write_all(text.as_bytes());
    match manner {
        0 => {
            let length = bomb.len();
            say(format!("{json}content-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"))?;
            stream.write_all(bomb)
        }
        1 => say(format!("{json}content-length: 1000\r\n\r\n{{\"choices\":")),
        2 => say(format!("{json}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{{}}")),
        3 => say(format!("{json}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")),
        4 => {
            say("HTTP/1.1 200 OK\r\n".to_owned())?;
            without_end(&mut stream, &b"x-more: and more\r\n".repeat(64), Duration::ZERO)
        }
        5 => {
            say(format!("{events}\r\n"))?;
            without_end(&mut stream, b": still here\n\n", Duration::from_millis(20))
        }
        6 => {
            let body = r#"{"error":{"message":"The engine is overloaded","type":"server_error","code":503}}"#;
            say(format!("{json}content-length: {}\r\n\r\n{body}", body.len()))
        }
        7 => say(format!("{json}content-length: 0\r\n\r\n")),
        8 => say(format!("{json}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{{}}\r\n")),
        9 => say("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>hi</html>".to_owned()),
        10 => {
            say(format!("{json}\r\n"))?;
            without_end(&mut stream, &[b' '; 64 * 1024], Duration::ZERO)
        }
        11 => without_end(&mut stream, b"HTTP/1.1 100 Continue\r\n\r\n", Duration::from_millis(1)),
        12 => {
            let deep = "[".repeat(200_000);
            say(format!("{events}\r\ndata: {{\"choices\":{deep}\n\n"))
        }
        _ => Ok(()),
    }
}

/// Says the same again and again, until the other side has had enough.
fn without_end(stream: &mut TcpStream, text: &[u8], pause: Duration) -> std::io::Result<()> {
    let began = Instant::now();
    let mut sent = 0;
    while sent < ENDLESS_BYTES_MAX && began.elapsed() < ENDLESS_MAX {
        stream.write_all(text)?;
        sent += text.len();
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bomb_is_small_until_it_is_opened() {
        let bomb = bomb().unwrap();
        assert!(bomb.len() < BOMB_BYTES / 500, "{}", bomb.len());
        let mut opened = flate2::read::GzDecoder::new(&bomb[..]);
        let mut some = [0; 1_000];
        opened.read_exact(&mut some).unwrap();
        assert!(some.iter().all(|byte| *byte == b' '));
    }

    #[test]
    fn an_impostor_answers_every_connection_in_one_of_its_manners() {
        let impostor = Impostor::start(7).unwrap();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(impostor.address).unwrap();
            stream.write_all(b"POST / HTTP/1.1\r\n\r\n").unwrap();
            let mut first = [0; 64];
            // Nothing at all is a manner too.
            let _ = stream.read(&mut first).unwrap();
        }
        assert_eq!(impostor.answered(), 3);
    }
}
