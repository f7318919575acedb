"""Light to carry: reading a prepared set, masks and training want a few packages alone."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# What a machine with a GPU and no network has, and what these bring.
CARRIED = (
    "torch", "torchvision", "timm", "numpy", "opencv-python-headless", "scipy", "pyarrow",
)  # fmt: skip
# Brought by torch, and yet no matter of ours.
NOT_OURS = ("jinja2",)
OWN = {"lesions", "trainables", "search_spaces", "dashboards", "platform", "tests", "conftest"}
HEAVY = {
    "pydicom", "imagecodecs", "highdicom", "nibabel", "tyro", "pydantic", "pandas", "matplotlib",
    "dynamic_network_architectures", "mlflow", "ray", "optuna", "rich", "jinja2",
}  # fmt: skip


def brought(name: str, seen: set[str]) -> set[str]:
    """A distribution and all that it needs, by their canonical names."""
    if name not in seen:
        seen.add(name)
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # of another platform
            return seen
        for one in needed:
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                brought(canonicalize_name(one.name), seen)
    return seen


def absent() -> list[str]:
    """Every module at hand that no carried package brings."""
    carried: set[str] = set()
    for name in CARRIED:
        brought(name, carried)
    return sorted(
        {*NOT_OURS}
        | {
            module
            for module, of in packages_distributions().items()
            if module not in OWN and not carried & {canonicalize_name(one) for one in of}
        }
    )


def test_with_the_carried_packages_alone(tmp_path: Path) -> None:
    names = absent()
    assert set(names) >= HEAVY
    done = subprocess.run(
        [sys.executable, "-m", "tests.lesions.carried", json.dumps(names), str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_the_readers_are_there_when_they_are_asked_for() -> None:
    """And a name that is none is refused as any module does."""
    code = """
import sys, lesions
assert not {"pydicom", "nibabel"} & set(sys.modules)
assert set(lesions.__all__) <= set(dir(lesions))
from lesions import *
assert {"pydicom", "nibabel"} <= set(sys.modules)
assert read_dicom is lesions.read_dicom and read_nifti.__module__ == "lesions.readers.nifti"
assert not hasattr(lesions, "nothing")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
