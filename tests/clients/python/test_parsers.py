"""What Bourse accepts means the same to the parsers of other languages.

A body that one parser reads as one call and another as a dearer one is how a
customer makes the house pay. So every such body must be refused, on every
road; and to be sure that the list is worth its while, real parsers show that
at least one of them reads each body otherwise.

Go's parser needs a toolchain that the project's own scripts do not install:
without one its part is skipped, and says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings

import httpx
import pytest

import harness

DEAR = "acme/dear"

# Members that are added to a body which asks for `acme/five`, one token, once;
# and what a lenient reader makes of it.
HOSTILE = [
    ('"Model":"acme/dear"', "model"),
    ('"MODEL":"acme/dear"', "model"),
    ('"model":"acme/dear"', "model"),
    ('"mod\\u0065l":"acme/dear"', "model"),
    ('"Max_Tokens":9999', "max_tokens"),
    ('"max_to\u212aens":9999', "max_tokens"),
    ('"max_token\u017f":9999', "max_tokens"),
    ('"max_tokens":9999', "max_tokens"),
    ('"max\\u005ftokens":9999', "max_tokens"),
    ('"N":50', "n"),
    ('"\\u006e":50', "n"),
]
USUAL = {"model": "acme/five", "max_tokens": 1, "n": 1}
ROADS = [
    ("/chat/completions", '"messages":[{"role":"user","content":"q"}]'),
    ("/completions", '"prompt":"q"'),
]

GO = """
package main

import (
	"encoding/json"
	"os"
)

type call struct {
	Model     string `json:"model"`
	MaxTokens int    `json:"max_tokens"`
	N         int    `json:"n"`
}

func main() {
	var bodies []string
	if err := json.NewDecoder(os.Stdin).Decode(&bodies); err != nil {
		panic(err)
	}
	read := make([]map[string]any, len(bodies))
	for i, body := range bodies {
		var c call
		if json.Unmarshal([]byte(body), &c) == nil {
			read[i] = map[string]any{"model": c.Model, "max_tokens": c.MaxTokens, "n": c.N}
		}
	}
	json.NewEncoder(os.Stdout).Encode(read)
}
"""

NODE = """
const bodies = JSON.parse(require("fs").readFileSync(0));
const pick = ({model, max_tokens, n}) => ({model, max_tokens, n});
console.log(JSON.stringify(bodies.map((body) => pick(JSON.parse(body)))));
"""


def body_with(member: str, prompt: str) -> str:
    return f'{{"model":"acme/five","max_tokens":1,"n":1,{member},{prompt}}}'


def bodies() -> list[str]:
    return [body_with(member, ROADS[0][1]) for member, _ in HOSTILE]


def by_python() -> list[dict]:
    return [{name: json.loads(body)[name] for name in USUAL} for body in bodies()]


def by_node() -> list[dict] | None:
    node = shutil.which("node")
    return node and _run([node, "-e", NODE])


def by_go(tmp_path) -> list[dict] | None:
    go = shutil.which("go")
    if go is None:
        return None
    (tmp_path / "main.go").write_text(GO)
    return _run([go, "run", str(tmp_path / "main.go")])


def _run(command: list[str]) -> list[dict]:
    done = subprocess.run(
        command, input=json.dumps(bodies()), capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(("path", "prompt"), ROADS)
@pytest.mark.parametrize("member", [member for member, _ in HOSTILE])
def test_a_body_that_parsers_read_otherwise_is_refused(bourse, path, prompt, member):
    got = httpx.post(
        bourse.base_url + path,
        content=body_with(member, prompt).encode(),
        headers={"Authorization": f"Bearer {bourse.key}"},
        timeout=30,
    )
    assert got.status_code == 400, got.text


def test_every_one_of_these_bodies_misleads_a_parser_of_another_language(tmp_path):
    readings = {"python": by_python(), "node": by_node(), "go": by_go(tmp_path)}
    known = {name: read for name, read in readings.items() if read}
    for missing in readings.keys() - known.keys():
        warnings.warn(f"SKIPPED: there is no {missing} here, its parser was not asked", stacklevel=1)
    for number, (member, field) in enumerate(HOSTILE):
        # What only Go folds can only be shown by Go.
        if "go" not in known and "\\u" not in member and json.loads("{" + member + "}").keys() - USUAL.keys():
            continue
        misled = [name for name, read in known.items() if read[number][field] != USUAL[field]]
        assert misled, f"nobody reads {member} otherwise"
