//! Configuration files.

use super::Target;
use crate::sign::Sign;

/// Files that an operator might have written.
pub struct Configuration;

/// The contract's example, and something of every section beside it.
const EXAMPLE: &str = r#"
[server]
listen = "127.0.0.1:8787"
data_dir = "data"
workers = 2
hosts = ["a.example"]

[log]
level = "info"

[database]
url = "sqlite"

[ledger]
sync_interval_ms = 20

[deadlines]
first_sign_ms = 150
idle_ms = 5000

[providers.openai]
api_key = "sk-1"
base_url = "http://127.0.0.1:9100/v1"

[providers.anthropic]
api_keys = ["a", { env = "NO" }, { file = "/dev/null" }]
enabled = false

[providers.my-vllm]
format = "openai-chat"
base_url = "http://127.0.0.1:8000/v1"
http2 = "never"
on_disconnect = "drain"

[[models]]
slug = "acme/llama"
context_length = 8192
max_output = 64
aliases = ["llama"]
input_modalities = ["text", "image"]
[[models.endpoints]]
provider = "my-vllm"
upstream_model = "llama"
price = { prompt = "0.10", completion = "0.40", tiers = [{ min_prompt_tokens = 5, prompt = "1" }] }
"#;

impl Target for Configuration {
    fn name(&self) -> &'static str {
        "configuration"
    }

    fn held_to(&self) -> &'static str {
        "a configuration file is understood, or every mistake is told with its place"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let release = crate::root().join("fixtures/releases/0.1.0/bourse.toml");
        let old = std::fs::read(&release).map_err(|e| format!("{}: {e}", release.display()))?;
        let sections: Vec<Vec<u8>> = EXAMPLE
            .split("\n\n")
            .map(|text| text.as_bytes().to_vec())
            .collect();
        Ok([vec![EXAMPLE.into(), old], sections].concat())
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let mut sign = Sign::default();
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(sign.get());
        };
        match bourse::understand_configuration("bourse.toml", text) {
            Ok(()) => sign.text("good"),
            Err(mistakes) if mistakes.trim().is_empty() => {
                return Err("a file is refused, and nobody says why".to_owned());
            }
            Err(mistakes) => mistakes.lines().for_each(|line| sign.sentence(line)),
        }
        Ok(sign.get())
    }
}
