//! The server under test: a child process, and its command line.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use crate::crash::market::{self, Model, Players};

/// Longest that a start may take before the run gives up.
const START_MAX: Duration = Duration::from_secs(30);
/// Longest that a gentle stop may take: the server's own bound for running
/// calls ([`market::STOP_S`]), and what a busy machine adds.
const STOP_MAX: Duration = Duration::from_secs(market::STOP_S + 20);
/// Between two knocks at a server that starts.
const KNOCK: Duration = Duration::from_millis(1);
/// Last bytes of the server's log that a failure shows.
const LOG_TAIL_BYTES: usize = 4_000;

/// Where everything of a run is.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// Writes a configuration into `dir`, for a server that is not started yet.
    ///
    /// # Errors
    /// When no port is free or a file cannot be written.
    pub fn new(
        binary: &Path,
        dir: &Path,
        players: Players,
        models: &[Model],
    ) -> Result<Self, String> {
        let address = free_address()?;
        let text = market::config(address, &dir.join("data"), players, models);
        Self::configured(binary, dir, address, &text)
    }

    /// Like [`Self::new`], with a configuration that makes it listen at
    /// `address`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn configured(
        binary: &Path,
        dir: &Path,
        address: SocketAddr,
        text: &str,
    ) -> Result<Self, String> {
        let config = dir.join("bourse.toml");
        fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        Ok(Self {
            binary: binary.to_owned(),
            config,
            log: dir.join("server.log"),
            address,
            child: None,
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // A file that may not grow is an error to whoever writes, and must be
        // no signal.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        command.arg(&self.binary);
        // Whatever is configured outside must not reach the server under test.
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("BOURSE_") || name_text.ends_with("_API_KEY") {
                command.env_remove(&name);
            }
        }
        command
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null());
        command
    }

    /// Starts the process and returns at once.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self) -> Result<Instant, String> {
        let log = |error| format!("{}: {error}", self.log.display());
        let out: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(log)?;
        let errors = out.try_clone().map_err(log)?;
        let mut command = self.command(&["serve"]);
        command.stdout(out).stderr(errors);
        let started = Instant::now();
        let child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", self.binary.display()))?;
        self.child = Some(child);
        Ok(started)
    }

    /// Waits for the first good answer of `/healthz`; returns how long that
    /// took since `started`.
    ///
    /// # Errors
    /// When the server ends, or does not come up in time.
    pub fn wait_until_serving(&mut self, started: Instant) -> Result<Duration, String> {
        loop {
            if is_healthy(self.address) {
                return Ok(started.elapsed());
            }
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                return Err(format!(
                    "the server ended while starting ({status}):\n{}",
                    self.log_tail()
                ));
            }
            if started.elapsed() > START_MAX {
                return Err(format!("the server does not serve:\n{}", self.log_tail()));
            }
            sleep(KNOCK);
        }
    }

    /// Lets no file of the server grow beyond so many bytes, or any.
    ///
    /// # Errors
    /// When it is gone.
    pub fn let_files_grow(&self, bytes: Option<u64>) -> Result<(), String> {
        let pid = self.child.as_ref().and_then(process).ok_or("no server")?;
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(pid), Resource::Fsize, limit)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Waits until it says that it is ready, and its database too.
    ///
    /// # Errors
    /// What it says instead, at the end.
    pub fn wait_until_ready(&self, wait_max: Duration) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let said = get(self.address, "/readyz", START_MAX).unwrap_or_default();
            if said.starts_with("HTTP/1.1 200") && said.contains("\"database\":\"ok\"") {
                return Ok(());
            }
            if began.elapsed() > wait_max {
                return Err(format!(
                    "the server is not ready again: {said}\n{}",
                    self.log_tail()
                ));
            }
            sleep(KNOCK * 20);
        }
    }

    /// The most memory that the process had, in KiB; 0 if that is not known.
    #[must_use]
    pub fn memory_kib_max(&self) -> u64 {
        let id = self.child.as_ref().map_or(0, Child::id);
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
            .unwrap_or(0)
    }

    /// Whether it answers at this moment.
    #[must_use]
    pub fn serves(&self) -> bool {
        is_healthy(self.address)
    }

    /// Kills with SIGKILL and waits until the process is gone.
    ///
    /// # Errors
    /// When it had ended by itself: that is a difference too.
    pub fn kill(&mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!(
                "the server ended by itself ({status}):\n{}",
                self.log_tail()
            ));
        }
        // `Child::kill` is SIGKILL on Unix.
        child.kill().map_err(|error| error.to_string())?;
        child.wait().map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Asks the process to stop (SIGTERM) and waits until it has; returns how
    /// long that took.
    ///
    /// # Errors
    /// When it had ended by itself, does not end in time, or ends with
    /// another status than success.
    pub fn terminate(&mut self) -> Result<Duration, String> {
        let Some(mut child) = self.child.take() else {
            return Ok(Duration::ZERO);
        };
        let failed = |what: String| Err(format!("{what}:\n{}", self.log_tail()));
        if let Ok(Some(status)) = child.try_wait() {
            return failed(format!("the server ended by itself ({status})"));
        }
        let asked = Instant::now();
        signal(&child, Signal::TERM)?;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(asked.elapsed()),
                Ok(Some(status)) => return failed(format!("a gentle stop ended with {status}")),
                Ok(None) if asked.elapsed() < STOP_MAX => sleep(KNOCK),
                Ok(None) => {
                    // Nothing may outlive the run.
                    let _ = child.kill();
                    let _ = child.wait();
                    return failed("the server does not stop when asked to".to_owned());
                }
                Err(error) => return failed(error.to_string()),
            }
        }
    }

    fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(LOG_TAIL_BYTES);
        String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned()
    }

    /// Runs a command of the command line to its end.
    ///
    /// # Errors
    /// What it says, if it fails.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command(arguments)
            .output()
            .map_err(|error| format!("{}: {error}", self.binary.display()))?;
        let text = String::from_utf8_lossy(&stdout).into_owned();
        if !status.success() {
            return Err(format!(
                "bourse {}: {status}\n{text}{}",
                arguments.join(" "),
                String::from_utf8_lossy(&stderr)
            ));
        }
        Ok(text)
    }

    /// Like [`Self::run`], for a command that prints JSON.
    ///
    /// # Errors
    /// As for [`Self::run`], and when it prints something else.
    pub fn json(&self, arguments: &[&str]) -> Result<Value, String> {
        let text = self.run(arguments)?;
        serde_json::from_str(&text)
            .map_err(|error| format!("bourse {}: {error}: {text}", arguments.join(" ")))
    }

    /// Starts a command and kills it after a while, if it still runs then.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_and_kill(&self, arguments: &[&str], after: Duration) -> Result<(), String> {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        sleep(after);
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Sends a model call that is expected to be refused; returns the reply.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn post(&self, key: &str, body: &str) -> Result<String, String> {
        let request = format!(
            "POST /api/v1/chat/completions HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             authorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        ask(self.address, &request, Duration::from_secs(10)).map_err(|error| error.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// A loopback address that nobody listens at.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<SocketAddr, String> {
    let free = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
    free.local_addr().map_err(|error| error.to_string())
}

/// Sends a signal without the `kill` command, which small systems lack.
fn signal(child: &Child, signal: Signal) -> Result<(), String> {
    let pid = process(child).ok_or("an impossible process id")?;
    kill_process(pid, signal).map_err(|error| error.to_string())
}

fn process(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn ask(address: SocketAddr, request: &str, wait_max: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(wait_max))?;
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn is_healthy(address: SocketAddr) -> bool {
    get(address, "/healthz", START_MAX).is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
}

fn get(address: SocketAddr, path: &str, wait_max: Duration) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    ask(address, &request, wait_max)
}
