//! Packs the data files for the program.
//!
//! They are read once, at a start. As text they would stay in memory as long
//! as the server runs, two megabytes of its forty, and in the program.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let out: PathBuf = std::env::var_os("OUT_DIR")
        .ok_or("cargo says where to write, in OUT_DIR")?
        .into();
    for name in ["providers", "models", "endpoints"] {
        let data = format!("data/{name}.jsonl");
        println!("cargo::rerun-if-changed={data}");
        let file = File::create(out.join(format!("{name}.jsonl.gz")))?;
        let mut packed = GzEncoder::new(file, Compression::default());
        packed.write_all(&fs::read(data)?)?;
        packed.finish()?;
    }
    Ok(())
}
