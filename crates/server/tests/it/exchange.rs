//! A running server with simulated providers, and how to talk to it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bourse_sim::{Entry, Outcome, Script, Sim, SimHandle};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::{Conn, Got, Stream};
use crate::money_math::nanos;

/// The model that providers offer unless a test says otherwise.
pub const MODEL: &str = "acme/chat";
/// Prices of the two providers that most tests use.
pub const CHEAP: (&str, &str) = ("0.10", "0.40");
pub const DEAR: (&str, &str) = ("1.50", "6.00");
/// Longer than anything should take on a busy machine: only a test that fails
/// waits for so long. A database that is back was once not noticed within 20 s
/// on two cores with twelve at work.
const PATIENCE: Duration = Duration::from_secs(60);

/// One provider with one endpoint.
pub struct Provider {
    pub slug: &'static str,
    pub format: &'static str,
    pub model: &'static str,
    /// The vendor's name for it; made of the slug if there is none.
    pub upstream_model: Option<&'static str>,
    /// Dollars for a million input tokens, and output tokens.
    pub price: Option<(&'static str, &'static str)>,
    pub script: Script,
    /// Another address than the simulator's.
    pub base_url: Option<String>,
    /// More lines for `[providers.<slug>]`.
    pub provider_toml: String,
    /// More lines for `[[models.endpoints]]`.
    pub endpoint_toml: String,
}

impl Provider {
    pub fn new(slug: &'static str, price: (&'static str, &'static str), script: Script) -> Self {
        Self {
            slug,
            format: "openai-chat",
            model: MODEL,
            upstream_model: None,
            price: Some(price),
            script,
            base_url: None,
            provider_toml: String::new(),
            endpoint_toml: String::new(),
        }
    }

    pub fn format(mut self, format: &'static str) -> Self {
        self.format = format;
        self
    }

    pub fn model(mut self, model: &'static str) -> Self {
        self.model = model;
        self
    }

    pub fn drains(mut self) -> Self {
        self.provider_toml.push_str("on_disconnect = \"drain\"\n");
        self
    }

    pub fn endpoint(mut self, toml: &str) -> Self {
        self.endpoint_toml.push_str(toml);
        self
    }
}

/// What a test wants of its server.
pub struct Setup {
    pub providers: Vec<Provider>,
    /// Tables before everything else.
    pub toml: String,
    /// Lines of `[server]`.
    pub server_toml: String,
    /// Lines of `[[models]]`, by slug.
    pub models: BTreeMap<&'static str, &'static str>,
    /// Credit granted before the start; none if empty.
    pub usd: &'static str,
    /// Variables of the server, and of commands.
    pub env: Vec<(&'static str, &'static str)>,
    pub workers: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            toml: String::new(),
            server_toml: String::new(),
            models: BTreeMap::new(),
            usd: "10",
            env: Vec::new(),
            workers: 1,
        }
    }
}

impl Setup {
    pub fn provider(&mut self, provider: Provider) -> &mut Self {
        self.providers.push(provider);
        self
    }

    pub fn deadlines(&mut self, lines: &str) -> &mut Self {
        write!(self.toml, "[deadlines]\n{lines}\n").unwrap();
        self
    }

    /// The configuration file.
    pub fn config(&self, data_dir: &std::path::Path, sim: Option<&SimHandle>) -> String {
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\nworkers = {}\n{}\n{}\n",
            data_dir, self.workers, self.server_toml, self.toml
        );
        for provider in &self.providers {
            let version = if provider.format == "gemini" {
                "v1beta"
            } else {
                "v1"
            };
            let base = provider.base_url.clone().unwrap_or_else(|| {
                let sim = sim.expect("a provider needs a simulator");
                format!("{}/{version}", sim.provider_url(provider.slug))
            });
            let has_key = |name| provider.provider_toml.contains(name);
            let has_own = ["api_key", "access_key_id", "credentials"]
                .into_iter()
                .any(has_key);
            let key = if has_own {
                ""
            } else {
                "api_key = \"upstream-key\"\n"
            };
            // One of the catalog has a format of its own.
            let format = match provider.format {
                "" => String::new(),
                format => format!("format = \"{format}\"\n"),
            };
            write!(
                text,
                "[providers.{}]\n{format}base_url = \"{base}\"\n{key}{}\n",
                provider.slug, provider.provider_toml
            )
            .unwrap();
        }
        let mut by_model: BTreeMap<&str, Vec<&Provider>> = BTreeMap::new();
        for provider in &self.providers {
            by_model.entry(provider.model).or_default().push(provider);
        }
        for (model, providers) in by_model {
            let lines = self
                .models
                .get(model)
                .copied()
                .unwrap_or("context_length = 8192\nmax_output = 1000");
            write!(text, "[[models]]\nslug = \"{model}\"\n{lines}\n").unwrap();
            for provider in providers {
                let price = provider
                    .price
                    .map(|(prompt, completion)| {
                        format!(
                            "price = {{ prompt = \"{prompt}\", completion = \"{completion}\" }}\n"
                        )
                    })
                    .unwrap_or_default();
                let named = format!("{}-model", provider.slug);
                let upstream = provider.upstream_model.unwrap_or(&named);
                write!(
                    text,
                    "[[models.endpoints]]\nprovider = \"{}\"\nupstream_model = \"{upstream}\"\n{price}{}\n",
                    provider.slug, provider.endpoint_toml
                )
                .unwrap();
            }
        }
        text
    }
}

/// What the process has written so far.
type Written = Arc<Mutex<String>>;

fn gather(from: impl Read + Send + 'static) -> Written {
    let written = Written::default();
    let into = Arc::clone(&written);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = into.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    written
}

/// The program, with a clean environment: a key in the environment of
/// whoever runs the tests must not turn into a real provider.
pub fn bourse() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bourse"));
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// A server that runs.
pub struct Server {
    pub child: Child,
    pub address: SocketAddr,
    pub out: Written,
    pub log: Written,
    /// Whether the test makes it log errors.
    pub may_log_errors: bool,
}

impl Server {
    pub fn start(config: &std::path::Path, env: &[(&str, &str)]) -> Self {
        let mut command = bourse();
        let command = command.args(["serve", "--config"]).arg(config);
        Self::run(command.envs(env.iter().copied()))
    }

    /// Starts it by a command of the test's own.
    /// The first keys are printed, unless the command says otherwise.
    pub fn run(command: &mut Command) -> Self {
        Self::run_with(command, Stdio::null())
    }

    /// The same with something to read.
    pub fn run_with(command: &mut Command, input: Stdio) -> Self {
        let prints = "BOURSE_SERVER__PRINT_FIRST_KEYS";
        if !command.get_envs().any(|(name, _)| name == prints) {
            command.env(prints, "true");
        }
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = gather(child.stdout.take().unwrap());
        let log = gather(child.stderr.take().unwrap());
        let address = eventually("the server to say where it serves", || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("it ended with {status}: {}", log.lock().unwrap());
            }
            let out = out.lock().unwrap();
            let rest = out.split("serves on http").nth(1)?.split("://").nth(1)?;
            rest.split_once(' ')?.0.parse().ok()
        });
        Self {
            child,
            address,
            out,
            log,
            may_log_errors: false,
        }
    }

    /// Without the `kill` command, which small systems lack.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Stops it and waits until it has.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = eventually("the server to stop", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.log());
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
        assert!(self.may_log_errors || !log.contains("ERROR"), "{log}");
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it ever was.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, row: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(row)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only of use where a test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server, its providers and its money.
pub struct Exchange {
    pub server: Server,
    pub sim: SimHandle,
    pub key: String,
    pub config: PathBuf,
    pub dir: tempfile::TempDir,
    pub env: Vec<(&'static str, &'static str)>,
}

impl Exchange {
    /// Makes a key and credit with the command line, then starts the server.
    pub fn start(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup);
        let dir = tempfile::tempdir().unwrap();
        let mut sim = Sim::builder().record_bodies(true);
        for provider in &setup.providers {
            sim = sim.provider(provider.slug, provider.script.clone());
        }
        let sim = sim.spawn_thread("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = dir.path().join("bourse.toml");
        let text = setup.config(&dir.path().join("data"), Some(&sim));
        std::fs::write(&config, text).unwrap();
        let run = |args: &[&str]| {
            let env = setup.env.iter().copied();
            succeed(bourse().args(args).arg("--config").arg(&config).envs(env))
        };
        std::fs::create_dir_all(dir.path().join("data")).unwrap();
        run(&["init"]);
        let key = run(&["key", "create", "--quiet"]).trim().to_owned();
        if !setup.usd.is_empty() {
            run(&["credit", "grant", "--usd", setup.usd]);
        }
        let server = Server::start(&config, &setup.env);
        Self {
            server,
            sim,
            key,
            config,
            dir,
            env: setup.env,
        }
    }

    /// The usual pair: a cheap provider that does as the script says, and a
    /// dear one that is honest.
    pub fn pair(script: Script) -> Self {
        Self::start(|setup| {
            setup
                .provider(Provider::new("cheap", CHEAP, script))
                .provider(Provider::new("dear", DEAR, Script::default()));
        })
    }

    /// One provider.
    pub fn single(script: Script) -> Self {
        Self::start(|setup| {
            setup.provider(Provider::new("cheap", CHEAP, script));
        })
    }

    /// Runs a command beside the server; its output.
    pub fn command(&self, args: &[&str]) -> String {
        let env = self.env.iter().copied();
        succeed(
            bourse()
                .args(args)
                .arg("--config")
                .arg(&self.config)
                .envs(env),
        )
    }

    pub fn connect(&self) -> Conn {
        Conn::open(self.server.address)
    }

    pub fn headers(&self) -> String {
        format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
            self.key
        )
    }

    /// Sends a chat request and leaves the answer to be read.
    pub fn open(&self, body: &Value) -> Conn {
        let mut conn = self.connect();
        let body = body.to_string();
        conn.request(
            "POST",
            "/api/v1/chat/completions",
            &self.headers(),
            body.as_bytes(),
        );
        conn
    }

    /// Posts whatever bytes as a chat request.
    pub fn raw(&self, body: &[u8]) -> Got {
        let mut conn = self.connect();
        conn.request("POST", "/api/v1/chat/completions", &self.headers(), body);
        conn.receive()
    }

    /// What is not a model call.
    pub fn get(&self, path: &str) -> Got {
        let mut conn = self.connect();
        conn.request("GET", path, &self.headers(), b"");
        conn.receive()
    }

    /// A chat request; members of `over` are laid over a plain one.
    pub fn chat(&self, over: Value) -> Got {
        self.open(&ask(over)).receive()
    }

    /// The same with another key.
    pub fn chat_as(&self, key: &str, over: Value) -> Got {
        let mut conn = self.connect();
        let headers = format!("authorization: Bearer {key}\r\n");
        let body = ask(over).to_string();
        conn.request(
            "POST",
            "/api/v1/chat/completions",
            &headers,
            body.as_bytes(),
        );
        conn.receive()
    }

    #[track_caller]
    pub fn stream(&self, over: Value) -> Stream {
        self.open(&streamed(over)).receive().stream()
    }

    /// Which providers were called, in order.
    pub fn attempts(&self) -> Vec<String> {
        self.upstream()
            .into_iter()
            .map(|entry| entry.provider.unwrap())
            .collect()
    }

    /// What the simulator saw, once it is quiet.
    pub fn upstream(&self) -> Vec<Entry> {
        eventually("the simulator to be quiet", || {
            (self.sim.counters().in_flight == 0).then_some(())
        });
        self.sim.log()
    }

    /// What the last complete answer truly costs, without a markup.
    pub fn worth(&self, price: (&str, &str)) -> i128 {
        let entry = self
            .upstream()
            .into_iter()
            .rfind(|entry| entry.outcome == Outcome::Complete)
            .expect("no complete answer");
        worth(&entry, price)
    }

    /// Granted and spent of the default account, as the database has them.
    pub fn balance(&self) -> (i128, i128) {
        let rows: Value =
            serde_json::from_str(&self.command(&["credit", "list", "--json"])).unwrap();
        let row = rows
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["account"] == "default")
            .unwrap();
        let amount = |name: &str| nanos(row[name].as_str().unwrap());
        (amount("granted"), amount("spent"))
    }

    /// Stops the server and checks the books: they balance, nothing is held,
    /// and so much was spent.
    #[track_caller]
    pub fn finish(self, spent: i128) {
        let found = self.close();
        assert_eq!(found, spent, "nano-dollars spent");
    }

    /// The same, and tells what was spent.
    #[track_caller]
    pub fn close(mut self) -> i128 {
        self.server.stop();
        let report = self.command(&["ledger", "verify", "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["balanced"], true, "{report}");
        let unapplied = report["unapplied"].as_str().unwrap();
        assert!(unapplied.contains("records: 0,"), "{unapplied}");
        assert!(unapplied.contains("open_holds: 0 "), "{unapplied}");
        let (granted, spent) = self.balance();
        assert!(spent >= 0 && spent <= granted, "{spent} of {granted}");
        spent
    }
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    assert!(
        status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).unwrap()
}

/// A plain request with members laid over it.
pub fn ask(over: Value) -> Value {
    let mut body = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello there"}],
        "provider": {"sort": "price"},
    });
    if let Value::Object(over) = over {
        body.as_object_mut().unwrap().extend(over);
    }
    body
}

/// The same, streamed.
pub fn streamed(over: Value) -> Value {
    let mut body = ask(over);
    body["stream"] = true.into();
    body
}

/// Input tokens as documented where the provider reports none: four bytes of
/// what the model is given to read make one.
pub fn prompt_estimate(body: &Value) -> u64 {
    (body["messages"].to_string().len() as u64).div_ceil(4)
}

/// What an answer truly costs.
pub fn worth(entry: &Entry, price: (&str, &str)) -> i128 {
    let truth = entry.truth.as_ref().unwrap();
    crate::money_math::charge(truth.prompt_tokens, truth.completion_tokens, price)
}

/// A script from what is special about it.
pub fn script(fields: Value) -> Script {
    serde_json::from_value(fields).unwrap()
}

/// Asks again until there is an answer.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
