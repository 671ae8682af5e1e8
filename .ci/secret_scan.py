"""Looks for secrets in the tracked files, and plants some first: a search that finds nothing proves nothing.

Beside the detectors of detect-secrets it knows the shapes of a key pair of the exchange: a UUID, and 32 bytes in
base64. A finding is a failure unless the value is in .ci/secrets.allowed, by its hash and with a reason, so that a
known test value may stand in any file and nothing else may stand in one. Needs detect-secrets; .ci/supply.sh has it.
"""

import base64
import hashlib
import os
import pathlib
import re
import secrets
import string
import subprocess
import sys
import tempfile
import uuid

from detect_secrets.core import scan
from detect_secrets.settings import transient_settings

ALLOWED = pathlib.Path(".ci/secrets.allowed")
# Not the keyword detector: it knows names of fields, of which this tree is full, and not values.
# Not the one for hexadecimal: hashes of decisions and commits are hexadecimal, keys of the exchange are not.
DETECTORS = ["AWSKeyDetector", "BasicAuthDetector", "GitHubTokenDetector", "JwtTokenDetector", "NpmDetector",
             "PrivateKeyDetector", "PypiTokenDetector", "SlackDetector", "TelegramBotTokenDetector"]
SETTINGS = {
    "plugins_used": [{"name": name} for name in DETECTORS] + [{"name": "Base64HighEntropyString", "limit": 4.5}],
    "filters_used": [],
}
SHAPES = [
    re.compile(r"(?<![0-9A-Fa-f-])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f-])"),
    re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{43}=(?!=)"),
]
# A path, a list of words or a URL is not a value: entropy alone does not know that.
HARMLESS = re.compile(r"^(?:[A-Za-z0-9_+-]*/)+[A-Za-z0-9_+-]*$")


def digest(value):
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def findings(path):
    """(line, kind, value) of everything in a file that looks like a secret."""
    found = set()
    with transient_settings(SETTINGS):
        for secret in scan.scan_file(str(path)):
            value = secret.secret_value
            if secret.type.startswith("Base64") and HARMLESS.match(value) and not value.endswith("="):
                continue
            found.add((secret.line_number, secret.type, value))
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        for shape in SHAPES:
            found.update((number, "shape of a key", value) for value in shape.findall(line))
    return sorted(found)


def allowed():
    """The values that may stand in the tree, by hash. A line without a reason is not a line."""
    known = {}
    for line in ALLOWED.read_text().splitlines():
        if line and not line.startswith("#"):
            value, _, reason = line.partition(" ")
            assert len(value) == 16 and reason.strip(), f"{ALLOWED}: a hash, a space and a reason: {line}"
            known[value] = reason.strip()
    return known


def control():
    """Every kind of planted secret must be found; made here, because a file that holds them would be found too."""
    planted = {
        "API key of the exchange": f"BTCTURK_API_KEY={uuid.uuid4()}",
        "API secret of the exchange": f"echo {base64.b64encode(os.urandom(32)).decode()} > secret",
        "private key": "-----BEGIN " + "PRIVATE KEY-----",
        "token of a forge": "token: ghp_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36)),
        "cloud key": "AKIA" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(16)),
        "password in an address": "https://bot:" + secrets.token_hex(6) + "@example.org/",
    }
    with tempfile.TemporaryDirectory() as scratch:
        for what, line in planted.items():
            path = pathlib.Path(scratch) / "planted.env"
            path.write_text(f"# harmless\n{line}\n")
            if not findings(path):
                sys.exit(f"a planted secret was not found: {what}")
    return len(planted)


def main():
    known, used, bad = allowed(), set(), []
    planted = control()
    names = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout.split("\0")
    files = [pathlib.Path(name) for name in names if name and pathlib.Path(name).is_file()]
    for path in files:
        for line, kind, value in findings(path):
            if digest(value) in known:
                used.add(digest(value))
            else:
                bad.append(f"{path}:{line}: {kind}: a value with the hash {digest(value)}")
    for line in bad:
        print(line)
    if bad:
        print(f"a test value is allowed by a line in {ALLOWED}: its hash, and why it opens nothing")
    for value in sorted(set(known) - used):
        print(f"note: {ALLOWED} allows {value}, which is not in the tree: {known[value]}")
    print(f"{len(files)} files, {planted} planted secrets found, {len(used)} known values, {len(bad)} findings")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
