//! What this machine gives a server: the port, room, open files, privacy, and
//! how old the prices are. Looked at and left as it is.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use super::Finding;
use crate::cli::server::reachable;
use crate::config::Config;
use crate::market::SYNCED_CATALOG;

/// How long whoever holds the port may take to say who it is.
const PORT_WAIT: Duration = Duration::from_secs(1);
/// What the journal may grow to while the database is away, twice.
const SPACE_BYTES_MIN: u64 = 2 << 30;
/// Two sockets for each of some five hundred calls: what most systems give.
const FILES_MIN: u64 = 1_024;
/// Prices change about as often.
const PRICES_DAYS_MAX: u64 = 30;
const DAY_S: u64 = 86_400;

/// Looks at all of it.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut found = vec![port(config), open_files()];
    if config.data_dir.is_dir() {
        found.extend([space(config), modes(config)]);
    }
    found.push(prices(config));
    found
}

/// Who has the port. A server of ours is what one expects.
fn port(config: &Config) -> Finding {
    let address = reachable(config.listen);
    let what = "port";
    if address.port() == 0 {
        return Finding::good(what, "any that is free".to_owned());
    }
    let Ok(mut stream) = TcpStream::connect_timeout(&address, PORT_WAIT) else {
        return Finding::good(what, format!("{address} is free"));
    };
    let ask = || -> std::io::Result<String> {
        stream.set_read_timeout(Some(PORT_WAIT))?;
        stream.set_write_timeout(Some(PORT_WAIT))?;
        write!(
            stream,
            "GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.take(4_096).read_to_string(&mut text)?;
        Ok(text)
    };
    match ask() {
        Ok(text) if text.starts_with("HTTP/1.1 200") && text.ends_with("ok\n") => {
            Finding::good(what, format!("a server of Bourse answers at {address}"))
        }
        _ => Finding::bad(
            what,
            format!("another program has {address}"),
            "end it, or set another address in server.listen",
        ),
    }
}

/// How many files and sockets a process may have open (proc_pid_limits(5)).
fn open_files() -> Finding {
    let what = "open files";
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    match soft.and_then(|soft| soft.parse::<u64>().ok()) {
        Some(files) if files < FILES_MIN => Finding::bad(
            what,
            format!(
                "a process may have {files} open at once, which is some {} calls",
                files / 2
            ),
            "raise the limit (`ulimit -n`, or LimitNOFILE= of the service)",
        ),
        Some(files) => Finding::good(what, format!("{files} at once")),
        None => Finding::good(what, "no limit is known".to_owned()),
    }
}

fn space(config: &Config) -> Finding {
    let what = "free space";
    let place = config.data_dir.display();
    match rustix::fs::statvfs(&config.data_dir) {
        Ok(about) => {
            let bytes = about.f_bavail.saturating_mul(about.f_frsize);
            let detail = format!("{} MiB below {place}", bytes >> 20);
            if bytes < SPACE_BYTES_MIN {
                Finding::bad(
                    what,
                    detail,
                    "make room: the journal may grow to 1 GiB while the database is away",
                )
            } else {
                Finding::good(what, detail)
            }
        }
        Err(error) => Finding::bad(what, format!("{place}: {error}"), ""),
    }
}

/// Whether other users can read what is private. A server narrows it when it starts.
fn modes(config: &Config) -> Finding {
    let what = "permissions";
    let place = config.data_dir.display();
    match std::fs::metadata(&config.data_dir) {
        Ok(about) => match about.permissions().mode() & 0o077 {
            0 => Finding::good(what, format!("{place} is the server's user's alone")),
            open => Finding::bad(
                what,
                format!("other users can get into {place} (mode …{open:02o})"),
                &format!("chmod 700 {place}; a server does it when it starts"),
            ),
        },
        Err(error) => Finding::bad(what, format!("{place}: {error}"), ""),
    }
}

/// How old the list of models and prices is.
fn prices(config: &Config) -> Finding {
    let what = "prices";
    let path = config.data_dir.join(SYNCED_CATALOG);
    let Ok(about) = std::fs::metadata(&path) else {
        return Finding::good(
            what,
            format!(
                "those of version {} (`bourse catalog sync` takes over newer ones)",
                crate::VERSION
            ),
        );
    };
    let age = about
        .modified()
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok());
    match age {
        Some(age) if age.as_secs() / DAY_S > PRICES_DAYS_MAX => Finding::bad(
            what,
            format!("synchronised {} days ago", age.as_secs() / DAY_S),
            "take over newer ones: `bourse catalog sync`",
        ),
        Some(age) => Finding::good(
            what,
            format!("synchronised {} days ago", age.as_secs() / DAY_S),
        ),
        None => Finding::bad(
            what,
            "synchronised in the future".to_owned(),
            "set this machine's clock",
        ),
    }
}
