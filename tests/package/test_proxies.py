"""Debian's nginx and Caddy with the files in packaging/, before a server with simulated providers."""

import json
import re
import socket
from pathlib import Path

import httpx
import pytest
from harness import BOURSE_BIN, ROOT, SECONDS_MAX, wait_until_ready
from websockets.sync.client import connect

TOKENS = 40
FRONT = "http://127.0.0.1:80"
HOST = "bourse.example.com"

PROVIDERS = """
[server]
listen = "127.0.0.1:8787"
hosts = ["bourse.example.com"]
data_dir = "/tmp/data"
[deadlines]
keep_alive_ms = 200
[providers.slow]
format = "openai-chat"
base_url = "http://127.0.0.1:9100/p/slow/v1"
api_key = "sim-key"
[providers.silent]
format = "openai-chat"
base_url = "http://127.0.0.1:9100/p/silent/v1"
api_key = "sim-key"
[[models]]
slug = "acme/slow"
context_length = 32768000
max_output = 4096
[[models.endpoints]]
provider = "slow"
upstream_model = "upstream"
price = { prompt = "0", completion = "0" }
[[models]]
slug = "acme/silent"
context_length = 32768
max_output = 4096
[[models.endpoints]]
provider = "silent"
upstream_model = "upstream"
price = { prompt = "0", completion = "0" }
[[models]]
slug = "acme/talk"
context_length = 32000
max_output = 4096
input_modalities = ["text", "audio"]
output_modalities = ["text", "audio"]
[[models.endpoints]]
provider = "slow"
upstream_model = "gpt-realtime-mini"
interface = "realtime"
price = { prompt = "0.60", completion = "2.40", cache_read = "0.06", cache_read_audio = "0.30", audio = "10", audio_output = "20" }
"""

SCRIPT = f"""
[providers.slow]
tokens = {TOKENS}
token_ms = 20
[providers.silent]
tokens = 3
first_token_ms = 2000
"""


@pytest.fixture(params=["nginx", "caddy"])
def key(request, debian):
    """A key for a server behind a proxy, which listens on port 80."""
    debian.put(ROOT / "packaging/nginx.conf")
    debian.put(ROOT / "packaging/Caddyfile")
    (debian.root / "tmp/sim.toml").write_text(SCRIPT)
    (debian.root / "tmp/bourse.toml").write_text(PROVIDERS)
    debian.run(f"install -m 755 {debian.put(Path(BOURSE_BIN))} /usr/bin/bourse")
    debian.run("cd /tmp; bourse sim --script sim.toml >/tmp/sim.log 2>&1 & sim=$!")
    debian.run("bourse init --yes --config bourse.toml >/dev/null")
    key = debian.run("bourse key create --quiet --config bourse.toml").strip()
    debian.run("bourse credit grant --usd 5 --config bourse.toml")
    debian.run("bourse serve --config bourse.toml >/tmp/bourse.log 2>&1 & server=$!")
    wait_until_ready()
    if request.param == "nginx":
        debian.run("rm -f /etc/nginx/sites-enabled/default; cp nginx.conf /etc/nginx/conf.d/bourse.conf")
        debian.run("nginx -t 2>&1")
        debian.run("nginx -g 'daemon off;' >/tmp/proxy.log 2>&1 & proxy=$!")
    else:
        debian.run("caddy validate --adapter caddyfile --config Caddyfile 2>&1")
        debian.run("caddy run --adapter caddyfile --config Caddyfile >/tmp/proxy.log 2>&1 & proxy=$!")
    debian.run(f"curl -s -o /dev/null --retry 60 --retry-delay 1 --retry-connrefused -H 'Host: {HOST}' {FRONT}/healthz")
    yield key
    debian.run("kill $proxy; wait $proxy", status=0)
    debian.run("kill $server $sim; wait $server")
    assert "balance" in debian.run("bourse ledger verify --config bourse.toml")


def stream(key, model):
    """The parts in which a stream comes, as the network gave them."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {key}", "host": HOST}
    url = f"{FRONT}/api/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=SECONDS_MAX, trust_env=False) as answer:
        assert answer.status_code == 200, answer.read()
        return [part.decode() for part in answer.iter_raw()]


def test_a_stream_comes_frame_by_frame_and_whole(key):
    parts = stream(key, "acme/slow")
    frames = [line for line in "".join(parts).splitlines() if line.startswith("data: ")]
    assert frames[-1] == "data: [DONE]"
    said = [f for f in map(json.loads, (f[6:] for f in frames[:-1])) if f["choices"] and f["choices"][0]["delta"].get("content")]
    assert len(said) >= TOKENS
    # Half would do: what is kept back comes in one or two.
    assert len(parts) >= TOKENS / 2, f"{len(frames)} frames came in {len(parts)} parts"


def test_a_long_silence_has_comments(key):
    parts = stream(key, "acme/silent")
    comments = [p for p in parts if p.startswith(":")]
    assert len(comments) >= 3, parts
    assert "data: [DONE]" in parts[-1]


def test_a_body_of_20_mb_passes(key):
    words = "word " * (4 * 1024 * 1024)
    body = {"model": "acme/slow", "max_tokens": 10, "messages": [{"role": "user", "content": words}]}
    answer = httpx.post(
        f"{FRONT}/api/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {key}", "host": HOST},
        timeout=SECONDS_MAX,
        trust_env=False,
    )
    assert len(words) >= 20_000_000
    assert answer.status_code == 200, answer.text[:400]


def test_only_the_names_in_hosts_are_served_and_no_metrics(key):
    def get(path, host):
        return httpx.get(f"{FRONT}{path}", headers={"host": host}, timeout=SECONDS_MAX, trust_env=False)

    assert get("/api/v1/models", HOST).status_code == 200
    assert get("/api/v1/models", "evil.example.com").status_code not in (200, 404)
    assert get("/metrics", HOST).status_code == 404


def test_a_websocket_passes(key):
    address = f"ws://{HOST}/v1/realtime?model=acme/talk"
    front = socket.create_connection(("127.0.0.1", 80))
    headers = {"authorization": f"Bearer {key}"}
    with connect(address, sock=front, additional_headers=headers, open_timeout=SECONDS_MAX) as talk:
        first = json.loads(talk.recv(timeout=SECONDS_MAX))
        assert first["type"] == "session.created", first
    assert re.match(r"sess_", first["session"]["id"])
