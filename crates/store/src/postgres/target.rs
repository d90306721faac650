//! One address of a PostgreSQL database.

use std::fmt;
use std::str::FromStr as _;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Settings of every session. A statement that takes longer is not one of
/// ours; a lock that is held longer belongs to somebody who is stuck; and a
/// transaction in which nothing happens belongs to a process that is frozen
/// and must not keep others waiting. The server finds a dead client by the
/// four last; a client finds a dead server by its own deadlines, see
/// `session.rs`.
const SETTINGS: [(&str, &str); 7] = [
    ("statement_timeout", "10s"),
    ("lock_timeout", "1s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "5000"),
];

/// One address. Prints without its password.
#[derive(Clone)]
pub struct Target {
    options: PgConnectOptions,
    /// As it was written, only to tell whether another is the same.
    written: String,
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Target {}

impl Target {
    /// Understands `postgres://user:password@host:port/database`, with
    /// `?sslmode=` and `sslrootcert=` as libpq has them.
    ///
    /// # Errors
    /// What is wrong, without the address.
    pub fn parse(url: &str) -> Result<Self, String> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| format!("not an address of PostgreSQL: {}", root(&error)))?;
        // What the address itself sets stays.
        let given = options.get_options().unwrap_or_default().to_owned();
        let settings = SETTINGS
            .iter()
            .filter(|(name, _)| !given.contains(&format!("{name}=")));
        let options = options
            .application_name("bourse")
            .options(settings.copied())
            .disable_statement_logging();
        Ok(Self {
            options,
            written: url.to_owned(),
        })
    }

    /// For connecting.
    #[must_use]
    pub const fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Whether others on the network can read along.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(
            self.options.get_ssl_mode(),
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer
        )
    }
}

/// What lies under sqlx's own words.
fn root(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(inner) => inner.to_string(),
        other => other.to_string(),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        f.write_str("postgres://")?;
        match options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
        }
        write!(
            f,
            "/{}",
            options.get_database().unwrap_or(options.get_username())
        )
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
