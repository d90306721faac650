"""What Bourse accepts means the same to the parsers of other languages.

A body that one parser reads as one call and another as a dearer one is how a
customer makes the house pay. So every such body must be refused, on every
road; and to be sure that the list is worth its while, real parsers show that
at least one of them reads each body otherwise. Four are asked: JavaScript's
and Python's, Perl's JSON::PP, and Go's encoding/json, which takes names for
one another that differ in case or fold to the same letter. Which letters those
are is not believed: Go is shown every character there is.

`./dev setup python` installs the parsers from the system's packages, as `./dev
test python` does. Where one is missing the tests fail and say so: a list that
nobody was asked about proves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache

import httpx
import pytest

import harness

# The first run compiles Go's standard library, on a machine that may be busy.
GO_SECONDS_MAX = 600

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

GO_READS = """
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

# The letters of the names of members: which characters Go takes for each.
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"
GO_FOLDS = """
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
)

type letters struct {
%s
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	kind := reflect.TypeOf(letters{})
	for point := rune(0); point <= 0x10ffff; point++ {
		if 0xd800 <= point && point <= 0xdfff {
			continue
		}
		name, _ := json.Marshal(string(point))
		var read letters
		if json.Unmarshal([]byte("{"+string(name)+":1}"), &read) != nil || read == (letters{}) {
			continue
		}
		for i := 0; i < kind.NumField(); i++ {
			if reflect.ValueOf(read).Field(i).Int() == 1 {
				fmt.Fprintln(out, point, kind.Field(i).Tag.Get("json"))
			}
		}
	}
}
""" % "\n".join(f'\tF{number} int `json:"{letter}"`' for number, letter in enumerate(LETTERS))

NODE = """
const bodies = JSON.parse(require("fs").readFileSync(0));
const pick = ({model, max_tokens, n}) => ({model, max_tokens, n});
console.log(JSON.stringify(bodies.map((body) => pick(JSON.parse(body)))));
"""

PERL = r"""
use strict;
use warnings;
use JSON::PP;
my $json = JSON::PP->new->utf8;
local $/;
my @read;
for my $body (@{$json->decode(scalar <STDIN>)}) {
    my $call = JSON::PP->new->decode($body);
    push @read, {map { $_ => $call->{$_} } qw(model max_tokens n)};
}
print $json->encode(\@read);
"""

# What installs a parser, by what it is called here.
PACKAGES = {"go": "golang-go", "node": "nodejs", "perl": "perl"}


def parser(name: str) -> str:
    """The program that runs a language; its absence fails the test."""
    found = shutil.which(name)
    # The part of Perl that every system has comes without its libraries.
    if found and name == "perl" and subprocess.run([found, "-MJSON::PP", "-e1"], capture_output=True).returncode:
        found = None
    if found is None:
        pytest.fail(
            f"there is no {name} here, and its parser must be asked: run `./dev setup python`, which installs "
            f"Debian's {PACKAGES[name]}",
            pytrace=False,
        )
    return found


# Names of members in which, together, there is every letter that a name has.
NAMES = [
    "model",
    "messages",
    "max_tokens",
    "n",
    "best_of",
    "frequency_penalty",
    "guided_json",
    "provider",
    "web_search_options",
    "top_k",
    "user",
    "verbosity",
]


def body_with(member: str, prompt: str) -> str:
    return f'{{"model":"acme/five","max_tokens":1,"n":1,{member},{prompt}}}'


def bodies() -> list[str]:
    return [body_with(member, ROADS[0][1]) for member, _ in HOSTILE]


def by_python() -> list[dict]:
    return [{name: json.loads(body)[name] for name in USUAL} for body in bodies()]


def by_node() -> list[dict]:
    return _run([parser("node"), "-e", NODE])


def by_perl() -> list[dict]:
    return _run([parser("perl"), "-e", PERL])


def by_go() -> list[dict]:
    return json.loads(go_run(GO_READS, json.dumps(bodies())))


@cache
def go_run(program: str, text: str = "") -> str:
    """What a program in Go says."""
    go = parser("go")
    # Its standard library is compiled here the first time, and kept.
    kept = harness.ROOT / ".cache" / "go"
    kept.mkdir(parents=True, exist_ok=True)
    source = kept / "main.go"
    source.write_text(program)
    environment = {
        **os.environ,
        "GOCACHE": str(kept / "build"),
        "GOPATH": str(kept / "path"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GO111MODULE": "auto",
        "CGO_ENABLED": "0",
    }
    done = subprocess.run(
        [go, "run", str(source)],
        input=text,
        capture_output=True,
        text=True,
        timeout=GO_SECONDS_MAX,
        check=True,
        cwd=kept,
        env=environment,
    )
    return done.stdout


def _run(command: list[str]) -> list[dict]:
    done = subprocess.run(
        command, input=json.dumps(bodies()), capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout)


def go_folds() -> list[tuple[str, str]]:
    """Characters that Go takes for a letter of a name, with the letter."""
    rows = [line.split() for line in go_run(GO_FOLDS).splitlines()]
    pairs = [(chr(int(point)), letter) for point, letter in rows]
    return [(taken, letter) for taken, letter in pairs if taken != letter]


def post(bourse, path: str, body: str) -> httpx.Response:
    return httpx.post(
        bourse.base_url + path,
        content=body.encode(),
        headers={"Authorization": f"Bearer {bourse.key}"},
        timeout=30,
    )


@pytest.mark.parametrize(("path", "prompt"), ROADS)
@pytest.mark.parametrize("member", [member for member, _ in HOSTILE])
def test_a_body_that_parsers_read_otherwise_is_refused(bourse, path, prompt, member):
    got = post(bourse, path, body_with(member, prompt))
    assert got.status_code == 400, got.text


@pytest.mark.parametrize(("path", "prompt"), ROADS)
def test_every_letter_that_go_takes_for_another_is_refused(bourse, path, prompt):
    folds = go_folds()
    # All capitals, the long s and the sign of Kelvin; every version knows them.
    assert {("A", "a"), ("Z", "z"), ("\u017f", "s"), ("\u212a", "k")} <= set(folds)
    asked = set()
    for taken, letter in folds:
        for name in NAMES:
            # In the first place where it is, and in the last.
            for other in {name.replace(letter, taken, 1), taken.join(name.rsplit(letter, 1))} - {name}:
                body = f'{{"model":"acme/five",{json.dumps(other, ensure_ascii=False)}:null,{prompt}}}'
                got = post(bourse, path, body)
                assert got.status_code == 400, f"{other}: {got.text}"
                asked.add(letter)
    # No name that matters has a z.
    assert {letter for _, letter in folds} - asked <= {"z"}


def test_every_one_of_these_bodies_misleads_a_parser_of_another_language():
    readings = {"python": by_python(), "node": by_node(), "perl": by_perl(), "go": by_go()}
    for number, (member, field) in enumerate(HOSTILE):
        misled = [name for name, read in readings.items() if read[number][field] != USUAL[field]]
        assert misled, f"nobody reads {member} otherwise"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_parser_that_is_missing_is_told_with_what_installs_it(monkeypatch, name):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(pytest.fail.Exception, match=rf"`\./dev setup python`.*{PACKAGES[name]}"):
        parser(name)
