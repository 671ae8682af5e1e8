"""Says what a build of the image would see, and fails if that could be a secret or a state file.

Plants such files in a scratch copy of the tree first: a check that cannot fail proves nothing.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PLANTED = [
    ".env",
    ".env.live",
    "actors/.env.live",
    "config/secrets/btcturk_api_key",
    "secrets/btcturk_api_secret",
    "engine/src/live.pem",
    "btcbot-data/live/btcbot.redb",
    "chaos/left.redb",
    "old.db",
]


def pattern(text):
    """A .dockerignore pattern as a regular expression over a path; ** crosses folders, a match covers what is below."""
    out = ""
    rest = text.strip("/")
    while rest:
        if rest.startswith("**/"):
            out, rest = out + "(.*/)?", rest[3:]
        elif rest.startswith("**"):
            out, rest = out + ".*", rest[2:]
        elif rest.startswith("*"):
            out, rest = out + "[^/]*", rest[1:]
        else:
            out, rest = out + re.escape(rest[0]), rest[1:]
    return re.compile(f"^{out}(/.*)?$")


def context(root):
    """Files that are in the build context, by the last rule that matches each."""
    rules = []
    for line in (root / ".dockerignore").read_text().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            rules.append((line.startswith("!"), pattern(line.lstrip("!"))))
    taken = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or name.startswith((".git/", "target/")):
            continue
        kept = True
        for keeps, rule in rules:
            if rule.match(name):
                kept = keeps
        if kept:
            taken.append(name)
    return taken


def main():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        for name in filter(None, tracked):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if pathlib.Path(name).is_file():
                shutil.copy(name, root / name)
        for name in PLANTED:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("planted")
        taken = context(root)
        found = [name for name in PLANTED if name in taken]
        needed = [name for name in ("Cargo.toml", "Cargo.lock", "actors/src/main.rs") if name not in taken]
        ignored = subprocess.run(["git", "check-ignore", "--no-index", *PLANTED], capture_output=True, text=True)
        unignored = [name for name in PLANTED if name not in ignored.stdout.split("\n")]
    for what, names in (("in the image's context", found), ("missing from it", needed), ("not ignored by git", unignored)):
        if names:
            print(what, names)
    print(len(taken), "files in the context")
    sys.exit(bool(found or needed or unignored))


if __name__ == "__main__":
    main()
