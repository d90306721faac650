"""What scripts/setup.sh downloads is run only if it is what was looked at.

No network is needed: what would be downloaded is a file that is made here.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import harness
import pytest

SETUP = harness.ROOT / "scripts" / "setup.sh"
LOCKED = [
    "tests/clients/locked.txt",
    "tests/clients/frameworks.locked.txt",
    "tests/yardsticks/litellm.locked.txt",
]
SECONDS_MAX = 120


def install_rustup(folder: Path, changes: str = "") -> subprocess.CompletedProcess:
    """Runs the real `install_rustup`, whose download is a script that leaves a mark."""
    installer = folder / "installer"
    installer.write_text(f'#!/bin/sh\ntouch "{folder}/was-run"\n')
    program = f"""
        set -uo pipefail
        ROOT={harness.ROOT}
        say() {{ printf '%s\\n' "$*"; }}
        die() {{ say "$*"; exit 1; }}
        . {SETUP}
        download() {{ cp {installer} "$2"; }}
        {changes}
        install_rustup
    """
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=SECONDS_MAX)


def test_an_installer_of_rust_that_is_another_file_is_not_run(tmp_path):
    done = install_rustup(tmp_path)
    assert done.returncode != 0
    assert "not the file that was looked at" in done.stdout, done
    assert not (tmp_path / "was-run").exists()


def test_an_installer_of_rust_with_the_hash_that_is_written_down_is_run(tmp_path):
    """The same road with one hash changed: so it was the hash above."""
    good = hashlib.sha256(f'#!/bin/sh\ntouch "{tmp_path}/was-run"\n'.encode()).hexdigest()
    changes = f'eval "$(declare -f install_rustup | sed -E "s/digest=[0-9a-f]{{64}}/digest={good}/")"'
    done = install_rustup(tmp_path, changes)
    assert done.returncode == 0, done
    assert (tmp_path / "was-run").exists()


def wheel(folder: Path, text: str) -> str:
    """Makes a package of one module; returns its hash."""
    folder.mkdir(exist_ok=True)
    info = "bourse_probe-1.0.dist-info"
    path = folder / "bourse_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bourse_probe.py", text)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: bourse-probe\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def install_probe(folder: Path) -> subprocess.CompletedProcess:
    """Installs what `locked.txt` in the folder names, with the flag of the real installation."""
    (flag,) = re.findall(r"--require-\S+", SETUP.read_text())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-index", "--find-links", str(folder / "wheels"), "--target", str(folder / "site")]
    command += [flag, "-r", str(folder / "locked.txt")]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)


def test_a_python_package_that_is_another_file_is_not_installed(tmp_path):
    right = wheel(tmp_path / "wheels", "x = 1")
    (tmp_path / "locked.txt").write_text(f"bourse-probe==1.0 --hash=sha256:{right}\n")
    wheel(tmp_path / "wheels", "x = 2")
    done = install_probe(tmp_path)
    assert done.returncode != 0 and "hash" in done.stderr.lower(), done
    assert not (tmp_path / "site" / "bourse_probe.py").exists()
    wheel_again = wheel(tmp_path / "wheels", "x = 1")
    (tmp_path / "locked.txt").write_text(f"bourse-probe==1.0 --hash=sha256:{wheel_again}\n")
    assert install_probe(tmp_path).returncode == 0
    assert (tmp_path / "site" / "bourse_probe.py").exists()


@pytest.mark.parametrize("locked", LOCKED)
def test_every_python_package_that_is_installed_has_a_hash(locked):
    text = (harness.ROOT / locked).read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(packages) > 10
    assert [line for line in packages if "--hash=sha256:" not in line] == []
