//! Writes docs/fidelity.md: the test that checks the page writes it instead.

use std::process::Command;

/// Runs the test of fidelity, which writes the page.
pub fn run() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "-q", "-p", "bourse-dataplane", "--test", "fidelity"])
        .env("BOURSE_FIDELITY_UPDATE", "1")
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("the test of fidelity fails: what is lost in silence is not written down".to_owned())
    }
}
