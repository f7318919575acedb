"""`platform` stays the standard library's module, in every process that imports it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from platform.__main__ import commands

ROOT = Path(__file__).resolve().parents[2]


def load_standard() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "standard_platform", Path(os.__file__).with_name("platform.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fingerprint(module: ModuleType) -> dict[str, str]:
    """Every public name, and what it is or returns."""
    found = {}
    for name in sorted(vars(module)):
        if name.startswith("_"):
            continue
        value: Any = getattr(module, name)
        code = getattr(value, "__code__", None)
        if code is not None:
            found[name] = f"{code.co_name}{code.co_varnames}{code.co_code.hex()}"
        elif isinstance(value, ModuleType):
            found[name] = value.__name__
        else:
            found[name] = repr(type(value)) + (repr(value) if isinstance(value, str) else "")
    return found


def values() -> dict[str, str]:
    """What the functions without arguments say here."""
    import platform

    names = ["architecture", "machine", "node", "platform", "processor", "python_branch",
             "python_build", "python_compiler", "python_implementation", "python_revision",
             "python_version", "python_version_tuple", "release", "system", "uname", "version",
             "libc_ver", "freedesktop_os_release"]  # fmt: skip
    return {name: repr(getattr(platform, name)()) for name in names}


def ours_only() -> set[str]:
    """The commands, and the rooms that they share."""
    places = (ROOT / "platform").glob("[a-z]*")
    return {path.stem for path in places if path.suffix == ".py" or (path / "__init__.py").exists()}


def check_parity(seen: dict[str, str]) -> None:
    assert {k: v for k, v in seen.items() if k not in ours_only()} == fingerprint(load_standard())


def test_driver_has_every_public_name() -> None:
    import platform

    check_parity(fingerprint(platform))


REPORT = """
import json
import platform
import platform.running.storage
from tests.platform.test_shim import fingerprint, values
print(json.dumps([fingerprint(platform), values(), platform.__file__]))
"""


def run_python(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_subprocess_has_every_public_name_and_value(tmp_path: Path) -> None:
    seen, said, file = json.loads(run_python("-c", REPORT, cwd=ROOT))
    check_parity(seen)
    # The same machine as seen without our folder on the path.
    plain = ("import platform, json; print(json.dumps({n: repr(getattr(platform, n)()) for n in "
             f"{list(said)!r}}}))")  # fmt: skip
    assert said == json.loads(run_python("-I", "-c", plain, cwd=tmp_path))
    assert Path(file).name == "platform.py"


def test_no_module_hides_a_name_of_the_standard_library() -> None:
    taken = set(vars(load_standard()))
    assert not (ours_only() - {"__init__", "__main__"}) & taken


def test_import_loads_nothing_more_than_the_standard_library_does(tmp_path: Path) -> None:
    """No measurable start-up time: no further module is imported."""
    code = "import sys, platform; print(len(sys.modules))"
    ours = int(run_python("-c", code, cwd=ROOT))
    assert ours - int(run_python("-c", code, cwd=tmp_path)) <= 1


def test_commands_are_listed() -> None:
    assert {"prepare", "train", "sweep", "compare", "models"} <= set(commands())
    listing = run_python("-m", "platform", cwd=ROOT)
    for name, line in commands().items():
        assert f"python -m platform.{name}" in listing
        assert line in listing


@pytest.mark.ray
def test_ray_worker_has_every_public_name(ray_cluster: None) -> None:
    import ray

    @ray.remote
    def look() -> tuple[dict[str, str], str]:
        import lesions  # the root is on the worker's path
        import platform

        return fingerprint(platform), lesions.__file__

    seen, where = ray.get(look.remote())
    check_parity(seen)
    assert Path(where).parent.parent == ROOT
