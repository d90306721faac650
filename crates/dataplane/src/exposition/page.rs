//! A page of metrics, written by the official client library.
//!
//! What is counted is taken down first, as families; they are a collector of
//! the library, which writes OpenMetrics. Everybody reads the older format
//! 0.0.4 still, and not everybody the newer: the two differ in the names of
//! counters' families and in the last line, and the page is the older one.

use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::spans::{BOUNDS_MS, Snapshot};

/// What the names of all counters end with.
const TOTAL: &str = "_total";

/// A value of a series.
#[derive(Debug)]
pub enum Value {
    /// A whole number.
    Count(u64),
    /// Any other.
    Number(f64),
    /// Times in buckets.
    Times(Box<Snapshot>),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<u32> for Value {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Number(time.as_secs_f64())
    }
}

impl From<Snapshot> for Value {
    fn from(times: Snapshot) -> Self {
        Self::Times(Box::new(times))
    }
}

#[derive(Debug)]
struct Series {
    labels: Vec<(&'static str, String)>,
    value: Value,
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    series: Vec<Series>,
}

/// What is told at one moment.
#[derive(Debug, Default)]
pub struct Page(Vec<Family>);

impl Page {
    /// Begins a family: `counter`, `gauge` or `histogram`.
    pub fn family(&mut self, name: &'static str, kind: &'static str, help: &'static str) {
        self.0.push(Family {
            name,
            kind,
            help,
            series: Vec::new(),
        });
    }

    /// Adds a series to the family that was begun last.
    pub fn value(&mut self, labels: &[(&'static str, &str)], value: impl Into<Value>) {
        let labels = labels
            .iter()
            .map(|(label, text)| (*label, escaped(text)))
            .collect();
        if let Some(family) = self.0.last_mut() {
            let value = value.into();
            family.series.push(Series { labels, value });
        }
    }

    /// A family of one series.
    pub fn single(
        &mut self,
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        value: impl Into<Value>,
    ) {
        self.family(name, kind, help);
        self.value(&[], value);
    }

    /// The page.
    #[must_use]
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut page = String::with_capacity(16 << 10);
        // Writing into memory does not fail.
        let _ = encode(&mut page, &registry);
        older(&page)
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        for family in &self.0 {
            let (name, kind) = match family.kind {
                // The library appends what they end with.
                "counter" => (
                    family.name.strip_suffix(TOTAL).unwrap_or(family.name),
                    MetricType::Counter,
                ),
                "histogram" => (family.name, MetricType::Histogram),
                _ => (family.name, MetricType::Gauge),
            };
            let mut metric = encoder.encode_descriptor(name, family.help, None, kind)?;
            for series in &family.series {
                if series.labels.is_empty() {
                    write(&mut metric, kind, &series.value)?;
                } else {
                    let labels = series.labels.as_slice();
                    write(&mut metric.encode_family(&labels)?, kind, &series.value)?;
                }
            }
        }
        Ok(())
    }
}

/// Writes the value of one series.
fn write(metric: &mut MetricEncoder<'_>, kind: MetricType, value: &Value) -> std::fmt::Result {
    match (kind, value) {
        (MetricType::Counter, Value::Count(count)) => {
            metric.encode_counter::<NoLabelSet, u64, u64>(count, None)
        }
        (MetricType::Counter, Value::Number(number)) => {
            metric.encode_counter::<NoLabelSet, f64, u64>(number, None)
        }
        (_, Value::Count(count)) => metric.encode_gauge(count),
        (_, Value::Number(number)) => metric.encode_gauge(number),
        (_, Value::Times(times)) => {
            // The library adds buckets up, and calls the last one infinite.
            let bounds = BOUNDS_MS
                .iter()
                .map(|ms| Duration::from_millis(*ms).as_secs_f64())
                .chain([f64::MAX]);
            let buckets: Vec<(f64, u64)> = bounds.zip(times.counts).collect();
            let count = times.counts.iter().sum();
            let sum = times.sum.as_secs_f64();
            metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        }
    }
}

/// The library writes labels as they are given.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// A page of OpenMetrics in the format 0.0.4: there the family of a counter is
/// named as its series are, and nothing says where the page ends. See
/// Prometheus's "Exposition formats" and OpenMetrics 1.0 (December 2026).
fn older(page: &str) -> String {
    let mut out = String::with_capacity(page.len() + 1_024);
    let mut help = "";
    for line in page.lines() {
        if line.starts_with("# HELP ") {
            help = line;
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let suffix = if kind == "counter" { TOTAL } else { "" };
            let about = help.splitn(4, ' ').nth(3).unwrap_or_default();
            let _ = writeln!(out, "# HELP {name}{suffix} {about}");
            let _ = writeln!(out, "# TYPE {name}{suffix} {kind}");
        } else if let Some(series) = line.strip_suffix(" inf") {
            let _ = writeln!(out, "{series} +Inf");
        } else if line != "# EOF" {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spans::Span;

    #[test]
    fn families_are_named_as_the_older_format_has_them() {
        let mut page = Page::default();
        page.single("x_calls_total", "counter", "Calls of x.", 7_u64);
        page.single(
            "x_limit",
            "gauge",
            "As many as there may be.",
            f64::INFINITY,
        );
        page.single("x_dollars_total", "counter", "Money.", 0.25);
        let text = "# HELP x_calls_total Calls of x.\n# TYPE x_calls_total counter\nx_calls_total 7\n\
             # HELP x_limit As many as there may be.\n# TYPE x_limit gauge\nx_limit +Inf\n\
             # HELP x_dollars_total Money.\n# TYPE x_dollars_total counter\nx_dollars_total 0.25\n";
        assert_eq!(page.text(), text);
    }

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut page = Page::default();
        page.family("x", "gauge", "X.");
        page.value(&[("a", "q\"uo\\te\nline"), ("b", "2")], 7_u64);
        let text = page.text();
        let line = "\nx{a=\"q\\\"uo\\\\te\\nline\",b=\"2\"} 7\n";
        assert!(text.ends_with(line), "{text}");
    }

    #[test]
    fn times_are_in_seconds_and_buckets_add_up() {
        let span = Span::default();
        for ms in [7, 80, 1_250, 700_000] {
            span.note(ms);
        }
        let mut page = Page::default();
        page.family("x_seconds", "histogram", "Times.");
        page.value(&[("stream", "yes")], span.snapshot());
        let text = page.text();
        for line in [
            "# TYPE x_seconds histogram",
            "x_seconds_sum{stream=\"yes\"} 701.337",
            "x_seconds_count{stream=\"yes\"} 4",
            "x_seconds_bucket{le=\"0.05\",stream=\"yes\"} 1",
            "x_seconds_bucket{le=\"0.1\",stream=\"yes\"} 2",
            "x_seconds_bucket{le=\"2.5\",stream=\"yes\"} 3",
            "x_seconds_bucket{le=\"600.0\",stream=\"yes\"} 3",
            "x_seconds_bucket{le=\"+Inf\",stream=\"yes\"} 4",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
    }
}
