"""Traces, as a real receiver of OTLP reads them (PyPI `rotel`)."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from pathlib import Path

import httpx
import pytest

import harness

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
# Its exporter tells once a second; the rest is a busy machine's.
TOLD_SECONDS_MAX = 30


def rotel_agent() -> Path:
    spec = importlib.util.find_spec("rotel")
    assert spec and spec.origin, "rotel is not installed: ./dev setup installs it"
    return Path(spec.origin).parent / "rotel-agent"


@pytest.fixture
def receiver(tmp_path):
    grpc, http = harness.free_port(), harness.free_port()
    log = tmp_path / "rotel.log"
    agent = rotel_agent()
    if not os.access(agent, os.X_OK):
        agent.chmod(0o755)
    with log.open("wb") as out:
        child = subprocess.Popen(
            [
                str(agent), "start",
                "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
                "--otlp-http-endpoint", f"127.0.0.1:{http}",
                "--exporter", "blackhole",
                "--debug-log", "traces",
                "--debug-log-verbosity", "detailed",
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env=harness.clean_environment(),
        )
    yield f"http://127.0.0.1:{http}", log
    child.kill()
    child.wait()


def test_a_real_receiver_reads_a_call_and_its_attempt(receiver, tmp_path):
    url, log = receiver
    port = harness.free_port()
    config = tmp_path / "bourse.toml"
    config.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\ndata_dir = "data"\n'
        f'[telemetry]\notlp_url = "{url}"\nservice_name = "tide-shop"\n'
    )
    process = harness.Process(
        ["serve", "--config", str(config)],
        tmp_path / "serve.log",
        tmp_path,
        f"http://127.0.0.1:{port}/readyz",
    )
    try:
        key = subprocess.run(
            [harness.BOURSE_BIN, "key", "create", "--quiet", "--config", str(config)],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=harness.clean_environment(),
        ).stdout.strip()
        answer = httpx.post(
            f"http://127.0.0.1:{port}/api/v1/chat/completions",
            headers={
                "Authorization": f"Bearer {key}",
                "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
            },
            json={
                "model": "openai/gpt-4o-mini",
                "messages": [{"role": "user", "content": "Say a few words about tides."}],
            },
            timeout=30,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        wanted = [
            TRACE,
            "tide-shop",
            "chat openai/gpt-4o-mini",
            "gen_ai.usage.input_tokens",
            "bourse.cost.nano_usd",
            answer.json()["id"],
        ]
        deadline = time.monotonic() + TOLD_SECONDS_MAX
        while True:
            told = log.read_text(errors="replace")
            missing = [text for text in wanted if text not in told]
            if not missing:
                break
            assert time.monotonic() < deadline, f"{missing} is not in: {told[-6000:]}"
            time.sleep(0.1)
    finally:
        process.stop()
