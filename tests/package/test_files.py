"""The files in packaging/ that no other test starts are held to their readers."""

import re
import subprocess

import yaml
from harness import ROOT

PACKAGING = ROOT / "packaging"


def test_the_unit_leaves_little_exposed(debian):
    unit = debian.put(PACKAGING / "bourse.service")
    said = debian.run(f"systemd-analyze security --offline=true --threshold=20 --no-pager {unit}")
    assert "Overall exposure level for bourse.service" in said


def test_the_unit_has_no_setting_that_systemd_does_not_know(installed):
    said = installed.run("systemd-analyze verify --man=no /usr/lib/systemd/system/bourse.service 2>&1 || true")
    assert "bourse.service:" not in said, said


def test_compose_says_what_the_image_says():
    service = yaml.safe_load((PACKAGING / "compose.yaml").read_text())["services"]["bourse"]
    user = re.search(r"^IMAGE_USER=(\d+)$", (ROOT / "scripts/package.sh").read_text(), re.M)[1]
    assert service["user"] == f"{user}:{user}"
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["volumes"] == ["data:/var/lib/bourse"]
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert service["image"].endswith(f"bourse:{version}}}")
    assert all(p.startswith("127.0.0.1:") for p in service["ports"]), "without TLS only this machine is served"


def test_the_dockerfile_has_only_known_instructions_and_starts_what_is_packed():
    text = (PACKAGING / "Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.M)).splitlines()
    words = [line.split()[0] for line in lines if line.strip()]
    assert set(words) <= {"FROM", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
    assert words[0] == "FROM" and words.count("ENTRYPOINT") == 1 and "USER" in words
    assert 'ENTRYPOINT ["/usr/bin/bourse"]' in lines


def test_scripts_of_the_package_are_plain_shell():
    for script in ("postinst", "prerm", "postrm"):
        subprocess.run(["dash", "-n", PACKAGING / "debian" / script], check=True)


def test_nginx_and_caddy_take_their_files(debian):
    debian.put(PACKAGING / "nginx.conf", "etc/nginx/conf.d")
    debian.put(PACKAGING / "Caddyfile")
    debian.run("nginx -t")
    debian.run("caddy validate --adapter caddyfile --config /tmp/Caddyfile")
