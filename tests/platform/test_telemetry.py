"""No library reports its use: in a command, in what it starts, unless the user wants it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platform.running.telemetry import OFF

ROOT = Path(__file__).resolve().parents[2]
# As `python -m platform.models` runs; then what MLflow would report with.
COMMAND = """
import contextlib, io, json, os, runpy, subprocess, sys
sys.argv = ["models", "--help"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    runpy.run_module("platform.models", run_name="__main__")
import mlflow.telemetry
child = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
print(json.dumps([mlflow.telemetry.get_telemetry_client() is None,
                  json.loads(subprocess.check_output(child))]))
"""


def answer(code: str, **settings: str) -> Any:
    """What a process in the repository prints, as a user's shell would start it."""
    hints = ("PYTEST", "CI", "GITHUB", "DO_NOT_TRACK", "DISABLE_TELEMETRY", *OFF)
    env = {k: v for k, v in os.environ.items() if not k.startswith(hints)} | settings
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_command_and_what_it_starts_report_nothing() -> None:
    silent, started = answer(COMMAND)
    assert silent
    assert OFF.items() <= started.items()


def test_a_users_own_setting_stays() -> None:
    own = {"MLFLOW_DISABLE_TELEMETRY": "false", "RAY_USAGE_STATS_ENABLED": "1"}
    seen = answer("import json, os, platform; print(json.dumps(dict(os.environ)))", **own)
    assert (OFF | own).items() <= seen.items()


def test_tests_report_nothing() -> None:
    assert OFF.items() <= os.environ.items()


@pytest.mark.ray
def test_a_ray_worker_reports_nothing(ray_cluster: None) -> None:
    import ray

    @ray.remote
    def look() -> dict[str, str]:
        return dict(os.environ)

    assert OFF.items() <= ray.get(look.remote()).items()
