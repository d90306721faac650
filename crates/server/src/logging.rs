//! What the server says, to standard error.

use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Starts logging. A second call has no effect.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|error| {
        eprintln!("log.level: {error}; using info");
        EnvFilter::new("info")
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if config.log_json {
        log.json().try_init()
    } else {
        log.try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
