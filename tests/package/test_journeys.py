"""The journeys of docs/journeys: each document is its own program.

What stands after `$ ` in a block `console` is typed into a clean Debian with the
package in /tmp, and what the document says is printed must be printed. Keys, ids,
times and whatever else is new each time are first replaced by what stands for it.

    BOURSE_JOURNEYS=write ./dev test package      writes what was printed
"""

import os
import re

import pytest
from harness import ROOT

JOURNEYS = sorted(p for p in (ROOT / "docs/journeys").glob("*.md") if p.name != "README.md")

# What differs each time, and what the documents have in its place.
NEW_EACH_TIME = [
    (r"sk-bourse-(v1|mgmt)-[0-9A-Za-z]{40,}", r"sk-bourse-\1-…"),
    (r"sk-bourse-(v1|mgmt)-\w*…\w*|sk-bourse-(v1|mgmt)-\w+\.\.\.\w+", r"sk-bourse-…"),
    (r"\bgen-[0-9A-Za-z-]{8,}", "gen-…"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)?", "TIME"),
    (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
    (r"\b[0-9a-f]{32,64}\b", "HASH"),
    (r"\b\d+(\.\d+)? ?(ms|µs|s)\b", "N ms"),
    (r"\b(ms|workers|age_ms|elapsed_ms|bytes)=\d+", r"\1=N"),
    (r"\b\d+(\.\d+)? (bytes|KB|MB|KiB|MiB)\b", "N bytes"),
]


def normalised(text: str) -> str:
    for pattern, instead in NEW_EACH_TIME:
        text = re.sub(pattern, instead, text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def played(debian, document: str) -> str:
    """The document with what its commands print now."""

    def block(match: re.Match) -> str:
        commands = re.findall(r"^\$ (.*(?:\\\n.*)*)$", match[1], re.M)
        assert commands, f"a block without a command:\n{match[0]}"
        printed = "".join(f"$ {c}\n{normalised(debian.shell.run(c)[0])}" for c in commands)
        return f"```console\n{printed}```"

    return re.sub(r"^```console\n(.*?)^```", block, document, flags=re.M | re.S)


@pytest.mark.parametrize("path", JOURNEYS, ids=lambda p: p.stem)
def test_a_journey_is_as_it_is_told(path, debian, packages):
    debian.put(next(packages.glob("*.deb")))
    debian.run("mv /tmp/bourse_*.deb /tmp/bourse.deb && cd /root")
    told = path.read_text()
    seen = played(debian, told)
    if os.environ.get("BOURSE_JOURNEYS") == "write":
        path.write_text(seen)
    else:
        assert seen == told


def test_there_are_journeys_and_a_list_of_them():
    listed = (ROOT / "docs/journeys/README.md").read_text()
    assert JOURNEYS and all(f"]({p.name})" in listed for p in JOURNEYS)
