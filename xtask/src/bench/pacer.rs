//! Latency at a fixed rate.
//!
//! The load generator's timer ticks in milliseconds, and what is looked for
//! here is a twentieth of one. So a few threads with blocking sockets take
//! turns, each asleep until its request is due.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Threads, each with a connection; an answer may take that many times
/// the pause between two requests before it delays another.
const THREADS: u32 = 4;
/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends `request` at a rate for a while; the answers' times in
/// microseconds, sorted. An answer that is late for its thread's next
/// request makes that one count from when it was due.
pub fn latencies_us(
    addr: SocketAddr,
    request: &[u8],
    rate_per_s: u32,
    duration: Duration,
) -> Result<Vec<f64>, String> {
    let pause = Duration::from_secs(1) / rate_per_s;
    let begin = Instant::now() + Duration::from_millis(20);
    let mut all = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|index| {
                let first = begin + pause * index;
                scope.spawn(move || one_thread(addr, request, first, pause * THREADS, duration))
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            let times = thread
                .join()
                .map_err(|_| "a thread of the load panicked".to_owned())?
                .map_err(|error| format!("at {rate_per_s} requests a second: {error}"))?;
            all.extend(times);
        }
        Ok::<_, String>(all)
    })?;
    all.sort_unstable_by(f64::total_cmp);
    Ok(all)
}

fn one_thread(
    addr: SocketAddr,
    request: &[u8],
    first: Instant,
    pause: Duration,
    duration: Duration,
) -> io::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let mut buffer = vec![0_u8; ANSWER_BYTES_MAX];
    let mut times = Vec::new();
    let mut due = first;
    let end = first + duration;
    while due < end {
        let now = Instant::now();
        let from = if now < due {
            thread::sleep(due - now);
            Instant::now()
        } else {
            due
        };
        stream.write_all(request)?;
        read_answer(&mut stream, &mut buffer)?;
        times.push(from.elapsed().as_secs_f64() * 1e6);
        due += pause;
    }
    Ok(times)
}

/// Reads one whole answer with status 200.
fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut have = 0;
    loop {
        let room = buffer.get_mut(have..).unwrap_or_default();
        if room.is_empty() {
            return Err(bad("the answer is too large"));
        }
        let read = stream.read(room)?;
        if read == 0 {
            return Err(bad("the connection was closed"));
        }
        have += read;
        let text = String::from_utf8_lossy(buffer.get(..have).unwrap_or_default());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if head.split(' ').nth(1) != Some("200") {
            return Err(bad(head.lines().next().unwrap_or_default()));
        }
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse::<usize>().ok());
        let whole = match length {
            Some(length) => body.len() >= length,
            None => body.ends_with("0\r\n\r\n"),
        };
        if whole {
            return Ok(());
        }
    }
}

/// The time that so many percent are not above (nearest rank).
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_take_the_nearest_rank() {
        let times: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&times, 50), 100.0);
        assert_eq!(percentile(&times, 99), 198.0);
        assert_eq!(percentile(&[], 99), 0.0);
    }
}
