"""Coding agents, each with a home and a folder of its own, and no way out.

What an agent is told is what docs/how-to/coding-agents.md says: the files that
are written here are the ones on that page, with another address.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
CODEX = MODULES / ".bin" / "codex"
# Its launcher would be made by an install script, and none is run here.
OPENCODE = next(iter(MODULES.glob("opencode-*/bin/opencode")), MODULES / "opencode")
# A task is some calls to a server on this machine.
TASK_SECONDS_MAX = 180
TASK = "Make notes.txt, look at it, change one to two in it, and say when it is done."
# Nobody listens there: whoever calls home is refused at once.
NOWHERE = "http://127.0.0.1:9"


@dataclass
class Place:
    """Where an agent lives and works."""

    home: Path
    work: Path

    @classmethod
    def under(cls, directory: Path) -> Place:
        place = cls(directory / "home", directory / "work")
        place.home.mkdir(parents=True)
        place.work.mkdir()
        return place

    def run(self, command: list[str], key: str, **more: str) -> str:
        """Runs an agent; what it printed, if it ended well."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "BOURSE_KEY": key,
            "NO_PROXY": "127.0.0.1,localhost",
            **{name: NOWHERE for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")},
            **more,
        }
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.work,
            env=environment,
            timeout=TASK_SECONDS_MAX,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def codex_config(base_url: str, model: str) -> str:
    return f"""
model = "{model}"
model_provider = "bourse"
model_reasoning_effort = "low"
check_for_update_on_startup = false
# A search that the provider would run is refused: no price is known for it.
web_search = "disabled"

[model_providers.bourse]
name = "Bourse"
base_url = "{base_url}"
env_key = "BOURSE_KEY"
wire_api = "responses"
http_headers = {{ "X-Title" = "codex" }}

[analytics]
enabled = false

[features]
apps = false
plugins = false
"""


def codex(place: Place, base_url: str, key: str, model: str) -> str:
    settings = place.home / ".codex"
    settings.mkdir()
    (settings / "config.toml").write_text(codex_config(base_url, model))
    # It may do what it likes: the folder is a scratch one, and where the
    # tests run there is often no sandbox to be had.
    may = "--dangerously-bypass-approvals-and-sandbox"
    return place.run([str(CODEX), "exec", "--skip-git-repo-check", may, TASK], key)


def opencode_config(provider: str, root: str, model: str, more: dict) -> dict:
    return {
        "$schema": "https://opencode.ai/config.json",
        "autoupdate": False,
        "share": "disabled",
        "enabled_providers": [provider],
        "model": f"{provider}/{model}",
        "small_model": f"{provider}/{model}",
        "provider": {
            provider: {
                "options": {
                    "apiKey": "{env:BOURSE_KEY}",
                    "baseURL": f"{root}/api/v1",
                    "headers": {"X-Title": "opencode"},
                },
                "models": {
                    model: {
                        "name": model,
                        "reasoning": True,
                        "tool_call": True,
                        "limit": {"context": 32768, "output": 3000},
                        **more,
                    }
                },
            }
        },
    }


def opencode(place: Place, config: dict, key: str) -> str:
    (place.work / "opencode.json").write_text(json.dumps(config))
    quiet = {
        f"OPENCODE_DISABLE_{name}": "1"
        for name in ("AUTOUPDATE", "DEFAULT_PLUGINS", "LSP_DOWNLOAD", "MODELS_FETCH")
    }
    return place.run([str(OPENCODE), "run", TASK], key, **quiet)


def opencode_over_chat(place: Place, root: str, key: str, model: str) -> str:
    """With its own provider for OpenRouter, which is told another address."""
    more = {"options": {"reasoning": {"effort": "low"}}}
    config = opencode_config("openrouter", root, model, more)
    return opencode(place, config, key)


def opencode_over_messages(place: Place, root: str, key: str, model: str) -> str:
    """With its own provider for Anthropic, which is told another address."""
    thinking = {"type": "enabled", "budgetTokens": 1024}
    config = opencode_config("anthropic", root, model, {"options": {"thinking": thinking}})
    return opencode(place, config, key)
