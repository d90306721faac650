"""Starts a real Bourse in front of simulated providers, for client tests.

The Python tests import it; the TypeScript tests run it (`python harness.py`):
it then prints one line of JSON that says where everything is, and serves
until its standard input is closed.

The simulator answers under one path a provider, `/p/<name>/...`, and takes
its faults from a file with one table a provider. `SCRIPT` below is that file:
what the tests know about the simulator's own vocabulary is here and only
here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
BOURSE_BIN = os.environ.get("BOURSE_BIN", str(ROOT / "target" / "debug" / "bourse"))

# How long a process may take until it answers. A debug build on a busy
# machine is slow; a test that waits longer than this has found a fault.
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10

# USD per million tokens. Not round, so that a cost computed from the wrong
# price, or from the prompt and completion prices swapped, cannot agree; and
# whole nano-dollars a token (370 and 1,930), so that no rounding comes in.
PROMPT_PRICE = Decimal("0.37")
COMPLETION_PRICE = Decimal("1.93")

# Faults that make the gateway avoid an endpoint for a while are given to
# each client in a copy of its own, so that no client sees another's.
CLIENTS = (
    *("openai", "openai-async", "openrouter", "anthropic", "google"),
    *("langchain", "litellm", "pydantic-ai", "instructor", "llm", "ai-sdk"),
)

RETRY_AFTER_SECONDS = 7
SLOW_TOKENS = 400
REASONING_TOKENS = 6
ANSWER_TOKENS = 5

# Providers of the simulator: name -> what it does. Left alone it answers at
# once and honestly: a forced tool choice is called, a JSON schema is met with
# the smallest value that fits.
SCRIPT: dict[str, dict] = {
    "echo": {},
    "five": {"tokens": ANSWER_TOKENS},
    "thinker": {
        "reasoning_tokens": REASONING_TOKENS,
        "tokens": ANSWER_TOKENS,
        "show_reasoning": "reasoning",
    },
    "two-tools": {"tool_calls": 2},
    "slow": {"tokens": SLOW_TOKENS, "token_ms": 25},
    **{
        f"limited-{c}": {"error_status": 429, "retry_after": {"seconds": RETRY_AFTER_SECONDS}}
        for c in CLIENTS
    },
    **{f"broken-{c}": {"error_status": 500} for c in CLIENTS},
    **{f"cut-{c}": {"tokens": 20, "cut_after_tokens": 3} for c in CLIENTS},
    **{f"confesses-{c}": {"tokens": 20, "error_after_tokens": 3, "token_ms": 20} for c in CLIENTS},
}

# A conversation of three answers, each thought about: two calls at once, one
# more whose result is a picture, and a sentence. Who plays it refuses what its
# vendor would, and rounds whose thoughts do not come back.
LOOP_SAYS = "I look both of them up."
LOOP_ENDS = "Paris is the warmer of the two."
LOOP_CITIES = ("Paris", "Oslo")
LOOP = {
    "reasoning_tokens": REASONING_TOKENS,
    "show_reasoning": "reasoning_content",
    "wants_thoughts_back": True,
    "turns": [
        {
            "say": LOOP_SAYS,
            "calls": [{"tool": "get_weather", "arguments": {"city": c}} for c in LOOP_CITIES],
        },
        {"calls": [{"tool": "show_map", "arguments": {"city": "Paris"}}]},
        {"say": LOOP_ENDS},
    ],
}

# Who plays it, by the format that is spoken: provider and upstream model.
LOOP_MODELS = {
    "chat": ("sim-loop", "upstream-loop"),
    "responses": ("openai", "gpt-5"),
    "anthropic": ("anthropic", "claude-opus-4-5"),
    "gemini": ("google-ai-studio", "gemini-3-pro-preview"),
    "bedrock": ("amazon-bedrock", "eu.anthropic.claude-opus-4-5-20251101-v1:0"),
}

# The vendors whose formats differ from OpenAI's, by the path under which the
# simulator speaks them.
VENDORS = {
    "openai": "/p/openai/v1",
    "anthropic": "/p/anthropic/v1",
    "google-ai-studio": "/p/google-ai-studio/v1beta",
}

UPSTREAM_MODELS = {
    "openai": "gpt-5-mini",
    "anthropic": "claude-sonnet-4-5",
    "google-ai-studio": "gemini-2.5-flash",
}


def price_of(prompt_tokens: int, completion_tokens: int) -> Decimal:
    """What the tests' prices make of a usage, in USD, exactly."""
    return (
        prompt_tokens * PROMPT_PRICE + completion_tokens * COMPLETION_PRICE
    ) / Decimal(1_000_000)


def usd(number: float | str) -> Decimal:
    """A JSON number as the decimal that was written, not its binary neighbour."""
    return Decimal(repr(number) if isinstance(number, float) else str(number))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_environment() -> dict[str, str]:
    """Ours without anybody's provider keys: a test must never call a vendor."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not re.search(r"_(API_)?KEY$|_TOKEN$", k) and not k.startswith("BOURSE_")
    }
    kept["NO_PROXY"] = "127.0.0.1,localhost"
    return kept


def toml_value(value) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k)} = {toml_value(v)}" for k, v in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    # A JSON scalar is a TOML scalar of the same meaning.
    return json.dumps(value)


def write_sim_script(path: Path, script: dict[str, dict], models: dict[str, dict]) -> None:
    """Writes the simulator's script: a table for each provider, and for models."""
    lines = []
    for kind, tables in (("providers", script), ("models", models)):
        for name, fields in tables.items():
            lines.append(f"[{kind}.{json.dumps(name)}]")
            lines += [f"{key} = {toml_value(value)}" for key, value in fields.items()]
            lines.append("")
    path.write_text("\n".join(lines))


SUPPORTED_PARAMETERS = [
    "max_tokens",
    "reasoning",
    "response_format",
    "seed",
    "structured_outputs",
    "temperature",
    "tool_choice",
    "tools",
]
MAX_OUTPUT = 4096
CONTEXT_LENGTH = 32768


def model_table(slug: str, provider: str, upstream_model: str, interface: str = "chat") -> str:
    return f"""
[[models]]
slug = "{slug}"
name = "Acme {slug.removeprefix("acme/")}"
context_length = {CONTEXT_LENGTH}
max_output = {MAX_OUTPUT}
input_modalities = ["text", "image"]
reasoning = true
supported_parameters = {json.dumps(SUPPORTED_PARAMETERS)}
[[models.endpoints]]
provider = "{provider}"
upstream_model = "{upstream_model}"
interface = "{interface}"
price = {{ prompt = "{PROMPT_PRICE}", completion = "{COMPLETION_PRICE}" }}
"""


# What makes vectors, by who is asked: a server like OpenAI's, and Google's.
EMBEDDING_MODELS = {
    "acme/embed": ("sim-echo", "upstream-embed"),
    "acme/embed-via-google": ("google-ai-studio", "gemini-embedding-001"),
}


def embedding_table(slug: str, provider: str, upstream_model: str) -> str:
    return f"""
[[models]]
slug = "{slug}"
name = "Acme {slug.removeprefix("acme/")}"
context_length = {CONTEXT_LENGTH}
output_modalities = ["embeddings"]
[[models.endpoints]]
provider = "{provider}"
upstream_model = "{upstream_model}"
price = {{ prompt = "{PROMPT_PRICE}", completion = "0" }}
"""


# What speaks or hears, with the kind of its unit and what one costs. A name
# of OpenAI's says how a server like it is asked.
AUDIO_MODELS = {
    "acme/tts": ("tts-1", "speech", "character", "0.000015"),
    "acme/token-tts": ("gpt-4o-mini-tts", "speech", None, None),
    "acme/whisper": ("whisper-1", "transcription", "audio_second", "0.0001"),
    "acme/transcribe": ("gpt-4o-transcribe", "transcription", None, None),
}


def audio_table(slug: str, upstream_model: str, output: str, unit: str | None, price: str | None) -> str:
    if unit:
        prices = f'prompt = "0", completion = "0", {unit} = "{price}"'
    else:
        prices = f'prompt = "{PROMPT_PRICE}", completion = "{COMPLETION_PRICE}"'
    heard = 'input_modalities = ["audio"]' if output == "transcription" else ""
    return f"""
[[models]]
slug = "{slug}"
name = "Acme {slug.removeprefix("acme/")}"
context_length = {CONTEXT_LENGTH}
max_output = {MAX_OUTPUT}
{heard}
output_modalities = ["{output}"]
[[models.endpoints]]
provider = "sim-echo"
upstream_model = "{upstream_model}"
price = {{ {prices} }}
"""


# What talks, with dollars for a million tokens of each kind.
REALTIME_MODEL = "acme/talk"
REALTIME_PRICES = {
    "prompt": "0.60",
    "completion": "2.40",
    "cache_read": "0.06",
    "cache_read_audio": "0.30",
    "audio": "10",
    "audio_output": "20",
}


def realtime_table() -> str:
    prices = ", ".join(f'{name} = "{price}"' for name, price in REALTIME_PRICES.items())
    return f"""
[[models]]
slug = "{REALTIME_MODEL}"
name = "Acme talk"
context_length = 32000
max_output = 4096
input_modalities = ["text", "audio"]
output_modalities = ["text", "audio"]
[[models.endpoints]]
provider = "sim-echo"
upstream_model = "gpt-realtime-mini"
interface = "realtime"
price = {{ {prices} }}
"""


# What makes pictures, by who is asked. Each costs four cents.
IMAGE_MODELS = {
    "acme/draw": ("sim-echo", "upstream-draw"),
    "acme/draw-via-google": ("google-ai-studio", "imagen-3.0-generate-001"),
}
PICTURE_PRICE = "0.04"


def image_table(slug: str, provider: str, upstream_model: str) -> str:
    return f"""
[[models]]
slug = "{slug}"
name = "Acme {slug.removeprefix("acme/")}"
context_length = {CONTEXT_LENGTH}
input_modalities = ["text", "image"]
output_modalities = ["image"]
[[models.endpoints]]
provider = "{provider}"
upstream_model = "{upstream_model}"
interface = "images"
price = {{ prompt = "0", completion = "0", picture = "{PICTURE_PRICE}" }}
"""


# What judges texts, and what it means to name no model: the catalog has it. It
# is given away.
MODERATION_MODEL = "openai/omni-moderation-2024-09-26"


def moderation_table() -> str:
    return f"""
[[models]]
slug = "{MODERATION_MODEL}"
context_length = {CONTEXT_LENGTH}
input_modalities = ["text", "image"]
output_modalities = ["decisions"]
[[models.endpoints]]
provider = "sim-echo"
upstream_model = "upstream-judge"
price = {{ prompt = "0", completion = "0" }}
"""


def server_table(port: int, data_dir: Path) -> str:
    return f"""
[server]
listen = "127.0.0.1:{port}"
data_dir = {json.dumps(str(data_dir))}
"""


def vendor_tables(sim_url: str) -> str:
    """The providers whose formats differ from OpenAI's, and one like OpenAI's, `sim-loop`."""
    tables = [
        f"""
[providers.{name}]
api_key = "sim-key"
base_url = "{sim_url}{path}"
"""
        for name, path in VENDORS.items()
    ]
    tables.append(
        f"""
[providers.sim-loop]
format = "openai-chat"
base_url = "{sim_url}/p/loop/v1"
api_key = "sim-key"
[providers.amazon-bedrock]
region = "eu-west-1"
access_key_id = "AKIAEXAMPLEEXAMPLE00"
secret_access_key = "not-a-key"
base_url = "{sim_url}/p/amazon-bedrock"
"""
    )
    return "".join(tables)


def config_text(port: int, data_dir: Path, sim_url: str) -> str:
    parts = [server_table(port, data_dir), vendor_tables(sim_url)]
    for name in SCRIPT:
        parts.append(
            f"""
[providers.sim-{name}]
format = "openai-chat"
base_url = "{sim_url}/p/{name}/v1"
api_key = "sim-key"
"""
        )
        parts.append(model_table(f"acme/{name}", f"sim-{name}", f"upstream-{name}"))
    for name in VENDORS:
        parts.append(model_table(f"acme/via-{name}", name, UPSTREAM_MODELS[name]))
    for name, (provider, upstream_model) in LOOP_MODELS.items():
        interface = "responses" if name == "responses" else "chat"
        parts.append(model_table(f"acme/loop-{name}", provider, upstream_model, interface))
    for slug, (provider, upstream_model) in EMBEDDING_MODELS.items():
        parts.append(embedding_table(slug, provider, upstream_model))
    for slug, (provider, upstream_model) in IMAGE_MODELS.items():
        parts.append(image_table(slug, provider, upstream_model))
    parts.append(moderation_table())
    for slug, audio in AUDIO_MODELS.items():
        parts.append(audio_table(slug, *audio))
    parts.append(realtime_table())
    return "".join(parts)


class Process:
    """A `bourse` sub-command that runs until it is stopped, with a log file."""

    def __init__(self, arguments: list[str], log: Path, cwd: Path, ready_url: str):
        self.log = log
        with log.open("wb") as out:
            self.child = subprocess.Popen(
                [BOURSE_BIN, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=clean_environment(),
            )
        try:
            self._wait_until_it_answers(ready_url)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise RuntimeError(f"it ended with status {self.child.returncode}:\n{self.tail()}")
            with contextlib.suppress(httpx.TransportError):
                # Any answer below 500 means that it listens; /readyz says
                # 503 until it is ready.
                if httpx.get(url, timeout=2, trust_env=False).status_code < 500:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"no answer at {url} in {START_SECONDS_MAX} s:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Bourse:
    """A running gateway, with an inference key and a management key."""

    def __init__(self, directory: Path, config: str, port: int):
        self.directory = directory
        self.root = f"http://127.0.0.1:{port}"
        self.config = directory / "bourse.toml"
        self.config.write_text(config)
        self.process = Process(
            ["serve", "--config", str(self.config)],
            directory / "serve.log",
            directory,
            f"{self.root}/readyz",
        )
        try:
            self.key = self.create_key("--name", "clients")
            self.management_key = self.create_key("--name", "management", "--management")
            # Less than any call's hold, so that every call is refused.
            self.poor_key = self.create_key("--name", "poor", "--limit", "0.000001")
            self.run("credit", "grant", "--usd", "100")
        except BaseException:
            self.process.stop()
            raise

    @property
    def base_url(self) -> str:
        return f"{self.root}/api/v1"

    def run(self, *arguments: str) -> str:
        """Runs a sub-command beside the server; returns what it printed."""
        done = subprocess.run(
            [BOURSE_BIN, *arguments, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=clean_environment(),
            timeout=START_SECONDS_MAX,
        )
        if done.returncode != 0:
            raise RuntimeError(f"bourse {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def create_key(self, *arguments: str) -> str:
        return self.run("key", "create", "--quiet", *arguments).strip()

    def get(self, path: str, key: str | None = None) -> httpx.Response:
        return httpx.get(
            self.base_url + path,
            headers={"Authorization": f"Bearer {key or self.key}"},
            timeout=10,
            trust_env=False,
        )

    def generation(self, generation_id: str) -> dict:
        """A settled generation; it may appear a moment after the answer."""
        deadline = time.monotonic() + 10
        while True:
            reply = self.get(f"/generation?id={generation_id}")
            if reply.status_code == 200:
                return reply.json()["data"]
            if reply.status_code != 404 or time.monotonic() > deadline:
                raise AssertionError(f"{reply.status_code}: {reply.text}")
            time.sleep(0.05)

    def verify_ledger(self) -> str:
        """Recomputes every balance from the journal; raises on a difference."""
        return self.run("ledger", "verify")

    def stop(self) -> None:
        self.process.stop()


@contextlib.contextmanager
def simulated(directory: Path):
    """A gateway over the simulator, with every model of `SCRIPT` and `LOOP_MODELS`."""
    loops = {model: LOOP for _, model in LOOP_MODELS.values()}
    with served(directory, SCRIPT, loops, config_text) as bourse:
        yield bourse


@contextlib.contextmanager
def served(directory: Path, providers: dict[str, dict], models: dict[str, dict], config_of):
    """A gateway over a simulator with a script; `config_of` makes its configuration."""
    sim_port, port = free_port(), free_port()
    script = directory / "sim.toml"
    write_sim_script(script, providers, models)
    sim_url = f"http://127.0.0.1:{sim_port}"
    sim = Process(
        ["sim", "--listen", f"127.0.0.1:{sim_port}", "--script", str(script)],
        directory / "sim.log",
        directory,
        sim_url,
    )
    try:
        bourse = Bourse(directory, config_of(port, directory / "data", sim_url), port)
        try:
            yield bourse
        finally:
            bourse.stop()
    finally:
        sim.stop()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, simulated(Path(directory)) as bourse:
        facts = {
            "root": bourse.root,
            "baseUrl": bourse.base_url,
            "key": bourse.key,
            "managementKey": bourse.management_key,
            "poorKey": bourse.poor_key,
            "promptPrice": str(PROMPT_PRICE),
            "completionPrice": str(COMPLETION_PRICE),
            "retryAfterSeconds": RETRY_AFTER_SECONDS,
            "slowTokens": SLOW_TOKENS,
            "reasoningTokens": REASONING_TOKENS,
            "answerTokens": ANSWER_TOKENS,
            "maxOutput": MAX_OUTPUT,
            "contextLength": CONTEXT_LENGTH,
        }
        print(json.dumps(facts), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
