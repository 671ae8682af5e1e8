"""Builds the image without an engine or a registry and says what is in it; a Dockerfile that is wrong on purpose is found.

The runtime's layers are left out (`RUNTIME=scratch`): what is judged is ours. A secret lies in the build's folder and must
not come in. Needs buildah; .ci/deploy.sh has it. How the image lives is seen by .ci/container.sh.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

WANTED = {
    "User": "10001:10001",
    "Entrypoint": ["/usr/bin/btcbot"],
    "Cmd": ["run"],
    "StopSignal": "SIGTERM",
    "Volumes": {"/data": {}},
    "WorkingDir": "/data",
    "ExposedPorts": {"9464/tcp": {}},
}
PLANTED = [".env.live", "secrets/btcturk_api_key", "btcbot-data/live/btcbot.redb", "deploy/empty/left.redb"]
# Whoever breaks one of these must be told.
BROKEN = ["USER 10001:10001", "HEALTHCHECK ", "STOPSIGNAL SIGTERM", "VOLUME "]


def context(work):
    """What lies about when an image is built: the tree's files, a binary, and things that must stay out."""
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy(name, work)
    shutil.copytree("deploy/empty", work / "deploy/empty")
    built = pathlib.Path("target/release/btcbot")
    for name, source in [("target/release/btcbot", built if built.is_file() else pathlib.Path("/bin/true"))]:
        (work / name).parent.mkdir(parents=True)
        shutil.copy(source, work / name)
    for name in PLANTED:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("planted")


def buildah(store, *arguments):
    command = ["buildah", "--root", f"{store}/root", "--runroot", f"{store}/run", "--storage-driver", "vfs", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"buildah {arguments[0]}: {done.stderr[-2000:]}")
    return done.stdout


def build(store, folder, name):
    buildah(store, "bud", "--isolation", "chroot", "--format", "docker", "--build-arg", "BINARY=prebuilt", "--build-arg",
            "RUNTIME=scratch", "--target", "runtime", "--tag", name, str(folder))


def settings(store, name):
    return json.loads(buildah(store, "inspect", "--type", "image", name))["Docker"]["config"]


def complaints(config):
    """What is wrong with the settings of an image."""
    wrong = [f"{key} is {config.get(key)}" for key, value in WANTED.items() if config.get(key) != value]
    health = config.get("Healthcheck") or {}
    if health.get("Test") != ["CMD", "/usr/bin/btcbot", "health"]:
        wrong.append(f"the health check is {health}")
    if "BTCBOT__STATE__DIR=/data/state" not in config.get("Env", []):
        wrong.append("the state is not in a folder of its own below /data")
    if "MALLOC_ARENA_MAX=1" not in config.get("Env", []):
        wrong.append("each thread has an arena of its own")
    if not any(label.startswith("org.opencontainers.image.licenses") for label in config.get("Labels") or {}):
        wrong.append("no label names the licence")
    return wrong


def contents(store, name):
    """Path to (owner, mode) of every file in the image."""
    archive = pathlib.Path(store) / "image.tar"
    buildah(store, "push", name, f"docker-archive:{archive}")
    files = {}
    with tarfile.open(archive) as image:
        for layer in json.load(image.extractfile("manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=image.extractfile(layer)) as inside:
                files |= {entry.name.strip("/"): (entry.uid, entry.mode) for entry in inside if not entry.isdir() or "data" in entry.name}
    return files


def main():
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch) / "context"
        work.mkdir()
        context(work)
        build(scratch, work, "btcbot:check")
        wrong = complaints(settings(scratch, "btcbot:check"))
        files = contents(scratch, "btcbot:check")
        expected = {"usr/bin/btcbot", "data", "data/README"}
        if set(files) != expected:
            wrong.append(f"the image holds {sorted(set(files) ^ expected)}")
        if files.get("usr/bin/btcbot", (1, 0))[0] != 0 or files.get("data", (0, 0))[0] != 10001:
            wrong.append(f"owners: {files}")
        text = (work / "Dockerfile").read_text()
        for line in BROKEN:
            assert line in text, f"the Dockerfile has no {line}"
            (work / "Dockerfile").write_text("\n".join(part for part in text.splitlines() if not part.startswith(line)))
            build(scratch, work, "btcbot:broken")
            if not complaints(settings(scratch, "btcbot:broken")):
                wrong.append(f"a Dockerfile without {line} passes")
    print(*(wrong or [f"{len(files)} files; {len(BROKEN)} broken Dockerfiles are found"]), sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
