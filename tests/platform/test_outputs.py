"""Who may read what the commands write, and whether MLflow gets pictures, also after --resume."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lesions.readers.png import encode_slice
from platform.running.plans import Planned, start
from platform.running.reproducing import Reproducing
from platform.running.training import Training
from platform.sweep import Sweep
from tests.discs import Checkpoints, slice_with_discs
from tests.platform.conftest import ROOT, TINY, Cluster, command, open_to
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import tiny

OPTIONS = {
    "name": "run", "resume": None, "data": None, "trials": 1, "concurrent": None, "seed": 0,
    "cpus_per_trial": 1, "gpus_per_trial": None, "grace": 1, "register": None, "workers": 1,
    "cpus_per_worker": 1, "workers_per_trial": 1, "parts": (), "table": "pdnet-3", "external": None,
    "seeds": (), "resume_or_start": None, "sampler": "tpe", "pruner": "asha", "space": (),
    "objective": (), "constraint": (), "fork": None, "study": None,
}  # fmt: skip


@pytest.fixture
def open_umask() -> Iterator[None]:
    """As most users have it; a command leaves this process another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LESION_READABLE_BY", raising=False)
        before = os.umask(0o022)
        yield
        os.umask(before)


@pytest.mark.parametrize(
    ("words", "file", "folder"),
    [((), 0o600, 0o700), (("--readable-by", "group"), 0o640, 0o750),
     (("--readable-by", "all"), 0o644, 0o755)],
)  # fmt: skip
def test_an_answers_readers(
    two_checkpoints: Checkpoints, tmp_path: Path, open_umask: None, words: tuple[str, ...],
    file: int, folder: int,
) -> None:  # fmt: skip
    (tmp_path / "slice.png").write_bytes(encode_slice(slice_with_discs(100)[0]))
    given = ("--model", *two_checkpoints, "--click", "30,30", "--spacing", 1, 1,
             "--image", tmp_path / "slice.png")  # fmt: skip
    out = tmp_path / "out" / "a"
    assert command("predict", "pdnet", *given, "--out", out, *words) == 0
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {file}
    assert {path.stat().st_mode & 0o777 for path in (out, out.parent)} == {folder}


@pytest.mark.ray
def test_rays_workers_write_as_the_command_does(ray_cluster: Cluster) -> None:
    """Their cluster was started with another umask."""
    import ray

    read = ray.remote(num_cpus=0)(lambda: Path("/proc/self/status").read_text())
    assert "Umask:\t0077\n" in ray.get(read.remote())


@pytest.mark.parametrize("kind", [Sweep, Training, Reproducing])
@pytest.mark.parametrize(
    ("first", "later", "kept"), [(False, True, False), (True, False, False), (True, True, True)]
)
def test_a_resumed_run_shows_no_more_than_it_was_told(
    tiny_set: Path, tmp_path: Path, kind: type[Planned], first: bool, later: bool, kept: bool
) -> None:
    def begin(**given: Any) -> AbstractContextManager[Any]:
        options = SimpleNamespace(**OPTIONS | {"config": tiny(), "data": tiny_set} | given)
        return start(kind, PDNetSystem(), "tiny", options, tmp_path)

    with begin(pictures=first) as begun:
        begun.write()
    with begin(name=None, resume="run", pictures=later) as plan:
        assert plan.pictures is kept
    if isinstance(plan, Reproducing):
        assert {one.pictures for one in plan.trainings(0)} == {kept}


def run(cluster: Cluster | None, name: str, *words: object) -> None:
    """A command of its own, with the umask that most users have."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "RAY_ADDRESS": "local"}
    if cluster:
        env["RAY_ADDRESS"] = cluster.address
    given = [sys.executable, "-m", f"platform.{name}", *map(str, words)]
    done = subprocess.run(
        given, cwd=ROOT, env=env, umask=0o022, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize(
    ("joined", "words", "bits"), [(False, (), 0o077), (True, ("--readable-by", "group"), 0o027)]
)
def test_a_storages_readers(
    ray_cluster: Cluster, tmp_path: Path, joined: bool, words: tuple[str, ...], bits: int
) -> None:
    """Of the sample's prepared set, a sweep, two trainings and an evaluation."""
    cluster, storage = ray_cluster if joined else None, tmp_path / "store"
    given = ("pdnet", "--storage", storage, *words)
    small = ("--config.training.epochs", 1, *TINY)
    run(cluster, "sweep", *given, "--trials", 1, *small)
    run(cluster, "train", *given, "--config.stage", 1, *small)
    run(cluster, "evaluate", *given, "--model", "pdnet@champion")
    found = [path.name for path in storage.iterdir()]
    assert {"prepared", "sweeps", "trainings", "evaluations", "models", "artifacts",
            "mlflow.db", "mlflow.lock", "reports"} == {*found}  # fmt: skip
    assert open_to(bits, storage) == []
    if words:
        files = [path for path in storage.rglob("*") if path.is_file()]
        closed = [path for path in files if not path.stat().st_mode & 0o040]
        assert {path.name for path in closed} <= {"mlflow.lock"}
