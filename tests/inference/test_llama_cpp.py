"""Real prompts to a real inference server, llama.cpp, through Bourse.

The server runs a tiny model with random weights (tiny_model.py) inside this
process, on an address of its own choice. Every answer's token counts are
compared with what llama.cpp itself reports for the same prompt, and the
books with tokens times price."""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

import httpx
import openai
import pytest
import tiny_model
import xllamacpp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

import harness  # noqa: E402

MODEL = "acme/tiny"
PROMPTS = [
    "Why is the sky blue?",
    "Tell me, in one sentence, what a ledger is for.",
    "Zähle bis drei. 数到三。 🙂",
]
MAX_TOKENS = 24
SETTLE_SECONDS_MAX = 10


class Llama:
    """A running llama.cpp server and a way to ask it without Bourse between."""

    def __init__(self, model_file: Path):
        params = xllamacpp.CommonParams()
        params.model.path = str(model_file)
        params.n_ctx = tiny_model.CONTEXT_LENGTH
        params.n_parallel = 1
        params.port = 0
        params.warmup = False
        params.cpuparams.n_threads = 2
        # Whole prompts are evaluated each time, so that two runs of one
        # prompt report the same usage.
        params.cache_prompt = False
        self.server = xllamacpp.Server(params)
        self.address = self.server.listening_address

    def ask(self, prompt: str, **more) -> dict:
        reply = httpx.post(
            f"{self.address}/v1/chat/completions",
            json={
                "messages": [{"role": "user", "content": prompt}],
                "max_tokens": MAX_TOKENS,
                "temperature": 0,
                "seed": 1,
                **more,
            },
            timeout=60,
            trust_env=False,
        )
        reply.raise_for_status()
        return reply.json()


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    tiny_model.write(path)
    running = Llama(path)
    yield running
    del running.server


@pytest.fixture(scope="session")
def bourse(tmp_path_factory, llama):
    directory = tmp_path_factory.mktemp("bourse")
    port = harness.free_port()
    config = f"""
[server]
listen = "127.0.0.1:{port}"
data_dir = "{directory / "data"}"

[providers.llama-cpp]
format = "openai-chat"
base_url = "{llama.address}/v1"

[[models]]
slug = "{MODEL}"
context_length = {tiny_model.CONTEXT_LENGTH}
max_output = 512
supported_parameters = {json.dumps(harness.SUPPORTED_PARAMETERS)}
[[models.endpoints]]
provider = "llama-cpp"
upstream_model = "tiny"
price = {{ prompt = "{harness.PROMPT_PRICE}", completion = "{harness.COMPLETION_PRICE}" }}
"""
    running = harness.Bourse(directory, config, port)
    try:
        yield running
        running.verify_ledger()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def client(bourse):
    with openai.OpenAI(
        base_url=bourse.base_url, api_key=bourse.key, max_retries=0, timeout=60
    ) as it:
        yield it


def request(prompt: str) -> dict:
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": MAX_TOKENS,
        "temperature": 0,
        "seed": 1,
    }


def assert_counts_and_charge(bourse, llama, prompt: str, generation_id: str, usage) -> None:
    """The three accounts of one call agree: llama.cpp's, the answer's, the books'."""
    direct = llama.ask(prompt)
    assert usage.prompt_tokens == direct["usage"]["prompt_tokens"]
    assert usage.completion_tokens == direct["usage"]["completion_tokens"]
    assert usage.prompt_tokens == direct["timings"]["prompt_n"]
    assert usage.completion_tokens == direct["timings"]["predicted_n"]

    charge = harness.price_of(usage.prompt_tokens, usage.completion_tokens)
    assert harness.usd(usage.cost) == charge
    record = bourse.generation(generation_id)
    assert record["native_tokens_prompt"] == usage.prompt_tokens
    assert record["native_tokens_completion"] == usage.completion_tokens
    assert harness.usd(record["total_cost"]) == charge
    assert harness.usd(record["usage"]) == charge


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_answer_is_counted_and_charged_as_llama_cpp_counts(bourse, llama, client, prompt):
    answer = client.chat.completions.create(**request(prompt))
    assert answer.choices[0].message.content == llama.ask(prompt)["choices"][0]["message"]["content"]
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert_counts_and_charge(bourse, llama, prompt, answer.id, answer.usage)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_stream_is_counted_and_charged_as_llama_cpp_counts(bourse, llama, client, prompt):
    chunks = list(
        client.chat.completions.create(
            **request(prompt), stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    [usage] = [c.usage for c in chunks if c.usage]
    assert text
    assert_counts_and_charge(bourse, llama, prompt, chunks[0].id, usage)


def test_a_stream_is_counted_even_when_the_client_does_not_ask_for_usage(bourse, llama, client):
    prompt = PROMPTS[0]
    chunks = list(client.chat.completions.create(**request(prompt), stream=True))
    direct = llama.ask(prompt)["usage"]
    record = bourse.generation(chunks[0].id)
    assert record["native_tokens_prompt"] == direct["prompt_tokens"]
    assert record["native_tokens_completion"] == direct["completion_tokens"]


def test_a_json_schema_constrains_the_real_sampler(client):
    schema = {
        "type": "object",
        "properties": {"heads": {"type": "boolean"}},
        "required": ["heads"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        # Random weights like white space, so leave room for it.
        **{**request(PROMPTS[0]), "max_tokens": 400},
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "coin", "strict": True, "schema": schema},
        },
    )
    assert isinstance(json.loads(answer.choices[0].message.content)["heads"], bool)


def test_the_account_has_paid_for_every_token_and_nothing_else(bourse, client):
    def used() -> Decimal:
        data = bourse.get("/credits", bourse.management_key).json()["data"]
        return harness.usd(data["total_usage"])

    before = used()
    usages = [client.chat.completions.create(**request(prompt)).usage for prompt in PROMPTS]
    expected = before + sum(
        harness.price_of(usage.prompt_tokens, usage.completion_tokens) for usage in usages
    )
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while used() != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert used() == expected
    assert client.models.list().data, "the server is still well"
