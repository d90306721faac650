//! A Bourse, the simulated providers behind it, and nginx and LiteLLM before
//! the same ones.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bourse_sim::load::{LoadPlan, LoadReport, Pace, run_on_thread};
use bourse_sim::{Entry, Script, Sim, SimHandle};

use crate::bench::process::{Process, free_addr};

/// Requests that a provider's log keeps: more than any run here sends to one.
const LOG_ENTRIES: usize = 400_000;
/// Longest that the load waits for one answer. Longer than the 30 s that
/// Bourse gives a silent provider, so that its answer counts.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// What nginx gives a silent provider: what Bourse gives it.
const NGINX_READ_S: u64 = 30;
/// As many more tries as there are other providers, and one.
const LITELLM_RETRIES: u64 = 3;
/// How long answers may still be on their way once the load has ended.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// Path of the one endpoint that is used.
pub const CHAT: &str = "/v1/chat/completions";

/// Requests a second that LiteLLM gets at most: one process of it answers some
/// more than that on a core, and it is its router that is compared, not its
/// speed.
const LITELLM_RATE_MAX: u64 = 20;

/// It does not start without a key that looks like one. This one guards
/// nothing.
const LITELLM_KEY: &str = "sk-0f2b6c1d94e84a7783b5d6a1c09e5f3f7d21aa64";

/// What scenarios are run with.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The `bourse` under test.
    pub bourse: PathBuf,
    /// Whether it was built from these sources for this run.
    pub is_built_here: bool,
    /// Cores that were busy with other work before the first scenario.
    pub busy: f64,
    /// nginx, if it is compared with.
    pub nginx: Option<PathBuf>,
    /// LiteLLM's program, if it is compared with.
    pub litellm: Option<PathBuf>,
    /// Configurations, logs, data.
    pub dir: PathBuf,
    /// Seconds of load of one scenario.
    pub seconds: u64,
    /// Requests a second.
    pub rate: u64,
    /// Varies everything that is drawn.
    pub seed: u64,
}

/// A provider to be played.
pub struct Provider {
    pub name: String,
    /// The format it speaks, by its name in the configuration.
    pub format: &'static str,
    /// How it goes on with an answer that has begun, by its name in the
    /// configuration.
    pub prefill: &'static str,
    pub script: Script,
}

impl Provider {
    /// One that speaks OpenAI's format.
    pub fn new(name: &str, script: Script) -> Self {
        Self {
            name: name.to_owned(),
            format: "openai-chat",
            prefill: "none",
            script,
        }
    }
}

/// Simulated providers, each on a port of its own.
pub struct Providers(Vec<(Provider, SimHandle)>);

impl Providers {
    pub fn start(providers: Vec<Provider>) -> Result<Self, String> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let start = |provider: Provider| {
            let sim = Sim::builder()
                .script(provider.script.clone())
                .log_entries_max(LOG_ENTRIES)
                .spawn_thread(any)
                .map_err(|error| format!("simulated provider: {error}"))?;
            Ok((provider, sim))
        };
        let started: Result<Vec<_>, String> = providers.into_iter().map(start).collect();
        Ok(Self(started?))
    }

    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(one, _)| one.name.clone()).collect()
    }

    pub fn sim(&self, name: &str) -> Result<&SimHandle, String> {
        let found = self.0.iter().find(|(one, _)| one.name == name);
        found
            .map(|(_, sim)| sim)
            .ok_or_else(|| format!("no provider {name}"))
    }

    /// What each received, oldest first.
    pub fn logs(&self) -> Vec<Vec<Entry>> {
        self.0.iter().map(|(_, sim)| sim.log()).collect()
    }

    /// When each attempt arrived, in microseconds, at all of them.
    pub fn moments_us(&self) -> Vec<u64> {
        let logs = self.logs();
        let entries = logs.iter().flatten();
        entries.map(|entry| entry.started_unix_us).collect()
    }

    /// Empties the logs; schedules begin again.
    pub fn reset(&self) {
        self.0.iter().for_each(|(_, sim)| sim.reset());
    }

    pub fn set_all(&self, script: &Script) {
        self.0
            .iter()
            .for_each(|(_, sim)| sim.set_script(script.clone()));
    }
}

/// Where load goes.
#[derive(Debug)]
pub struct Door {
    pub addr: SocketAddr,
    pub path: String,
    pub key: Option<String>,
    pub process: Process,
}

impl Door {
    /// A run of load in an open loop: arrivals do not wait for answers.
    pub fn load(&self, body: &str, rate: u64, seconds: u64) -> Result<LoadReport, String> {
        self.load_with(body, rate, seconds, &[])
    }

    /// The same, with more headers.
    pub fn load_with(
        &self,
        body: &str,
        rate: u64,
        seconds: u64,
        headers: &[(&str, &str)],
    ) -> Result<LoadReport, String> {
        let mut plan = self.plan(body, rate, seconds);
        let more = headers.iter();
        plan.headers
            .extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        run_on_thread(plan).map_err(|error| error.to_string())
    }

    pub fn plan(&self, body: &str, rate: u64, seconds: u64) -> LoadPlan {
        let mut plan = LoadPlan::new(self.addr, self.path.clone(), body);
        plan.headers = self.headers();
        plan.pace = Pace::Open {
            rate_per_s: rate,
            connections_max: 4_000,
        };
        plan.requests_max = rate * seconds;
        plan.duration_max = Duration::from_secs(seconds);
        plan.timeout = ANSWER_MAX;
        plan
    }

    fn headers(&self) -> Vec<(String, String)> {
        let bearer = |key: &String| ("authorization".to_owned(), format!("Bearer {key}"));
        self.key.iter().map(bearer).collect()
    }
}

/// A configured Bourse.
pub struct Bourse {
    program: PathBuf,
    pub config: PathBuf,
    pub data: PathBuf,
    pub door: Door,
}

/// A model on offer: its name after `soak/`, and at which providers.
pub type Model = (String, Vec<String>);

impl Ground {
    /// Sets a Bourse up with models at providers, all of one price, and
    /// starts it.
    pub fn bourse(&self, name: &str, at: &Providers, models: &[Model]) -> Result<Bourse, String> {
        self.bourse_with(name, at, models, "")
    }

    /// The same, with more of a configuration.
    pub fn bourse_with(
        &self,
        name: &str,
        at: &Providers,
        models: &[Model],
        more: &str,
    ) -> Result<Bourse, String> {
        let dir = self.dir.join(name);
        let _ = fs::remove_dir_all(&dir);
        let addr = free_addr()?;
        let data = dir.join("data");
        let config = dir.join("bourse.toml");
        write(&config, &(configuration(addr, &data, at, models) + more))?;
        let run = |arguments: &[&str]| command(&self.bourse, &config, arguments);
        run(&["init"])?;
        let key = run(&["key", "create", "--quiet"])?;
        run(&["credit", "grant", "--usd", "1000000"])?;
        let path = config.display().to_string();
        let log = dir.join("log");
        let mut process = Process::start(&self.bourse, &["serve", "--config", &path], &log)?;
        process
            .wait_until_ready(addr, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .map_err(|why| format!("bourse: {why}; see {}", log.display()))?;
        Ok(Bourse {
            program: self.bourse.clone(),
            config,
            data,
            door: Door {
                addr,
                path: "/api/v1/chat/completions".to_owned(),
                key: Some(key),
                process,
            },
        })
    }

    /// nginx before the same providers, told to try the next one whenever
    /// it can be told to; nothing if it is not compared with.
    pub fn nginx(&self, name: &str, at: &Providers) -> Result<Option<Door>, String> {
        let Some(nginx) = &self.nginx else {
            return Ok(None);
        };
        let dir = self.dir.join(name);
        let _ = fs::remove_dir_all(&dir);
        let addr = free_addr()?;
        let home = dir.display().to_string();
        write(&dir.join("nginx.conf"), &nginx_conf(&home, addr, at))?;
        let arguments = ["-p", &home, "-c", "nginx.conf", "-e", "error.log"];
        let process = Process::start(nginx, &arguments, &dir.join("log"))?;
        // Killed, the master would leave its worker behind.
        let mut stop = Command::new(nginx);
        stop.args(arguments).args(["-s", "stop"]);
        let mut process = process.stop_with(stop);
        process.wait_until_ready(addr, b"GET /alive HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        Ok(Some(Door {
            addr,
            path: CHAT.to_owned(),
            key: None,
            process,
        }))
    }
}

impl Ground {
    /// LiteLLM's proxy before the same providers as deployments of one model,
    /// and the load that it gets; nothing if it is not compared with.
    pub fn litellm(&self, name: &str, at: &Providers) -> Result<Option<(Self, Door)>, String> {
        let Some(litellm) = &self.litellm else {
            return Ok(None);
        };
        let dir = self.dir.join(name);
        let _ = fs::remove_dir_all(&dir);
        let addr = free_addr()?;
        let config = dir.join("config.yaml");
        write(&config, &litellm_config(at))?;
        let (config, port) = (config.display().to_string(), addr.port().to_string());
        let arguments = ["--config", &config, "--host", "127.0.0.1", "--port", &port];
        let mut process = Process::start(litellm, &arguments, &dir.join("log"))?;
        let alive = b"GET /health/liveliness HTTP/1.1\r\nhost: localhost\r\n\r\n";
        process
            .wait_until_ready(addr, alive)
            .map_err(|why| format!("litellm: {why}; see {}", dir.join("log").display()))?;
        let door = Door {
            addr,
            path: CHAT.to_owned(),
            key: Some(LITELLM_KEY.to_owned()),
            process,
        };
        let slower = Self {
            rate: self.rate.min(LITELLM_RATE_MAX),
            ..self.clone()
        };
        Ok(Some((slower, door)))
    }
}

impl Bourse {
    /// Runs a command of it; says what it printed.
    pub fn command(&self, arguments: &[&str]) -> Result<String, String> {
        command(&self.program, &self.config, arguments)
    }

    /// The sum of one of its metrics.
    pub fn metric(&self, name: &str) -> Result<u64, String> {
        let key = self.command(&["key", "create", "--management", "--quiet"])?;
        let page = self.door.get("/metrics", &key)?;
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{'])
                .then(|| rest.rsplit(' ').next()?.parse::<u64>().ok())?
        };
        let values: Vec<u64> = page.body.lines().filter_map(value).collect();
        match values.is_empty() {
            true => Err(format!("/metrics does not have {name}")),
            false => Ok(values.iter().sum()),
        }
    }

    /// Stops it gently and has it check its books.
    pub fn books(mut self) -> Result<String, String> {
        self.door.process.terminate()?;
        self.command(&["ledger", "verify"])
            .map_err(|why| format!("the books do not balance: {why}"))
    }
}

/// Waits until the providers have nothing more to answer, or for long enough.
pub fn settle(providers: &Providers) {
    let end = std::time::Instant::now() + QUIET_MAX;
    let busy = || {
        providers
            .0
            .iter()
            .any(|(_, sim)| sim.counters().in_flight > 0)
    };
    while busy() && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn command(program: &Path, config: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("bourse {}: {}", arguments.join(" "), why.trim()))
}

/// Writes a file, its folder included.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let say = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(say)?;
    }
    fs::write(path, text).map_err(say)
}

fn configuration(addr: SocketAddr, data: &Path, at: &Providers, models: &[Model]) -> String {
    let mut text = format!(
        "[server]\nlisten = \"{addr}\"\ndata_dir = \"{}\"\n",
        data.display()
    );
    for (provider, sim) in &at.0 {
        let (name, format, prefill) = (&provider.name, provider.format, provider.prefill);
        let version = if format == "gemini" { "v1beta" } else { "v1" };
        text.push_str(&format!(
            "\n[providers.{name}]\nformat = \"{format}\"\nbase_url = \"http://{}/{version}\"\napi_key = \"sk-simulated\"\n",
            sim.addr()
        ));
        // What built-in ones take is known, and they bear no such line.
        if prefill != "none" {
            text.push_str(&format!("prefill = \"{prefill}\"\n"));
        }
    }
    for (model, providers) in models {
        text.push_str(&format!(
            "\n[[models]]\nslug = \"soak/{model}\"\ncontext_length = 200000\n"
        ));
        for provider in providers {
            text.push_str(&format!(
                "[[models.endpoints]]\nprovider = \"{provider}\"\nupstream_model = \"m\"\nprice = {{ prompt = \"0.10\", completion = \"0.40\" }}\n"
            ));
        }
    }
    text
}

/// One worker, and every reason to try the next provider that nginx knows
/// (`proxy_next_upstream`, nginx documentation of ngx_http_proxy_module); its
/// own defaults for how long a failed one is left out.
fn nginx_conf(home: &str, addr: SocketAddr, at: &Providers) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("  {name}_temp_path {home}/{name};\n"))
        .collect();
    let servers: String =
        at.0.iter()
            .map(|(_, sim)| format!("    server {};\n", sim.addr()))
            .collect();
    format!(
        "daemon off;\n\
         worker_processes 1;\n\
         pid nginx.pid;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n\
         {temporary}\
         \x20 access_log off;\n\
         \x20 upstream providers {{\n{servers}    keepalive 512;\n  }}\n\
         \x20 server {{\n\
         \x20   listen {addr} backlog=4096;\n\
         \x20   location = /alive {{ return 200; }}\n\
         \x20   location / {{\n\
         \x20     proxy_pass http://providers;\n\
         \x20     proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n\
         \x20     proxy_buffering off;\n\
         \x20     proxy_connect_timeout 5s;\n\
         \x20     proxy_read_timeout {NGINX_READ_S}s;\n\
         \x20     proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 http_504 http_429 non_idempotent;\n\
         \x20   }}\n\
         \x20 }}\n\
         }}\n"
    )
}

/// Three tries and the same time for a silent provider that Bourse gives it;
/// the defaults for everything else, the choice among deployments and how long
/// a failed one is left out included (docs.litellm.ai, "Configuration and
/// defaults" of the router, November 2026).
fn litellm_config(at: &Providers) -> String {
    let deployment = |(_, sim): &(Provider, SimHandle)| {
        format!(
            "  - model_name: soak/chat\n\
             \x20   litellm_params:\n\
             \x20     model: openai/m\n\
             \x20     api_base: http://{}/v1\n\
             \x20     api_key: sk-simulated\n",
            sim.addr()
        )
    };
    let deployments: String = at.0.iter().map(deployment).collect();
    format!(
        "model_list:\n{deployments}\
         router_settings:\n\
         \x20 num_retries: {LITELLM_RETRIES}\n\
         \x20 timeout: {NGINX_READ_S}\n\
         litellm_settings:\n\
         \x20 telemetry: false\n\
         general_settings:\n\
         \x20 master_key: {LITELLM_KEY}\n"
    )
}
