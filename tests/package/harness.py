"""A clean Debian for each test, and a shell in it.

The suite has mounts, processes and a loopback of its own (scripts/suites.sh),
so addresses are those of the documents, and nothing stays. A test's Debian
is a layer over the one that `./dev setup package` made once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CLEAN_ROOT = Path(os.environ.get("BOURSE_ROOT", ROOT / ".cache/package/root"))
BOURSE_BIN = os.environ.get("BOURSE_BIN", str(ROOT / "target/debug/bourse"))
ADDRESS = "http://127.0.0.1:8787"

# How long a command or a start may take. A debug build on a busy machine is
# slow; what waits longer than this has found a fault.
SECONDS_MAX = 60

# What one command may print; a shell that prints for ever is stopped.
OUTPUT_BYTES_MAX = 1 << 20

# What of our own environment a command in the clean root gets.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


def package(out: Path, *arguments: str, folder: Path = ROOT) -> None:
    """Packs the binary under test into a directory."""
    subprocess.run(
        ["./dev", "package", "--quick", "--binary", BOURSE_BIN, "--out", str(out), *arguments],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1790000000"},
    )


class Debian:
    """A clean Debian that is thrown away, with a shell that remembers where it is."""

    def __init__(self) -> None:
        self.over = Path(tempfile.mkdtemp(prefix="bourse-package-"))
        mount("-t", "tmpfs", "-o", "size=2g", "tmpfs", self.over)
        self.root = self.over / "root"
        for name in ("root", "written", "work"):
            (self.over / name).mkdir()
        layers = f"lowerdir={CLEAN_ROOT},upperdir={self.over}/written,workdir={self.over}/work"
        mount("-t", "overlay", "-o", layers, "overlay", self.root)
        mount("-t", "proc", "proc", self.root / "proc")
        mount("--rbind", "/dev", self.root / "dev")
        # An installer writes this file, and debootstrap none.
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        for name in ("systemctl", "journalctl"):
            shutil.copy(HERE / "stand-in" / name, self.root / "usr/local/bin" / name)
        self.shell = Shell(["chroot", str(self.root), "bash", "--norc", "--noprofile"])

    def run(self, command: str, status: int = 0) -> str:
        """What a command prints, both ways; it must end with `status`."""
        output, ended = self.shell.run(command)
        assert ended == status, f"$ {command}\n{output}(status {ended})"
        return output

    def put(self, file: Path, folder: str = "tmp") -> str:
        shutil.copy(file, self.root / folder / file.name)
        return f"/{folder}/{file.name}"

    def close(self) -> None:
        # A gentle stop would tell balancers first, for seconds.
        self.shell.run("kill -KILL $(cat /run/bourse.pid) 2>/dev/null")
        self.shell.close()
        subprocess.run(["umount", "--lazy", "--recursive", str(self.over)], check=False)
        self.over.rmdir()


class Shell:
    """A shell that is told one command at a time, by a pipe."""

    def __init__(self, arguments: list[str]) -> None:
        self.child = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        os.set_blocking(self.child.stdout.fileno(), False)

    def run(self, command: str) -> tuple[str, int]:
        self.child.stdin.write(f"{command}\nprintf '\\036ended:%d\\n' $?\n".encode())
        self.child.stdin.flush()
        output, deadline = b"", time.monotonic() + SECONDS_MAX
        ended = re.compile(rb"\x1eended:(\d+)\n$")
        while not (match := ended.search(output)):
            assert time.monotonic() < deadline, f"$ {command}\nstill runs:\n{output.decode(errors='replace')}"
            assert self.child.poll() is None, f"$ {command}\nended the shell:\n{output.decode(errors='replace')}"
            assert len(output) < OUTPUT_BYTES_MAX, f"$ {command}\nprints without end"
            output += self.child.stdout.read() or b""
            time.sleep(0.01)
        return output[: match.start()].decode(errors="replace"), int(match[1])

    def close(self) -> None:
        self.child.stdin.close()
        self.child.wait(SECONDS_MAX)


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def wait_until_ready(address: str = ADDRESS) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{address}/readyz is not ready after {SECONDS_MAX} s")


def call(key: str, address: str = ADDRESS, **fields: object) -> httpx.Response:
    body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}], **fields}
    return httpx.post(
        f"{address}/api/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {key}"},
        timeout=SECONDS_MAX,
        trust_env=False,
    )
