import shutil
import tempfile
from pathlib import Path

import pytest
from harness import Debian, package


@pytest.fixture(scope="session")
def packages():
    """A directory with what `./dev package` makes of the binary under test."""
    out = Path(tempfile.mkdtemp(prefix="bourse-packages-"))
    package(out)
    yield out
    shutil.rmtree(out)


@pytest.fixture
def debian():
    root = Debian()
    yield root
    root.close()


@pytest.fixture
def installed(debian, packages):
    """A Debian with the package and nothing started."""
    debian.run(f"dpkg -i {debian.put(next(packages.glob('*.deb')))}")
    return debian
