"""Make `platform.sweep` importable under pytest, and in every process that a test starts."""

import importlib
import os
import secrets
from pathlib import Path

import pytest

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
# A worker that has ended one test's work begins another's without a start of its own.
os.environ["RAY_idle_worker_killing_time_threshold_ms"] = "60000"  # noqa: SIM112
# What Ray watches and writes down of itself takes a tenth of a core here.
os.environ |= {"LOG_NAME_UPDATE_INTERVAL_S": "10", "REPORTER_UPDATE_INTERVAL_MS": "30000"}
# Ray's workers would wait for the tests beside them, and the longest part of the suite is theirs.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (so Ray spells it)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test of Ray's where `make test-ray` does not look for it."""
    strays = [item.nodeid for item in items if item.get_closest_marker("ray")
              and not item.nodeid.startswith("tests/platform/")]  # fmt: skip
    if strays:
        raise pytest.UsageError(f"tests that start Ray belong to tests/platform: {strays}")
