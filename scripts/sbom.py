"""Writes what is linked into the binary, as CycloneDX 1.5 JSON.

    cargo metadata --locked --format-version 1 --filter-platform TARGET | sbom.py Cargo.lock

Schema: cyclonedx.org/docs/1.5/json (2023-06). What a test or a tool of ours
needs is not in the binary and not in the list; what builds it is. Nothing in
it depends on the folder or the time: it has no serial number, and its time is
SOURCE_DATE_EPOCH.
"""

import json
import os
import sys
import tomllib
from datetime import datetime, timezone

ROOT = "bourse-server"


def linked(metadata: dict) -> tuple[dict, dict[str, list[str]]]:
    """The packages that ROOT reaches by normal and build dependencies, and their arrows."""
    packages = {p["id"]: p for p in metadata["packages"]}
    nodes = {n["id"]: n for n in metadata["resolve"]["nodes"]}
    root = next(i for i, p in packages.items() if p["name"] == ROOT)
    arrows: dict[str, list[str]] = {}
    waiting = [root]
    while waiting:
        current = waiting.pop()
        if current in arrows:
            continue
        arrows[current] = [
            d["pkg"] for d in nodes[current]["deps"] if any(k["kind"] != "dev" for k in d["dep_kinds"])
        ]
        waiting += arrows[current]
    return {i: packages[i] for i in arrows}, arrows


def reference(package: dict) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package: dict, sums: dict) -> dict:
    told = {
        "type": "application" if package["name"] == ROOT else "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package["license"]:
        # Some still write the slash, which is no SPDX expression.
        told["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := sums.get((package["name"], package["version"])):
        told["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return told


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        locked = tomllib.load(file)["package"]
    sums = {(p["name"], p["version"]): p.get("checksum") for p in locked}
    packages, arrows = linked(json.load(sys.stdin))
    components = sorted((component(p, sums) for p in packages.values()), key=lambda c: c["bom-ref"])
    made = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": next(c for c in components if c["name"] == ROOT),
        },
        "components": [c for c in components if c["name"] != ROOT],
        "dependencies": sorted(
            (
                {"ref": reference(packages[i]), "dependsOn": sorted({reference(packages[d]) for d in to})}
                for i, to in arrows.items()
            ),
            key=lambda d: d["ref"],
        ),
    }
    json.dump(bom, sys.stdout, indent=1)
    print()


main()
