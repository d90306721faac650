"""What a newcomer sees: the first start, with no provider key anywhere."""

from __future__ import annotations

import re
import signal
import subprocess

import httpx
import pytest

import harness


@pytest.fixture
def start(tmp_path):
    port = harness.free_port()
    config = tmp_path / "bourse.toml"
    config.write_text(f'[server]\nlisten = "127.0.0.1:{port}"\ndata_dir = "data"\nprint_first_keys = true\n')
    running = []

    def start_once(log_name):
        process = harness.Process(
            ["serve", "--config", str(config)],
            tmp_path / log_name,
            tmp_path,
            f"http://127.0.0.1:{port}/readyz",
        )
        running.append(process)
        return process

    yield start_once
    for process in running:
        process.stop()


def printed(process) -> str:
    return process.log.read_text(errors="replace")


def test_the_printed_curl_line_works_as_printed(start, tmp_path):
    text = printed(start("first.log"))
    assert re.search(r"http://127\.0\.0\.1:\d+", text)
    assert re.search(r"sk-bourse-v1-\S+", text)
    assert re.search(r"sk-bourse-mgmt-\S+", text)
    # From `curl` to the end of a line that does not ask for another.
    [command] = re.findall(r"^[ \t$]*(curl (?:.*\\\n)*.*)$", text, re.MULTILINE)[:1]
    done = subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=harness.clean_environment(),
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert '"choices"' in done.stdout, done.stdout
    assert '"error"' not in done.stdout


def test_the_first_keys_are_shown_once(start):
    first = start("first.log")
    assert "sk-bourse-mgmt-" in printed(first)
    first.stop()
    second = printed(start("second.log"))
    assert not re.search(r"sk-bourse-(v1|mgmt)-[0-9A-Za-z_-]{20,}", second)


def test_a_stop_signal_ends_it_cleanly(start):
    process = start("first.log")
    process.child.send_signal(signal.SIGTERM)
    assert process.child.wait(harness.STOP_SECONDS_MAX) == 0


def test_nothing_is_open_without_a_key(start):
    process = start("first.log")
    root = re.search(r"http://127\.0\.0\.1:\d+", printed(process)).group()
    for path in ("/api/v1/keys", "/api/v1/credits", "/api/v1/activity", "/api/v1/key"):
        assert httpx.get(root + path, trust_env=False).status_code == 401, path
