"""Writes what is linked into the binary as a CycloneDX 1.6 document, from the lock file alone, and checks it.

`sbom.py FILE` takes the crates that `btcbot` needs on Linux at run time or build time, not those of its tests. The same
commit gives the same bytes: no time and no random number enters. The check needs cyclonedx-python-lib.
"""

import json
import pathlib
import subprocess
import sys

TARGET = "x86_64-unknown-linux-gnu"


def metadata():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def linked(nodes, root):
    """Ids reachable over dependencies that are not for tests."""
    seen, stack = set(), [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(needs(nodes[node]))
    return seen


def needs(node):
    return sorted(dep["pkg"] for dep in node["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]))


def checksums():
    """SHA-256 of each crate's archive, as the lock file has it."""
    sums, name, version = {}, None, None
    for line in pathlib.Path("Cargo.lock").read_text().splitlines():
        key, _, value = line.partition(" = ")
        value = value.strip('"')
        if key == "name":
            name = value
        elif key == "version":
            version = value
        elif key == "checksum":
            sums[name, version] = value
    return sums


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, sums):
    made = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
    }
    if package["license"]:
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return made


def document():
    data, sums = metadata(), checksums()
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    root = next(key for key, package in packages.items() if package["name"] == "btcbot")
    parts = sorted(linked(nodes, root), key=lambda key: purl(packages[key]))
    subject = component(packages[root], sums) | {"type": "application"}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": subject},
        "components": [component(packages[key], sums) for key in parts if key != root],
        "dependencies": [
            {"ref": purl(packages[key]), "dependsOn": [purl(packages[dep]) for dep in needs(nodes[key])]} for key in parts
        ],
    }


def complaints(text):
    """What the schema says against a document, or None."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)


def main():
    made = document()
    text = json.dumps(made, indent=1, sort_keys=True) + "\n"
    wrong = complaints(text)
    if wrong:
        sys.exit(f"the document is not CycloneDX 1.6: {wrong}")
    if not complaints(text.replace('"type": "library"', '"type": "libary"', 1)):
        sys.exit("a planted error in the document was not found")
    unsigned = [part["name"] for part in made["components"] if "hashes" not in part and "btcbot" not in part["name"]]
    if unsigned:
        sys.exit(f"no checksum in Cargo.lock for {unsigned}")
    pathlib.Path(sys.argv[1]).write_text(text)
    print(f"{sys.argv[1]}: {len(made['components'])} components, CycloneDX 1.6; a planted error is found")


if __name__ == "__main__":
    main()
