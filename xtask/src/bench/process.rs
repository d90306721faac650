//! Programs under measurement: started, watched through `/proc`, and
//! stopped whatever happens.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take until it serves.
const READY_WAIT_MAX: Duration = Duration::from_secs(60);
/// Between two looks at whether it does; the precision of a start's time.
const READY_PAUSE: Duration = Duration::from_millis(1);
/// Longest wait for one answer while looking.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a program may go on working once its load has ended.
const SETTLE_MAX: Duration = Duration::from_secs(8);
/// A program that uses less than this while it is watched is at rest. Looking
/// for changes costs Bourse some 0.8 ms in that time.
const REST_NS: u64 = 2_000_000;

/// A running program; stopped when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    started: Instant,
    /// Run before the program is killed, for programs with children.
    stop: Option<Command>,
}

impl Process {
    /// Starts a program, its output going to a file.
    pub fn start(program: &Path, arguments: &[&str], log: &Path) -> Result<Self, String> {
        let say = |error: std::io::Error| format!("{}: {error}", program.display());
        let log = File::create(log).map_err(say)?;
        let again = log.try_clone().map_err(say)?;
        // With setpriv the kernel ends the program when this one ends, be
        // it killed: nothing stays behind.
        let mut command = if Path::new("/usr/bin/setpriv").exists() {
            let mut command = Command::new("/usr/bin/setpriv");
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(again)
            .env_remove("OPENAI_API_KEY");
        let started = Instant::now();
        let child = command.spawn().map_err(say)?;
        Ok(Self {
            child,
            started,
            stop: None,
        })
    }

    /// Runs this before killing.
    pub fn stop_with(mut self, command: Command) -> Self {
        self.stop = Some(command);
        self
    }

    /// Waits until `probe` gets an answer with status 200; says how long
    /// after the start that was.
    pub fn wait_until_ready(&mut self, addr: SocketAddr, probe: &[u8]) -> Result<Duration, String> {
        loop {
            if status_of(addr, probe) == Some(200) {
                return Ok(self.started.elapsed());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended at once, with {status}"));
            }
            if self.started.elapsed() > READY_WAIT_MAX {
                return Err(format!("it does not answer on {addr}"));
            }
            std::thread::sleep(READY_PAUSE);
        }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn ids(&self) -> Vec<u32> {
        let mut all = vec![self.child.id()];
        // Children of children: nginx has one generation, none has three.
        let mut at = 0;
        while let Some(id) = all.get(at).copied() {
            at += 1;
            all.extend(children(id));
        }
        all
    }

    /// CPU time of all threads of the program and its children, in
    /// nanoseconds as the scheduler counts them.
    pub fn cpu_ns(&self) -> u64 {
        self.ids().into_iter().map(cpu_ns_of).sum()
    }

    /// The same by name of thread, numbers at its end left out.
    pub fn cpu_ns_by_thread(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (name, ns) in self.ids().into_iter().flat_map(threads) {
            let digits = |c: char| c.is_ascii_digit() || c == '-';
            let name = name.trim_end_matches(digits).to_owned();
            *all.entry(name).or_default() += ns;
        }
        all
    }

    /// Waits until it has been at rest for `quiet`, so that work it does after
    /// its answers counts too; then says its CPU time.
    pub fn cpu_ns_at_rest(&self, quiet: Duration) -> u64 {
        let end = Instant::now() + SETTLE_MAX;
        let mut before = self.cpu_ns();
        loop {
            std::thread::sleep(quiet);
            let now = self.cpu_ns();
            if now.saturating_sub(before) < REST_NS || Instant::now() > end {
                return now;
            }
            before = now;
        }
    }

    /// Resident memory of the program and its children, in bytes. Pages
    /// that parent and child share are counted in both.
    pub fn resident_bytes(&self) -> u64 {
        self.ids().into_iter().map(resident_bytes_of).sum()
    }
}

impl Process {
    /// Asks it to end (SIGTERM) and waits until it has: a program that is
    /// killed writes no profile.
    pub fn terminate(&mut self) -> Result<(), String> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or("an impossible process id")?;
        kill_process(pid, Signal::TERM).map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("it ended with {status}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(stop) = &mut self.stop {
            let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
            let end = Instant::now() + Duration::from_secs(2);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn children(id: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{id}/task/{id}/children"))
        .unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

fn cpu_ns_of(id: u32) -> u64 {
    threads(id).into_iter().map(|(_, ns)| ns).sum()
}

/// Names of a process's threads and their CPU time.
fn threads(id: u32) -> Vec<(String, u64)> {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
        return Vec::new();
    };
    threads
        .filter_map(|thread| {
            let path = thread.ok()?.path();
            let name = fs::read_to_string(path.join("comm")).ok()?;
            let times = fs::read_to_string(path.join("schedstat")).ok()?;
            let ns = times.split_ascii_whitespace().next()?.parse().ok()?;
            Some((name.trim().to_owned(), ns))
        })
        .collect()
}

fn resident_bytes_of(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// A port of the loopback that was free a moment ago.
pub fn free_addr() -> Result<SocketAddr, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))
}

fn status_of(addr: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&addr, PROBE_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT)).ok()?;
    stream.write_all(request).ok()?;
    let mut head = [0_u8; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head)
        .ok()?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()
}
