//! `[telemetry]`: to whom finished calls are told as traces.

use bourse_net::Origin;
use bourse_telemetry::Sampling;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Environment;
use super::raw::RawTelemetry;

/// Headers of a request to a collector: a key, a tenant, and room.
const HEADERS_MAX: usize = 16;
/// Longest name of a service, in bytes.
const SERVICE_NAME_BYTES_MAX: usize = 200;

/// To whom traces are told, and of which calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// The collector.
    pub origin: Origin,
    /// The path that takes traces.
    pub path: String,
    /// What each request says besides; values are secrets.
    pub headers: HeaderMap,
    /// Which calls are traced.
    pub sampling: Sampling,
    /// Whose traces they are.
    pub service_name: String,
}

/// Makes sense of it, or notes what makes none.
pub(super) fn resolve(
    raw: &RawTelemetry,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> Option<Telemetry> {
    let ratio = raw.sample_ratio.unwrap_or(1.0);
    let sampling = Sampling::ratio(ratio);
    if sampling.is_none() {
        problems.push(format!(
            "telemetry.sample_ratio: {ratio} is not between 0 and 1; 0.1 traces a tenth of the calls"
        ));
    }
    let service_name = raw.service_name.as_deref().unwrap_or("bourse");
    if service_name.is_empty() || service_name.len() > SERVICE_NAME_BYTES_MAX {
        problems.push(format!(
            "telemetry.service_name: must have 1 to {SERVICE_NAME_BYTES_MAX} bytes"
        ));
    }
    let headers = headers(raw, environment, problems);
    let Some(url) = &raw.otlp_url else {
        if !raw.otlp_headers.is_empty() {
            problems.push("telemetry.otlp_headers: there is no telemetry.otlp_url".to_owned());
        }
        return None;
    };
    match Origin::parse_operator(url) {
        Ok((origin, base)) => Some(Telemetry {
            origin,
            path: traces_path(&base),
            headers,
            sampling: sampling?,
            service_name: service_name.to_owned(),
        }),
        Err(error) => {
            problems.push(format!(
                "telemetry.otlp_url: {error}; an address is such as \"http://127.0.0.1:4318\""
            ));
            None
        }
    }
}

/// Where a collector takes traces: `/v1/traces` below its address (OTLP 1.10,
/// "OTLP/HTTP Request"), which may be written with it.
fn traces_path(base: &str) -> String {
    const TRACES: &str = "/v1/traces";
    let base = base.trim_end_matches('/');
    format!("{}{TRACES}", base.strip_suffix(TRACES).unwrap_or(base))
}

fn headers(raw: &RawTelemetry, environment: &Environment, problems: &mut Vec<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if raw.otlp_headers.len() > HEADERS_MAX {
        problems.push(format!(
            "telemetry.otlp_headers: at most {HEADERS_MAX} headers"
        ));
        return headers;
    }
    for (name, secret) in &raw.otlp_headers {
        let key = format!("telemetry.otlp_headers.{name}");
        let Ok(name) = name.parse::<HeaderName>() else {
            problems.push(format!("{key}: is not the name of a header"));
            continue;
        };
        let value = secret.resolve(environment).and_then(|text| {
            HeaderValue::from_str(&text).map_err(|_| "is not the value of a header".to_owned())
        });
        match value {
            Ok(mut value) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            Err(problem) => problems.push(format!("{key}: {problem}")),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_or_without_its_path_is_the_same() {
        for base in ["", "/", "/v1/traces", "/v1/traces/"] {
            assert_eq!(traces_path(base), "/v1/traces");
        }
        assert_eq!(traces_path("/otlp"), "/otlp/v1/traces");
    }
}
