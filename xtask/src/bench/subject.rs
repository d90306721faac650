//! What is measured: nothing in between, nginx, a bare hyper proxy, Bourse,
//! and, where it is given, an earlier Bourse.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bourse_sim::load::LoadPlan;
use bourse_sim::{Script, ScriptSet};

use super::process::{Process, free_addr};
use super::prompts::{CHUNKS, PACE_US, Profile, request, request_body};

/// Bourse brings its journal into the database once a second: only when
/// longer than that has passed is the work of its last calls done.
const BOURSE_QUIET: Duration = Duration::from_millis(1_300);
/// The others do nothing after their answers.
const OTHERS_QUIET: Duration = Duration::from_millis(60);

/// One of the five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The load talks to the provider itself.
    Direct,
    /// nginx with one worker.
    Nginx,
    /// The proxy of `crates/sim/examples/hyper_passthrough.rs`.
    Hyper,
    /// An earlier Bourse, where one is given.
    Before,
    /// Bourse with everything on.
    Bourse,
}

impl Kind {
    pub const ALL: [Self; 5] = [
        Self::Direct,
        Self::Nginx,
        Self::Hyper,
        Self::Before,
        Self::Bourse,
    ];
    /// Those that have a process of their own.
    pub const GATEWAYS: [Self; 4] = [Self::Nginx, Self::Hyper, Self::Before, Self::Bourse];

    /// Whether it is a Bourse.
    const fn is_bourse(self) -> bool {
        matches!(self, Self::Bourse | Self::Before)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Hyper => "hyper",
            Self::Before => "before",
            Self::Bourse => "Bourse",
        }
    }
}

/// A running subject.
#[derive(Debug)]
pub struct Subject {
    pub kind: Kind,
    pub addr: SocketAddr,
    headers: Vec<(String, String)>,
    pub process: Option<Process>,
    /// From its start to its first answer.
    pub start: Duration,
}

impl Subject {
    fn path(&self, profile: Profile) -> String {
        if self.kind.is_bourse() {
            return "/api/v1/chat/completions".to_owned();
        }
        format!("/p/{}/v1/chat/completions", profile.name())
    }

    /// A load on it, still without its pace.
    pub fn plan(&self, profile: Profile, stream: bool, bytes: usize) -> LoadPlan {
        let body = request_body(profile, stream, bytes);
        let mut plan = LoadPlan::new(self.addr, self.path(profile), body);
        plan.headers.clone_from(&self.headers);
        plan
    }

    /// One request to it, as bytes.
    pub fn request(&self, profile: Profile, stream: bool, bytes: usize) -> Vec<u8> {
        let body = request_body(profile, stream, bytes);
        request(self.addr, &self.path(profile), &self.headers, &body)
    }

    /// CPU time so far, once at rest; 0 for `Direct`.
    pub fn cpu_ns_at_rest(&self) -> u64 {
        let quiet = match self.kind.is_bourse() {
            true => BOURSE_QUIET,
            false => OTHERS_QUIET,
        };
        let process = self.process.as_ref();
        process.map_or(0, |process| process.cpu_ns_at_rest(quiet))
    }

    /// CPU time so far by thread; empty for `Direct`.
    pub fn cpu_ns_by_thread(&self) -> BTreeMap<String, u64> {
        let process = self.process.as_ref();
        process.map(Process::cpu_ns_by_thread).unwrap_or_default()
    }

    /// Resident memory, in bytes; 0 for `Direct`.
    pub fn resident_bytes(&self) -> u64 {
        self.process.as_ref().map_or(0, Process::resident_bytes)
    }
}

/// The programs.
#[derive(Debug)]
pub struct Programs {
    pub bourse: PathBuf,
    /// An earlier Bourse to compare with.
    pub before: Option<PathBuf>,
    pub hyper: PathBuf,
    pub nginx: PathBuf,
}

/// The simulated provider, and what is needed to start subjects.
#[derive(Debug)]
pub struct Ground {
    programs: Programs,
    /// Configurations, logs and Bourse's data.
    dir: PathBuf,
    upstream: SocketAddr,
    _upstream: Process,
    started: std::cell::Cell<u32>,
}

impl Programs {
    /// The subjects of `kinds` that there is a program for.
    pub fn given<const N: usize>(&self, kinds: [Kind; N]) -> impl Iterator<Item = Kind> {
        let has_before = self.before.is_some();
        kinds
            .into_iter()
            .filter(move |kind| *kind != Kind::Before || has_before)
    }
}

/// A Bourse's configurations and keys, for any number of starts: of the one
/// that is measured, and of the earlier one.
#[derive(Debug)]
pub struct SetUps {
    bourse: BourseSetUp,
    before: Option<BourseSetUp>,
}

impl SetUps {
    fn of(&self, kind: Kind) -> &BourseSetUp {
        match (kind, &self.before) {
            (Kind::Before, Some(before)) => before,
            _ => &self.bourse,
        }
    }

    /// Has the stopped servers check their books.
    pub fn verify_books(&self) -> Result<(), String> {
        [Some(&self.bourse), self.before.as_ref()]
            .into_iter()
            .flatten()
            .try_for_each(BourseSetUp::verify_books)
    }
}

/// Bourse's configuration and key, for any number of starts.
#[derive(Debug)]
struct BourseSetUp {
    program: PathBuf,
    config: PathBuf,
    addr: SocketAddr,
    key: String,
}

impl Ground {
    /// Starts the simulated provider; `dir` is emptied.
    pub fn prepare(dir: &Path, programs: Programs, paced_chunks: u64) -> Result<Self, String> {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let this = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let upstream = free_addr()?;
        let mut process = Process::start(
            &this,
            &[
                "bench-upstream",
                &upstream.to_string(),
                &paced_chunks.to_string(),
            ],
            &dir.join("upstream.log"),
        )?;
        let probe = "GET /__sim/counters HTTP/1.1\r\nhost: sim\r\n\r\n";
        process
            .wait_until_ready(upstream, probe.as_bytes())
            .map_err(|why| format!("simulated provider: {why}"))?;
        Ok(Self {
            programs,
            dir: dir.to_owned(),
            upstream,
            _upstream: process,
            started: std::cell::Cell::new(0),
        })
    }

    /// The subjects of `kinds` that there is a program for.
    pub fn given<const N: usize>(&self, kinds: [Kind; N]) -> impl Iterator<Item = Kind> {
        self.programs.given(kinds)
    }

    /// Starts a subject and waits until it serves.
    pub fn start(&self, kind: Kind, set_ups: &SetUps) -> Result<Subject, String> {
        let bourse = set_ups.of(kind);
        let run = self.started.get();
        self.started.set(run + 1);
        let log = self.dir.join(format!("{}-{run}.log", kind.name()));
        let (addr, mut process) = match kind {
            Kind::Direct => (self.upstream, None),
            Kind::Nginx => {
                let addr = free_addr()?;
                (addr, Some(self.nginx(addr, run, &log)?))
            }
            Kind::Hyper => {
                let addr = free_addr()?;
                let arguments = [addr.to_string(), self.upstream.to_string()];
                let arguments = arguments.each_ref().map(String::as_str);
                (
                    addr,
                    Some(Process::start(&self.programs.hyper, &arguments, &log)?),
                )
            }
            Kind::Before | Kind::Bourse => {
                let config = path_text(&bourse.config)?;
                let arguments = ["serve", "--config", config];
                (
                    bourse.addr,
                    Some(Process::start(&bourse.program, &arguments, &log)?),
                )
            }
        };
        let headers = match kind.is_bourse() {
            true => vec![("authorization".to_owned(), format!("Bearer {}", bourse.key))],
            false => Vec::new(),
        };
        let mut start = Duration::ZERO;
        let mut subject = Subject {
            kind,
            addr,
            headers,
            process: None,
            start,
        };
        if let Some(process) = &mut process {
            let probe = match kind.is_bourse() {
                true => b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
                false => subject.request(Profile::Short, false, 1_000),
            };
            start = process
                .wait_until_ready(addr, &probe)
                .map_err(|why| format!("{}: {why}; see {}", kind.name(), log.display()))?;
        }
        subject.process = process;
        subject.start = start;
        Ok(subject)
    }

    fn nginx(&self, addr: SocketAddr, run: u32, log: &Path) -> Result<Process, String> {
        let dir = self.dir.join(format!("nginx-{run}"));
        let config = dir.join("nginx.conf");
        let home = path_text(&dir)?.to_owned();
        write(&config, &nginx_config(&home, addr, self.upstream))?;
        let nginx = &self.programs.nginx;
        let arguments = ["-p", &home, "-c", "nginx.conf", "-e", "error.log"];
        let process = Process::start(nginx, &arguments, log)?;
        // Killed, the master would leave its worker behind.
        let mut stop = Command::new(nginx);
        stop.args(arguments).args(["-s", "stop"]);
        Ok(process.stop_with(stop))
    }

    /// Configures each Bourse in a directory of its own.
    pub fn set_up(&self, name: &str) -> Result<SetUps, String> {
        let before = self.programs.before.as_ref();
        Ok(SetUps {
            bourse: self.set_up_bourse(name, &self.programs.bourse)?,
            before: before
                .map(|program| self.set_up_bourse(&format!("{name}-before"), program))
                .transpose()?,
        })
    }

    /// Configures Bourse: a key, money, and the simulated provider under four
    /// models.
    fn set_up_bourse(&self, name: &str, program: &Path) -> Result<BourseSetUp, String> {
        let dir = self.dir.join(name);
        let config = dir.join("bourse.toml");
        let addr = free_addr()?;
        write(&config, &bourse_config(&dir, addr, self.upstream))?;
        let run = |arguments: &[&str]| -> Result<String, String> {
            let output = Command::new(program)
                .args(arguments)
                .arg("--config")
                .arg(&config)
                .output()
                .map_err(|error| format!("{}: {error}", program.display()))?;
            if output.status.success() {
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            } else {
                let why = String::from_utf8_lossy(&output.stderr);
                Err(format!("bourse {}: {}", arguments.join(" "), why.trim()))
            }
        };
        // Earlier releases have no such command, and need none.
        let _ = run(&["init"]);
        let key = run(&["key", "create", "--quiet"])?;
        run(&["credit", "grant", "--usd", "1000000"])?;
        Ok(BourseSetUp {
            program: program.to_owned(),
            config,
            addr,
            key,
        })
    }
}

impl BourseSetUp {
    fn verify_books(&self) -> Result<(), String> {
        let program = &self.program;
        let output = Command::new(program)
            .args(["ledger", "verify", "--config"])
            .arg(&self.config)
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "the books do not balance after the load: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// What the simulated provider does under each profile's name.
pub fn scripts(paced_chunks: u64) -> ScriptSet {
    let fast = |chunks, interval_us| Script {
        fast: true,
        fast_chunks: chunks,
        fast_interval_us: interval_us,
        ..Script::default()
    };
    // Two chunks an hour apart: the second never comes.
    const HOUR_US: u64 = 3_600_000_000;
    let script = |profile| match profile {
        Profile::Short => fast(1, 0),
        Profile::Full => fast(CHUNKS, 0),
        Profile::Paced => fast(paced_chunks, PACE_US),
        Profile::Idle => fast(2, HOUR_US),
    };
    ScriptSet {
        providers: Profile::ALL
            .into_iter()
            .map(|profile| (profile.name().to_owned(), script(profile)))
            .collect(),
        ..ScriptSet::default()
    }
}

fn path_text(path: &Path) -> Result<&str, String> {
    path.to_str()
        .ok_or_else(|| format!("{}: the path is not UTF-8", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let say = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(say)?;
    }
    fs::write(path, text).map_err(say)
}

/// One worker, connections kept on both sides, no buffering either way, no
/// access log: the least that nginx can do and still be a proxy. With its
/// default of 16 KB pieces a large prompt would cost it twice as much.
fn nginx_config(home: &str, addr: SocketAddr, upstream: SocketAddr) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("  {name}_temp_path {home}/{name};\n"))
        .collect();
    format!(
        "daemon off;\n\
         worker_processes 1;\n\
         pid nginx.pid;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n\
         {temporary}\
         \x20 access_log off;\n\
         \x20 upstream provider {{ server {upstream}; keepalive 2048; keepalive_requests 1000000000; keepalive_timeout 1h; }}\n\
         \x20 server {{\n\
         \x20   listen {addr} backlog=4096;\n\
         \x20   keepalive_requests 1000000000;\n\
         \x20   keepalive_timeout 1h;\n\
         \x20   client_max_body_size 64m;\n\
         \x20   location / {{\n\
         \x20     proxy_pass http://provider;\n\
         \x20     proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n\
         \x20     proxy_buffering off;\n\
         \x20     proxy_request_buffering off;\n\
         \x20     client_body_buffer_size 128k;\n\
         \x20     proxy_read_timeout 1h;\n\
         \x20   }}\n\
         \x20 }}\n\
         }}\n"
    )
}

fn bourse_config(dir: &Path, addr: SocketAddr, upstream: SocketAddr) -> String {
    let mut config = format!(
        "[server]\nlisten = \"{addr}\"\ndata_dir = \"{}\"\n",
        dir.join("data").display()
    );
    for profile in Profile::ALL {
        let name = profile.name();
        config.push_str(&format!(
            "\n[providers.bench-{name}]\n\
             format = \"openai-chat\"\n\
             base_url = \"http://{upstream}/p/{name}/v1\"\n\
             api_key = \"sk-simulated\"\n"
        ));
    }
    for profile in Profile::ALL {
        let name = profile.name();
        config.push_str(&format!(
            "\n[[models]]\n\
             slug = \"bench/{name}\"\n\
             context_length = 2000000\n\
             [[models.endpoints]]\n\
             provider = \"bench-{name}\"\n\
             upstream_model = \"{name}\"\n\
             price = {{ prompt = \"0.10\", completion = \"0.40\" }}\n"
        ));
    }
    config
}
