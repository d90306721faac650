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
/// What the socket for operators is called (`FileDescriptorName=admin`); the
/// other one may have any name, as that of its unit.
const ADMIN: &str = "admin";

/// What was handed over.
#[derive(Default)]
pub struct Sockets {
    /// For clients.
    pub public: Option<Socket>,
    /// For operators.
    pub admin: Option<Socket>,
}

impl Sockets {
    /// What this process was given.
    ///
    /// # Errors
    /// A sentence: the variables make no sense, or a socket is none.
    pub fn of_process() -> Result<Self, String> {
        let names = given(|name| std::env::var(name).ok(), std::process::id())?;
        let mut sockets = Self::default();
        for (number, name) in (FIRST..).zip(&names) {
            let socket = Socket::from(duplicate(number)?);
            socket
                .set_nonblocking(true)
                .map_err(|error| format!("the socket {number} that was handed over: {error}"))?;
            let place = match name.as_str() {
                ADMIN => &mut sockets.admin,
                _ => &mut sockets.public,
            };
            *place = Some(socket);
        }
        Ok(sockets)
    }
}

fn duplicate(number: i32) -> Result<OwnedFd, String> {
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    let taken = own.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty()));
    taken.map_err(|error| format!("the socket {number} that was handed over: {error}"))
}

/// The names of the sockets that were handed to this process: one for clients,
/// one for operators, or either. More have no use here, and who opens them is to
/// know that.
fn given(variable: impl Fn(&str) -> Option<String>, me: u32) -> Result<Vec<String>, String> {
    let is_ours = variable("LISTEN_PID").is_some_and(|pid| pid.parse() == Ok(me));
    let Some(count) = variable("LISTEN_FDS").filter(|_| is_ours) else {
        return Ok(Vec::new());
    };
    let written = variable("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = written.split(':').map(str::to_owned);
    let mut next = || names.next().unwrap_or_default();
    let names = match count.as_str() {
        "0" => Vec::new(),
        "1" => vec![next()],
        "2" => vec![next(), next()],
        _ => {
            return Err(format!(
                "LISTEN_FDS: {count} sockets; the server listens on one for clients and one for operators"
            ));
        }
    };
    let admins = names.iter().filter(|name| *name == ADMIN).count();
    if names.len() == 2 && admins != 1 {
        return Err(format!(
            "LISTEN_FDNAMES: of two sockets one is for operators, and has the name \"{ADMIN}\" (FileDescriptorName={ADMIN})"
        ));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pid: &str, fds: &str, names: &str) -> Result<Vec<String>, String> {
        let variables = [
            ("LISTEN_PID", pid),
            ("LISTEN_FDS", fds),
            ("LISTEN_FDNAMES", names),
        ];
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            (!found.1.is_empty()).then(|| found.1.to_owned())
        };
        given(variable, 7)
    }

    fn named(names: &[&str]) -> Result<Vec<String>, String> {
        Ok(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn sockets_are_taken_if_they_are_for_this_process() {
        assert_eq!(read("7", "1", ""), named(&[""]));
        assert_eq!(read("7", "1", "bourse.socket"), named(&["bourse.socket"]));
        assert_eq!(read("7", "0", ""), named(&[]));
        assert_eq!(read("8", "1", ""), named(&[]), "of another process");
        assert_eq!(read("", "1", ""), named(&[]));
        assert_eq!(read("7", "", ""), named(&[]));
        assert!(read("7", "3", "").unwrap_err().contains("3 sockets"));
        assert!(read("7", "x", "").is_err());
    }

    #[test]
    fn of_two_sockets_one_is_for_operators() {
        assert_eq!(read("7", "1", "admin"), named(&["admin"]));
        assert_eq!(read("7", "2", "admin:public"), named(&["admin", "public"]));
        assert_eq!(
            read("7", "2", "x.socket:admin"),
            named(&["x.socket", "admin"])
        );
        for names in ["", "public:public", "admin:admin", "admin.socket:public"] {
            let refused = read("7", "2", names).unwrap_err();
            assert!(
                refused.contains("FileDescriptorName=admin"),
                "{names}: {refused}"
            );
        }
    }
}
