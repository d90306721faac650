"""Coding agents do a whole task: make a file, look at it, change it, finish.

The model is the simulator's: it calls the agent's own tools, thinks before each
call, and refuses what its vendor would, thoughts that did not come back
included. So each row is a conversation of five answers through one API of
clients and one format of providers.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import agents  # noqa: E402
import harness  # noqa: E402

DONE = "It is done: notes.txt says two."
PATCH = """apply_patch <<'EOF'
*** Begin Patch
*** Update File: notes.txt
@@
-one
+two
*** End Patch
EOF"""


def shell(command: str) -> dict:
    return {"calls": [{"tool": "exec_command", "arguments": {"cmd": command}}]}


def codex_turns(_work: Path) -> list[dict]:
    return [
        {"say": "I make the file."} | shell("printf 'one\\n' > notes.txt"),
        shell("cat notes.txt"),
        shell(PATCH),
        shell("cat notes.txt"),
        {"say": DONE},
    ]


def opencode_turns(work: Path) -> list[dict]:
    path = str(work / "notes.txt")
    made = {"tool": "write", "arguments": {"filePath": path, "content": "one\n"}}
    looked = {"tool": "bash", "arguments": {"command": "cat notes.txt", "description": "Looks"}}
    again = {"tool": "read", "arguments": {"filePath": path}}
    changed = {
        "tool": "edit",
        "arguments": {"filePath": path, "oldString": "one", "newString": "two"},
    }
    return [
        {"say": "I make the file.", "calls": [made]},
        # Two at once.
        {"calls": [looked, again]},
        {"calls": [changed]},
        {"calls": [looked]},
        {"say": DONE},
    ]


# Who works, through which API, and who answers: provider and upstream model.
ROWS = {
    "codex-responses": ("responses", "openai", "gpt-5"),
    "codex-anthropic": ("", "anthropic", "claude-opus-4-5"),
    "codex-gemini": ("", "google-ai-studio", "gemini-3-pro-preview"),
    "chat-chat": ("", "sim-loop", "upstream-chat"),
    "chat-responses": ("responses", "openai", "gpt-5-mini"),
    "chat-anthropic": ("", "anthropic", "claude-sonnet-4-5"),
    "chat-gemini": ("", "google-ai-studio", "gemini-3-flash-preview"),
    "messages-anthropic": ("", "anthropic", "claude-haiku-4-5"),
    "messages-chat": ("", "sim-loop", "upstream-messages"),
    "messages-bedrock": ("", "amazon-bedrock", "eu.anthropic.claude-opus-4-5-20251101-v1:0"),
}
SETTLE_SECONDS_MAX = 10
APPS = {"codex": "codex", "chat": "opencode", "messages": "opencode"}


def turns_of(name: str):
    return codex_turns if name.startswith("codex") else opencode_turns


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    directory = tmp_path_factory.mktemp("agents")
    places = {name: agents.Place.under(directory / name) for name in ROWS}
    scripts = {
        model: harness.LOOP
        | {"turns": turns_of(name)(places[name].work)}
        for name, (_, _, model) in ROWS.items()
    }

    def config(port: int, data_dir: Path, sim_url: str) -> str:
        models = (
            harness.model_table(
                f"acme/{name}", provider, model, "responses" if kind else "chat"
            )
            for name, (kind, provider, model) in ROWS.items()
        )
        server = harness.server_table(port, data_dir)
        return server + harness.vendor_tables(sim_url) + "".join(models)

    with harness.served(directory, {}, scripts, config) as bourse:
        yield bourse, places
        bourse.verify_ledger()


def calls_of(bourse, model: str, count: int) -> list[dict]:
    """The calls of a model in the books, where they are a moment after they ended."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        lines = bourse.run("ledger", "export", "--json").splitlines()
        calls = [call for call in map(json.loads, lines) if call["model"] == model]
        if len(calls) >= count or time.monotonic() > deadline:
            return calls
        time.sleep(0.1)


@pytest.mark.parametrize("name", ROWS)
def test_an_agent_does_its_task_and_every_call_is_in_the_books(stage, name):
    bourse, places = stage
    place, model, agent = places[name], f"acme/{name}", name.split("-")[0]
    if agent == "codex":
        said = agents.codex(place, bourse.base_url, bourse.key, model)
    elif agent == "chat":
        said = agents.opencode_over_chat(place, bourse.root, bourse.key, model)
    else:
        said = agents.opencode_over_messages(place, bourse.root, bourse.key, model)
    assert DONE in said
    assert (place.work / "notes.txt").read_text() == "two\n"

    # The five answers; opencode asks for a title besides.
    expected = 5 if agent == "codex" else 6
    calls = calls_of(bourse, model, expected)
    assert len(calls) == expected
    assert {call["app"] for call in calls} == {APPS[agent]}
    for call in calls:
        due = harness.price_of(call["tokens"]["prompt"], call["tokens"]["completion"])
        assert harness.usd(call["charge"]) == due
    assert "balance" in bourse.verify_ledger()
