//! Says which commit the program was built from. Only of releases: a
//! development build would be linked anew for each commit.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=BOURSE_COMMIT");
    let release = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match commit() {
        Some(commit) => format!("{release} ({commit})"),
        None => release,
    };
    println!("cargo::rustc-env=BOURSE_VERSION={version}");
}

/// A commit and its date, which is the same wherever it is built.
fn commit() -> Option<String> {
    // A package that is built without the repository names it.
    if let Ok(named) = std::env::var("BOURSE_COMMIT") {
        return (!named.trim().is_empty()).then(|| named.trim().to_owned());
    }
    if std::env::var("PROFILE").ok()? != "release" {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        println!("cargo::rerun-if-changed={path}");
    }
    git(&["log", "-1", "--abbrev=12", "--format=%h %cs"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
