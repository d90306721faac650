"""Each package is what its documents say, is the same wherever it is made, and serves."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import httpx
from harness import ADDRESS, ROOT, call, mount, package, wait_until_ready

CONFIG = "/etc/bourse/bourse.toml"
AS_BOURSE = "setpriv --reuid bourse --regid bourse --clear-groups"


def key_of(debian) -> str:
    return debian.run(f"{AS_BOURSE} bourse key create --quiet --config {CONFIG}").strip()


def test_packages_are_the_same_from_two_folders(packages, tmp_path):
    files = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    folder = tmp_path / "elsewhere"
    for name in filter(None, files.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # Modes, and not times: a checkout has its own.
        shutil.copy(ROOT / name, folder / name)
    package(tmp_path / "out", folder=folder)
    here, there = (
        {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in d.iterdir()} for d in (packages, tmp_path / "out")
    )
    assert here == there
    assert len(here) == 5


def test_checksums_are_of_the_files(packages):
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=packages, check=True)


def test_the_list_of_what_is_linked_in_is_whole_and_has_licences(packages):
    bom = json.loads(next(packages.glob("*.cdx.json")).read_text())
    names = {c["name"] for c in bom["components"]}
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    assert {"tokio", "rustls", "libsqlite3-sys", "bourse-ledger"} <= names
    assert "insta" not in names, "what only tests need is not linked in"
    assert all("licenses" in c for c in bom["components"])
    known = {bom["metadata"]["component"]["bom-ref"], *(c["bom-ref"] for c in bom["components"])}
    assert {ref for d in bom["dependencies"] for ref in (d["ref"], *d["dependsOn"])} == known
    assert str(ROOT) not in json.dumps(bom)


def test_a_package_installs_starts_and_goes(installed):
    modes = installed.run(f"stat -c '%n %a %U:%G' /etc/bourse {CONFIG} /var/lib/bourse /usr/bin/bourse")
    assert modes.splitlines() == [
        "/etc/bourse 750 root:bourse",
        f"{CONFIG} 640 root:bourse",
        "/var/lib/bourse 700 bourse:bourse",
        "/usr/bin/bourse 755 root:root",
    ]
    assert installed.run("getent passwd bourse").split(":")[5:] == ["/var/lib/bourse", "/usr/sbin/nologin\n"]
    assert installed.run("systemctl is-active bourse", status=3) == "inactive\n", "nothing starts by itself"
    # dpkg compares each file with what the package says of it.
    assert installed.run("dpkg --verify bourse") == ""

    installed.run("systemctl start bourse")
    status = installed.run("cat /proc/$(cat /run/bourse.pid)/status")
    user = installed.run("id -u bourse").strip()
    assert re.search(r"^Uid:\s+(\d+)", status, re.M)[1] == user
    assert re.search(r"^CapBnd:\s+0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    answer = call(key_of(installed))
    assert answer.status_code == 200 and answer.headers["x-bourse-simulated"] == "true"
    others = installed.run("find /var/lib/bourse ! -user bourse -o -perm /077")
    assert others == "", "nobody else reads or owns the data"

    installed.run("systemctl stop bourse")
    installed.run("dpkg -r bourse")
    installed.run(f"test -s /var/lib/bourse/bourse.db -a -s {CONFIG}")
    installed.run("dpkg -P bourse")
    installed.run("test ! -e /var/lib/bourse -a ! -e /etc/bourse")


def test_an_upgrade_keeps_data_and_configuration(debian, packages):
    # The same program, as an earlier release with another configuration would be.
    newer = debian.put(next(packages.glob("*.deb")))
    debian.run(f"dpkg-deb -R {newer} /tmp/older && sed -i 's/^Version: .*/Version: 0.0.9/' /tmp/older/DEBIAN/control")
    debian.run("sed -i '1i # of 0.0.9' /tmp/older/etc/bourse/bourse.toml")
    debian.run("dpkg-deb -Znone --root-owner-group -b /tmp/older /tmp/older.deb && dpkg -i /tmp/older.deb")
    debian.run(f"sed -i 's/^# hosts.*/hosts = [\"kept.example.com\"]/' {CONFIG}")
    debian.run("systemctl start bourse")
    key = key_of(debian)
    assert call(key).status_code == 200

    debian.run("systemctl stop bourse")
    debian.run(f"dpkg --force-confdef --force-confold -i {newer}")
    assert "kept.example.com" in debian.run(f"cat {CONFIG}")
    debian.run("systemctl start bourse")
    assert call(key).status_code == 200
    # And back: the tables are of the same step, so the earlier program reads them.
    debian.run("systemctl stop bourse && dpkg --force-confold -i /tmp/older.deb && systemctl start bourse")
    assert call(key).status_code == 200
    debian.run("systemctl stop bourse")
    assert "balance" in debian.run(f"{AS_BOURSE} bourse ledger verify --config {CONFIG}")


def test_a_tarball_serves_where_it_is_unpacked(debian, packages):
    tarball = debian.put(next(packages.glob("*.tar.gz")))
    debian.run(f"mkdir /opt/b && cd /opt/b && tar xzf {tarball} --strip-components=1")
    assert debian.run("find . ! -user root -o -perm /022") == ""
    assert "bourse" in debian.run("ls share/man/man1")
    debian.run("bin/bourse init --yes --config bourse.toml >/dev/null")
    key = debian.run("bin/bourse key create --quiet --config bourse.toml").strip()
    debian.run("bin/bourse credit grant --usd 1 --config bourse.toml")
    debian.run("bin/bourse serve --config bourse.toml >log 2>&1 & server=$!")
    wait_until_ready()
    assert call(key).status_code == 200
    debian.run("kill $server; wait $server")


def test_an_image_serves_on_a_read_only_root(packages):
    """As an engine would run it: another reader unpacks it, and its own user starts it."""
    work = Path(tempfile.mkdtemp(prefix="bourse-image-"))
    mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", work)
    (work / "oci").mkdir()
    image = next(packages.glob("*.oci.tar"))
    subprocess.run(["tar", "-xf", image, "-C", work / "oci"], check=True)
    version = re.search(r"bourse-(.*)-linux", image.name)[1]
    subprocess.run(["umoci", "unpack", "--image", f"{work}/oci:{version}", work / "bundle"], check=True)
    runtime = json.loads((work / "bundle/config.json").read_text())["process"]
    root = work / "bundle/rootfs"
    assert runtime["args"] == ["/usr/bin/bourse", "serve"]
    assert runtime["user"]["uid"] == 65532
    assert not list(root.rglob("*sh")), "there is no shell"
    assert [p.name for p in root.rglob("*") if p.is_file() and p.stat().st_mode & 0o7000] == []

    data = root / "var/lib/bourse"
    assert (data.stat().st_uid, data.stat().st_mode & 0o777) == (65532, 0o700)
    mount("--bind", root, root)
    mount("-t", "tmpfs", "-o", "mode=0700,uid=65532,gid=65532", "tmpfs", data)
    mount("-o", "remount,bind,ro", root)
    inside = [shutil.which("chroot"), "--userspec=65532:65532", str(root), "/usr/bin/bourse"]
    environment = dict(v.split("=", 1) for v in runtime["env"])
    server = subprocess.Popen([*inside, *runtime["args"][1:]], env=environment)
    try:
        wait_until_ready()
        key = subprocess.run([*inside, "key", "create", "--quiet"], env=environment, check=True, capture_output=True)
        assert call(key.stdout.decode().strip()).status_code == 200
        for path in ("healthz", "readyz"):
            assert httpx.get(f"{ADDRESS}/{path}", trust_env=False).status_code == 200
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        subprocess.run(["umount", "--lazy", "--recursive", work], check=True)
        os.rmdir(work)
