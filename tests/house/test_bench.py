"""The bench of GPUs where little is installed: a table, and no trouble."""

import json
import subprocess
import sys

import pytest

from tests.house.source import ROOT
from trainables.registry import SYSTEMS

ABSENT = (
    "ray", "mlflow", "tyro", "pydantic", "pydicom", "nibabel", "rich", "optuna", "pandas",
    "imagecodecs", "highdicom", "matplotlib", "jinja2", "dynamic_network_architectures",
    "hypothesis", "pytest", "psutil", "monai", "sklearn",
)  # fmt: skip
CODE = """
import json, runpy, sys
from importlib.machinery import PathFinder
from tests.lesions.carried import Fewer

Fewer.absent = frozenset(json.loads(sys.argv.pop(1)))
sys.meta_path[sys.meta_path.index(PathFinder)] = Fewer
runpy.run_module("tests.bench", run_name="__main__")
"""


@pytest.mark.slow
def test_the_gpu_bench_runs_where_little_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(ABSENT), "gpu", "--small"], cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *_, table = done.stdout.split("images/s\n")
    heading, *lines = table.strip().splitlines()
    assert heading.split()[:4] == ["system", "part", "batch", "plain"]
    wanted = [(system.title, part or "–") for system in SYSTEMS.values()
              for part in (system.parts or ("",))]  # fmt: skip
    # What went wrong would be more lines.
    assert len(lines) == len(wanted)
    for line, (title, part) in zip(map(str.strip, lines), wanted, strict=True):
        assert line.startswith(title), line
        assert line.removeprefix(title).split()[0] == part, line  # a title may have spaces
    for line in lines:
        assert " → " in line
