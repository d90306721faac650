//! What a running server cannot take over: sockets, files and threads are
//! opened once, and calls under way keep their limits.

use bourse_dataplane::deadlines::Deadlines;

use super::{CallLimits, Config};

/// Keys whose new value waits for a restart of a server that was started
/// with `running`.
#[must_use]
pub fn waiting(running: &Config, new: &Config) -> Vec<&'static str> {
    let mut rows = vec![
        ("server.listen", running.listen != new.listen),
        ("server.hosts", running.hosts != new.hosts),
        ("server.tls", running.tls != new.tls),
        (
            "server.admin_listen",
            running.admin_listen != new.admin_listen,
        ),
        (
            "server.public_metrics",
            running.public_metrics != new.public_metrics,
        ),
        ("net", running.roads != new.roads),
        ("server.data_dir", running.data_dir != new.data_dir),
        ("database.url", running.database != new.database),
        ("server.simulate", running.simulate != new.simulate),
        ("server.workers", running.workers != new.workers),
        ("ledger.durability", running.durability != new.durability),
        (
            "ledger.sync_interval_ms",
            running.sync_interval != new.sync_interval,
        ),
        ("retention.calls_days", running.calls_days != new.calls_days),
        ("files, batches", running.files != new.files),
        ("videos", running.videos != new.videos),
        ("log.format", running.log_json != new.log_json),
        ("log.level", running.log_level != new.log_level),
        ("log.calls", running.call_lines != new.call_lines),
        ("alarms", running.alarms != new.alarms),
        ("admission", running.admission != new.admission),
        (
            "cache.bytes_max",
            running.cache_bytes_max != new.cache_bytes_max,
        ),
        ("telemetry", running.telemetry != new.telemetry),
    ];
    rows.extend(limits(&running.limits, &new.limits));
    rows.into_iter()
        .filter(|(_, is_changed)| *is_changed)
        .map(|(key, _)| key)
        .collect()
}

fn limits(running: &CallLimits, new: &CallLimits) -> [(&'static str, bool); 17] {
    // Taken apart, so that a new limit cannot be forgotten here.
    let CallLimits {
        body_bytes_max,
        bodies_bytes_max,
        body_rate_min,
        deadlines,
        head_timeout,
        idle_timeout,
        body_timeout,
        write_timeout,
        lame_duck,
        stop_timeout,
        drains_max,
    } = *new;
    let Deadlines {
        connect,
        head,
        first_sign,
        idle,
        whole,
        keep_alive,
        drain,
    } = deadlines;
    let before = &running.deadlines;
    [
        (
            "server.body_bytes_max",
            body_bytes_max != running.body_bytes_max,
        ),
        (
            "server.bodies_bytes_max",
            bodies_bytes_max != running.bodies_bytes_max,
        ),
        (
            "server.body_rate_min",
            body_rate_min != running.body_rate_min,
        ),
        (
            "server.head_timeout_ms",
            head_timeout != running.head_timeout,
        ),
        (
            "server.idle_timeout_ms",
            idle_timeout != running.idle_timeout,
        ),
        (
            "server.body_timeout_ms",
            body_timeout != running.body_timeout,
        ),
        (
            "server.write_timeout_ms",
            write_timeout != running.write_timeout,
        ),
        ("server.lame_duck_ms", lame_duck != running.lame_duck),
        (
            "server.stop_timeout_ms",
            stop_timeout != running.stop_timeout,
        ),
        ("server.drains_max", drains_max != running.drains_max),
        ("deadlines.connect_ms", connect != before.connect),
        ("deadlines.head_ms", head != before.head),
        ("deadlines.first_sign_ms", first_sign != before.first_sign),
        ("deadlines.idle_ms", idle != before.idle),
        ("deadlines.whole_ms", whole != before.whole),
        ("deadlines.keep_alive_ms", keep_alive != before.keep_alive),
        ("deadlines.drain_ms", drain != before.drain),
    ]
}
