//! Config, wiring and the command line.
fn main() {}
