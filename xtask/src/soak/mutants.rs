//! `cargo xtask soak mutants`: whether the simulations find mistakes.
//!
//! A mistake at a time is planted into a copy of the sources, and the
//! simulations of the router and of the whole are run on it: one of them must
//! fail. Nothing of the mistakes is in the sources themselves.

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use table::{MUTANTS, Mutant};

/// The simulations: which crate, and which tests of it.
const SIMULATIONS: [(&str, &str); 2] = [
    ("bourse-dataplane", "tests::whole"),
    ("bourse-routing", "simulation"),
];

/// Plant mistakes into copies of the sources; the simulations must find each.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask soak mutants                     all of them: a build of each, some twenty minutes
  cargo xtask soak mutants --only 'a payment'  those whose name begins so
  cargo xtask soak mutants --list              what they are

The mistakes are in xtask/src/soak/mutants/table.rs.")]
pub struct Arguments {
    /// Only those whose name begins so
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Scenes of the simulation of the whole
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Say what would be planted
    #[arg(long)]
    list: bool,
}

/// What came of a mistake.
enum Verdict {
    /// A simulation failed: its first words.
    Found(String),
    /// None did.
    Survived,
    /// It does not compile.
    Broken(String),
}

/// Does the chore.
///
/// # Errors
/// A mistake that no simulation finds, or that is none.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let begin = arguments.only.as_deref().unwrap_or_default();
    let chosen: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| mutant.name.starts_with(begin))
        .collect();
    if arguments.list {
        for mutant in chosen {
            println!("{:58} {}", mutant.name, mutant.file);
        }
        return Ok(());
    }
    if chosen.is_empty() {
        return Err(format!(
            "no mistake begins with {begin:?}; --list says which there are"
        ));
    }
    let bench = Bench::new(arguments.seeds)?;
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")
        .map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(chosen.len() as u64 + 1).with_style(style);
    bar.set_message("the sources as they are");
    match bench.simulate()? {
        Verdict::Survived => {}
        Verdict::Found(why) | Verdict::Broken(why) => {
            return Err(format!("the sources as they are fail already:\n{why}"));
        }
    }
    bar.inc(1);
    let mut missed = 0;
    for mutant in &chosen {
        bar.set_message(mutant.name);
        let began = Instant::now();
        let line = match bench.with(mutant)? {
            Verdict::Found(why) => format!("found      {:58} {why}", mutant.name),
            Verdict::Survived => {
                missed += 1;
                format!("NOT FOUND  {}", mutant.name)
            }
            Verdict::Broken(why) => {
                missed += 1;
                format!("NO PROGRAM {}\n{why}", mutant.name)
            }
        };
        bar.suspend(|| println!("{line} ({} s)", began.elapsed().as_secs()));
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!(
        "{} of {} mistakes were found",
        chosen.len() - missed,
        chosen.len()
    );
    if missed > 0 {
        return Err(format!("{missed} mistakes were not found"));
    }
    Ok(())
}

/// A copy of the sources, and what was built of it.
struct Bench {
    tree: PathBuf,
    build: PathBuf,
    seeds: u64,
}

impl Bench {
    fn new(seeds: u64) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("xtask has no directory above it")?;
        let room = root.join("target/mutants");
        let bench = Self {
            tree: room.join("tree"),
            build: room.join("build"),
            seeds,
        };
        let listed = Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("git: {error}"))?;
        let listed = String::from_utf8_lossy(&listed.stdout);
        for name in listed.split('\0').filter(|name| !name.is_empty()) {
            renew(&root.join(name), &bench.tree.join(name))?;
        }
        Ok(bench)
    }

    /// Runs the simulations with one mistake in the sources.
    fn with(&self, mutant: &Mutant) -> Result<Verdict, String> {
        let path = self.tree.join(mutant.file);
        let before = fs::read_to_string(&path).map_err(|error| at(&path, &error))?;
        let after = before.replacen(mutant.find, mutant.put, 1);
        if after == before {
            return Ok(Verdict::Broken(
                "its place is not there any more".to_owned(),
            ));
        }
        fs::write(&path, after).map_err(|error| at(&path, &error))?;
        let verdict = self.simulate();
        fs::write(&path, before).map_err(|error| at(&path, &error))?;
        verdict
    }

    fn simulate(&self) -> Result<Verdict, String> {
        for (package, tests) in SIMULATIONS {
            let built = self.cargo(package, &["--no-run"])?;
            if !built.status.success() {
                return Ok(Verdict::Broken(tail(&built.stderr)));
            }
            let ran = self.cargo(package, &["--", tests])?;
            if !ran.status.success() {
                return Ok(Verdict::Found(reason(&ran.stdout, &ran.stderr)));
            }
        }
        Ok(Verdict::Survived)
    }

    fn cargo(&self, package: &str, rest: &[&str]) -> Result<std::process::Output, String> {
        Command::new("cargo")
            .args(["test", "--quiet", "--locked", "--lib", "-p", package])
            .args(rest)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // A mistake is no style.
            .env("RUSTFLAGS", "--cap-lints allow")
            .env("BOURSE_WHOLE_SEEDS", self.seeds.to_string())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cargo: {error}"))
    }
}

/// Copies what has changed, so that the rest is not built again.
fn renew(from: &Path, to: &Path) -> Result<(), String> {
    let new = fs::read(from).map_err(|error| at(from, &error))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    }
    fs::write(to, new).map_err(|error| at(to, &error))
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn tail(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(12);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// What the first test that failed says.
fn reason(stdout: &[u8], stderr: &[u8]) -> String {
    let text = [stdout, stderr].map(String::from_utf8_lossy).concat();
    let mut lines = text
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    let said = lines.nth(1).unwrap_or("it does not end, or says nothing");
    said.chars().take(100).collect()
}
