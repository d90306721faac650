//! `bourse sim` and `bourse sim relay`, as commands.

use crate::exchange::bourse;

/// Runs a command that must not work; says what it complained about.
fn refused(args: &[&str]) -> String {
    let output = bourse().args(args).output().unwrap();
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_absurd_script_is_refused_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("faults.toml");
    std::fs::write(&file, "[providers.a]\nseed = 1\nerror_rate = 1.5\n").unwrap();
    let path = file.display().to_string();
    let said = refused(&["sim", "--script", &path]);
    let wanted = format!("{path}:3: providers.a.error_rate is 1.5: a share is 0 to 1");
    assert!(said.contains(&wanted), "{said}");
}

#[test]
fn a_relay_refuses_what_makes_no_sense_and_the_world() {
    let relay =
        |more: &[&str]| refused(&[&["sim", "relay", "--listen", "127.0.0.1:0"], more].concat());
    let here = ["--to", "127.0.0.1:9"];
    assert!(relay(&["--to", "192.0.2.1:80"]).contains("loopback"));
    let with = |more: &[&str]| relay(&[&here, more].concat());
    assert!(with(&["--stall-rate", "0.5"]).contains("needs stall_ms"));
    assert!(with(&["--partition", "9-5"]).contains("ends after it begins"));
    assert!(with(&["--partition", "soon"]).contains("FROM-TO"));
    assert!(with(&["--cut-with-reset"]).contains("--cut-after-bytes"));
}
