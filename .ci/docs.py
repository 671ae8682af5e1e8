#!/usr/bin/env python3
"""Runs what README.md and docs/RUNBOOK.md tell people to type, and fails where it does not do what they say.

Every ```sh block runs, in order, in one shell for each `##` section; ```text is shown only. `# -> words` behind a command
must be in what it printed; `# -> exit N` is its exit code, otherwise every command must succeed. Comments that no reader
sees set the scene: `<!-- drill: COMMAND -->` runs there, `<!-- exchange: ARGUMENTS -->` starts the simulated exchange
with them, `<!-- engine: off -->` starts no engine. A section of the runbook begins beside an armed engine that trades on
that exchange. Each runs in a network of its own, with nothing but loopback. BTCBOT names another folder of binaries.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARIES = pathlib.Path(os.environ.get("BTCBOT", ROOT / "target/release")).resolve()
SECTION_SECONDS = 180
# Sections mostly wait: for a stream, a pass over the account, a stop.
AT_ONCE = 4

# cargo and make have run before this: the words are typed, the work is not done twice.
STAND_INS = {
    "cargo": 'case "$*" in "build --release") ;; "run --release -- "*) shift 3; exec timeout --preserve-status -s INT 8 btcbot "$@" ;; *) exit 9 ;; esac',
    "make": '[ "$*" = test ]',
}

README_SCENE = 'cd "$ROOT"\n'

# The words of the deployment that the runbook asks its reader to define, for a process started by hand.
RUNBOOK_SCENE = r"""
mkdir host && cd host
start() { btcbot run >>../said 2>>../log & PID=$!; until btcbot status >/dev/null 2>&1; do kill -0 $PID; sleep 0.2; done; }
stop() { kill -TERM "$PID" && wait "$PID"; }
logs() { cat ../log; }
WINDOW=2
btcbot simulator --listen 127.0.0.1:8390 --log ../requests $EXCHANGE >../exchange & SIM=$!
until [ -s ../exchange ]; do sleep 0.1; done
btcbot init --live . >/dev/null
echo 11111111-2222-3333-4444-555555555555 >secrets/btcturk_api_key
echo AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= >secrets/btcturk_api_secret
chmod 0400 secrets/*
sed -n '/^cat > .env.live <<END/,/^END$/p' "$ROOT/README.md" >../settings && . ../settings
chmod 0600 .env.live
"""
ARMED = """start
until btcbot health --ready >/dev/null 2>&1; do sleep 0.2; done
until [ "$(curl -s http://127.0.0.1:9464/status | jq .counts.accepted)" -gt 1 ]; do sleep 0.2; done
"""


class Step:
    """Commands, and what must come of them."""

    def __init__(self, place, code, words=(), code_expected=None):
        self.place, self.code, self.words, self.code_expected = place, code, list(words), code_expected


class Section:
    def __init__(self, file, title):
        self.file, self.title, self.steps, self.exchange, self.engine = file, title, [], "", True

    def __str__(self):
        return f"{self.file}: {self.title}"


def steps_of(block, place):
    """Splits a block behind its expectations."""
    step, steps = Step(place, ""), []
    for line in block:
        if line.startswith("# -> "):
            words = line.removeprefix("# -> ").strip()
            if words.startswith("exit "):
                step.code_expected = int(words.removeprefix("exit "))
            else:
                step.words.append(words)
            continue
        if step.words or step.code_expected is not None:
            steps.append(step)
            step = Step(place, "")
        step.code += line + "\n"
    return steps + [step] if step.code.strip() else steps


def sections_of(path, text):
    """The sections of a page that have something to run."""
    sections, block, kind = [Section(path, "")], None, None
    for number, line in enumerate(text.splitlines(), 1):
        note = re.fullmatch(r"<!-- (drill|exchange|engine): (.*) -->", line)
        if block is not None:
            if line == "```":
                if kind == "sh":
                    sections[-1].steps += steps_of(block, f"{path}:{number - len(block)}")
                block = None
            else:
                block.append(line)
        elif line.startswith("```"):
            block, kind = [], line.removeprefix("```")
            if kind not in ("sh", "text"):
                sys.exit(f"{path}:{number}: a block is sh, which runs, or text, which is shown; not {kind!r}")
        elif line.startswith("## "):
            sections.append(Section(path, line.removeprefix("## ")))
        elif note and note[1] == "drill":
            sections[-1].steps.append(Step(f"{path}:{number}", note[2] + "\n"))
        elif note and note[1] == "exchange":
            sections[-1].exchange = note[2]
        elif note:
            sections[-1].engine = note[2] != "off"
    return [section for section in sections if section.steps]


def script(section):
    """One shell for the section; each step leaves what it printed and its code in a file of its own."""
    scene = README_SCENE if section.file == "README.md" else RUNBOOK_SCENE + (ARMED if section.engine else "")
    lines = ["trap 'kill -KILL $(jobs -p) 2>/dev/null' EXIT", "set -e", "{", scene, "} >$OUT/scene 2>&1", ": >$OUT/scene.0"]
    for number, step in enumerate(section.steps):
        may_fail = step.code_expected is not None
        lines += ["set +e" if may_fail else "set -e", "{", step.code, f"}} >$OUT/{number} 2>&1", f": >$OUT/{number}.$?"]
    return "\n".join(lines) + "\n"


def is_alone():
    """Whether a network of one's own can be had here."""
    tried = subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], capture_output=True)
    return tried.returncode == 0


def prepare(work):
    """A folder for one section: stand-ins on the path, the script's outputs beside its files."""
    (work / "out").mkdir()
    stand_ins = work / "bin"
    stand_ins.mkdir()
    for name, body in STAND_INS.items():
        (stand_ins / name).write_text(f"#!/bin/sh\n{body}\n")
        (stand_ins / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "USER", "CARGO_HOME")}
    return kept | {"PATH": f"{stand_ins}:{BINARIES}:{os.environ['PATH']}", "OUT": str(work / "out"), "ROOT": str(ROOT)}


def verdict(section, out):
    """What went wrong in a section that has ended, or None."""
    if not (out / "scene.0").exists():
        return "the scene could not be set:\n" + (out / "scene").read_text(errors="replace")[-2000:]
    for number, step in enumerate(section.steps):
        said = (out / str(number)).read_text(errors="replace") if (out / str(number)).exists() else ""
        code = next((int(path.suffix[1:]) for path in out.glob(f"{number}.*")), None)
        wanted = step.code_expected or 0
        shown = f"{step.place}\n{step.code}--- printed:\n{said[-2500:]}"
        if code is None:
            return f"a command failed or did not end: {shown}"
        if code != wanted:
            return f"exit {code}, not {wanted}: {shown}"
        missing = [words for words in step.words if " ".join(words.split()) not in " ".join(said.split())]
        if missing:
            return f"not seen: {missing}: {shown}"
    return None


def run(section, alone):
    """Runs a section and says what went wrong, or None."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="btcbot-docs-") as folder:
        work = pathlib.Path(folder)
        environment = prepare(work) | {"EXCHANGE": section.exchange}
        # The page says where to work; here that is a folder of this run.
        (work / "run.sh").write_text(script(section).replace("/tmp/tour", f"{work}/tour"))
        inner = "ip link set lo up && exec bash ../run.sh" if alone else "exec bash ../run.sh"
        command = [*(["unshare", "-rn"] if alone else []), "sh", "-c", inner]
        (work / "at").mkdir()
        child = subprocess.Popen(command, cwd=work / "at", env=environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            child.wait(SECTION_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        wrong = verdict(section, work / "out")
        if wrong and (work / "at/log").exists():
            wrong += "\n--- log:\n" + "\n".join((work / "at/log").read_text(errors="replace").splitlines()[-8:])
    return wrong, time.monotonic() - started


CONTROL = """## good
```sh
echo it works
# -> it works
false
# -> exit 1
```
## fails
```sh
false
true
```
## says something else
```sh
echo no
# -> yes
```
## exits with another code
```sh
true
# -> exit 6
```
"""


def control(alone):
    """Blocks that are wrong on purpose must be found, or nothing below means anything."""
    found = {section.title: run(section, alone)[0] for section in sections_of("README.md", CONTROL)}
    bad = [title for title, wrong in found.items() if (wrong is None) != (title == "good")]
    if bad or len(found) != 4:
        sys.exit(f"planted blocks are judged wrongly: {bad or found}")


def main():
    alone = is_alone()
    if not shutil.which("jq"):
        sys.exit("no jq: apt-get install jq")
    if not shutil.which("btcbot", path=str(BINARIES)):
        sys.exit(f"no btcbot in {BINARIES}: cargo build --release")
    control(alone)
    print("ok   planted blocks that fail are found")
    chosen = sys.argv[1:]
    sections = []
    for page in ("README.md", "docs/RUNBOOK.md"):
        sections += sections_of(page, (ROOT / page).read_text())
    sections = [section for section in sections if not chosen or any(word in str(section) for word in chosen)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE if alone else 1) as pool:
        for section, (wrong, took) in zip(sections, pool.map(lambda one: run(one, alone), sections)):
            print(f"{'FAIL' if wrong else 'ok  '} {section} ({len(section.steps)} steps, {took:.0f} s)")
            if wrong:
                failed += 1
                print(wrong)
    print(f"{len(sections) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
