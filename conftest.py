"""Make `platform.sweep` importable under pytest, and in every process that a test starts."""

import importlib
import os
import secrets
from pathlib import Path

import platform

ROOT = Path(__file__).parent

# pytest has imported the standard library's module long before this file: give it our folder.
platform.__path__ = [str(ROOT / "platform")]
importlib.import_module("platform.running.telemetry").switch_off()
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)
# The same token for head, submitter and tests; otherwise it depends on the machine's state.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
