"""Greets who is named in the body, and signs the greeting with the key of a Secret."""

import hmac
import os
import sys
from pathlib import Path

# Empty in a cluster; in local mode, the folder that stands for the root of the pod's mounts.
ROOT = os.environ.get("PILOTLIGHT_MOUNT_ROOT", "")


def mounted(path):
    return Path(ROOT + path).read_text()


greeting = f"{mounted('/etc/greeter/greeting').strip()}, {sys.stdin.read().strip() or 'stranger'}!"
key = mounted("/var/run/secrets/greeter/signing.key").encode()
print(greeting)
print("signature:", hmac.new(key, greeting.encode(), "sha256").hexdigest())
