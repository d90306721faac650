//! `server.tls`: the certificate that the server shows to its clients.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// `server.tls`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawTls {
    /// A PEM file: the certificate, and those that vouch for it behind it.
    pub certificate: Option<String>,
    /// A PEM file: its private key.
    pub key: Option<String>,
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM, the server's own first.
    pub certificate: PathBuf,
    /// PEM, not locked.
    pub key: PathBuf,
}

/// Makes sense of it, or notes what makes none. The files are read at the
/// start: whoever checks a configuration elsewhere need not have them.
pub(super) fn resolve(raw: Option<&RawTls>, problems: &mut Vec<String>) -> Option<TlsFiles> {
    let raw = raw?;
    let mut path = |name: &str, given: Option<&String>| {
        let path = given.filter(|path| !path.trim().is_empty());
        if path.is_none() {
            problems.push(format!(
                "server.tls.{name}: is required; TLS takes a certificate and its key, each the path of a PEM file"
            ));
        }
        path.map(PathBuf::from)
    };
    let certificate = path("certificate", raw.certificate.as_ref());
    let key = path("key", raw.key.as_ref());
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Option<TlsFiles>, String> {
        let environment: Environment = variables.iter().copied().collect();
        Config::parse("bourse.toml", text, &environment)
            .map(|config| config.tls)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn both_files_are_named_or_none() {
        assert_eq!(parse("", &[]), Ok(None));
        let both = TlsFiles {
            certificate: "a.pem".into(),
            key: "b.pem".into(),
        };
        let text = "[server]\ntls = { certificate = \"a.pem\", key = \"b.pem\" }";
        assert_eq!(parse(text, &[]), Ok(Some(both.clone())));
        let variables = [
            ("BOURSE_SERVER__TLS__CERTIFICATE", "a.pem"),
            ("BOURSE_SERVER__TLS__KEY", "b.pem"),
        ];
        assert_eq!(parse("", &variables), Ok(Some(both)));
        for (text, said) in [
            (
                "[server.tls]\ncertificate = \"a\"",
                "server.tls.key: is required",
            ),
            (
                "[server.tls]\nkey = \"a\"\ncertificate = \"\"",
                "server.tls.certificate: is required",
            ),
            (
                "[server.tls]\nkey = \"a\"\nca = \"b\"",
                "server.tls.ca: unknown key",
            ),
        ] {
            let refused = parse(text, &[]).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
