//! `server.admin_listen`: where operators and their programs look.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where the listener for operators is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl AdminListen {
    /// Whether only this machine's users can be there, so that nobody needs a
    /// key to read counters.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Makes sense of it, or notes what makes none.
pub(super) fn resolve(given: Option<&str>, problems: &mut Vec<String>) -> Option<AdminListen> {
    let text = given?;
    if text.contains('/') {
        return Some(AdminListen::Unix(text.into()));
    }
    match text.parse() {
        Ok(address) => Some(AdminListen::Tcp(address)),
        Err(_) => {
            problems.push(format!(
                "server.admin_listen: `{text}` is neither an address such as \"127.0.0.1:9787\" nor the path of a socket such as \"/run/bourse/admin.sock\""
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_path_are_told_apart() {
        let mut problems = Vec::new();
        let mut read = |text| resolve(Some(text), &mut problems);
        let local = read("127.0.0.1:9787").unwrap();
        assert_eq!(local, AdminListen::Tcp(([127, 0, 0, 1], 9787).into()));
        assert!(local.is_local() && read("[::1]:1").unwrap().is_local());
        assert!(!read("0.0.0.0:9787").unwrap().is_local());
        let path = read("./admin.sock").unwrap();
        assert_eq!(path, AdminListen::Unix("./admin.sock".into()));
        assert!(path.is_local());
        assert_eq!(read("localhost"), None);
        assert_eq!(resolve(None, &mut problems), None);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("server.admin_listen: `localhost` is neither"));
    }
}
