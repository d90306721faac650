//! What a running server cannot take over: sockets, files and threads are
//! opened once, and calls under way keep their limits.

use super::{CallLimits, Config};

/// Keys whose new value waits for a restart of a server that was started
/// with `running`.
#[must_use]
pub fn waiting(running: &Config, new: &Config) -> Vec<&'static str> {
    let mut rows = vec![
        ("server.listen", running.listen != new.listen),
        ("server.data_dir", running.data_dir != new.data_dir),
        ("database.url", running.database != new.database),
        ("server.workers", running.workers != new.workers),
        ("ledger.durability", running.durability != new.durability),
        ("log.format", running.log_json != new.log_json),
        ("log.level", running.log_level != new.log_level),
    ];
    rows.extend(limits(&running.limits, &new.limits));
    rows.into_iter()
        .filter(|(_, is_changed)| *is_changed)
        .map(|(key, _)| key)
        .collect()
}

fn limits(running: &CallLimits, new: &CallLimits) -> [(&'static str, bool); 10] {
    // Taken apart, so that a new limit cannot be forgotten here.
    let CallLimits {
        body_bytes_max,
        first_token_timeout,
        last_first_token_timeout,
        idle_timeout,
        connect_timeout,
        head_timeout,
        body_timeout,
        write_timeout,
        keep_alive_after,
        drain_timeout,
    } = *new;
    [
        (
            "server.body_bytes_max",
            body_bytes_max != running.body_bytes_max,
        ),
        (
            "routing.first_token_timeout_ms",
            first_token_timeout != running.first_token_timeout,
        ),
        (
            "routing.last_first_token_timeout_ms",
            last_first_token_timeout != running.last_first_token_timeout,
        ),
        (
            "routing.idle_timeout_ms",
            idle_timeout != running.idle_timeout,
        ),
        (
            "routing.connect_timeout_ms",
            connect_timeout != running.connect_timeout,
        ),
        (
            "server.head_timeout_ms",
            head_timeout != running.head_timeout,
        ),
        (
            "server.body_timeout_ms",
            body_timeout != running.body_timeout,
        ),
        (
            "server.write_timeout_ms",
            write_timeout != running.write_timeout,
        ),
        (
            "routing.keep_alive_after_ms",
            keep_alive_after != running.keep_alive_after,
        ),
        (
            "routing.drain_timeout_ms",
            drain_timeout != running.drain_timeout,
        ),
    ]
}
