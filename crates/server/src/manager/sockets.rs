//! Sockets that the service manager has opened (sd_listen_fds(3)).
//!
//! They are numbers in the environment. The standard library cannot take a
//! number's word for it without `unsafe`, so the kernel is asked for a
//! duplicate of our own descriptor (pidfd_getfd(2), Linux 5.6), which is an
//! owned one. The number itself stays open, as the manager's side does.

use std::os::fd::OwnedFd;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::Socket;

/// The first number (`SD_LISTEN_FDS_START`).
const FIRST: i32 = 3;
/// What was handed over.
#[derive(Default)]
pub struct Sockets {
    /// For clients.
    pub public: Option<Socket>,
}

impl Sockets {
    /// What this process was given.
    ///
    /// # Errors
    /// A sentence: the variables make no sense, or a socket is none.
    pub fn of_process() -> Result<Self, String> {
        if !is_given(|name| std::env::var(name).ok(), std::process::id())? {
            return Ok(Self::default());
        }
        let socket = Socket::from(duplicate(FIRST)?);
        socket
            .set_nonblocking(true)
            .map_err(|error| format!("the socket that was handed over: {error}"))?;
        Ok(Self {
            public: Some(socket),
        })
    }
}

fn duplicate(number: i32) -> Result<OwnedFd, String> {
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    let taken = own.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty()));
    taken.map_err(|error| format!("the socket {number} that was handed over: {error}"))
}

/// Whether a socket was handed to this process. More than one has no use here,
/// and who opens two is to know that.
fn is_given(variable: impl Fn(&str) -> Option<String>, me: u32) -> Result<bool, String> {
    let is_ours = variable("LISTEN_PID").is_some_and(|pid| pid.parse() == Ok(me));
    let Some(count) = variable("LISTEN_FDS").filter(|_| is_ours) else {
        return Ok(false);
    };
    match count.as_str() {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(format!(
            "LISTEN_FDS: {count} sockets; the server listens on one"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_socket_is_taken_if_it_is_for_this_process() {
        let read = |pid: &str, fds: &str| {
            let variables = [("LISTEN_PID", pid), ("LISTEN_FDS", fds)];
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name)?;
                (!found.1.is_empty()).then(|| found.1.to_owned())
            };
            is_given(variable, 7)
        };
        assert_eq!(read("7", "1"), Ok(true));
        assert_eq!(read("7", "0"), Ok(false));
        assert_eq!(read("8", "1"), Ok(false), "of another process");
        assert_eq!(read("", "1"), Ok(false));
        assert_eq!(read("7", ""), Ok(false));
        assert!(read("7", "2").unwrap_err().contains("2 sockets"));
        assert!(read("7", "x").is_err());
    }
}
