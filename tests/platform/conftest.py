"""One real two-node Ray cluster, tiny data, and the commands, run here or as a user runs them."""

import csv
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from lesions.files import restrict
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import TABLE, read_table
from lesions.sample import ROOT as SAMPLE
from platform.command_line.options import run
from platform.tracking.store import Store, open_store
from tests.discs import Checkpoints
from tests.lesions.writers.valid import check_valid
from tests.once import once
from trainables.registry import SYSTEMS

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TINY = (
    "--config.samples.input-size", "32", "--config.model.features", "4",
    "--config.training.batch-size", "4",
)  # fmt: skip
QUICK = (  # with these the tiny network finds lesions in three epochs
    "--config.training.batch-size", "2", "--config.training.warmup", "0",
    "--config.training.learning-rate", "0.03", "--config.loss.weight", "0.9",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Addresses of a running cluster: for drivers, and for `ray job submit`."""

    address: str
    dashboard: str
    folder: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def answers(url: str) -> bool:
    token = {"Authorization": f"Bearer {os.environ['RAY_AUTH_TOKEN']}"}  # Ray's; others ignore it
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=token), timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def ray_node(folder: Path, *words: str) -> Iterator[None]:
    """A node by `ray start`, as users start them; its own processes end with it."""
    command = [str(BIN / "ray"), "start", "--block", "--temp-dir", str(folder), "--num-cpus", "1",
               "--dashboard-agent-listen-port", str(free_port()), *words]  # fmt: skip
    env = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    env.pop("RAY_ADDRESS", None)
    with (folder / "node.log").open("a") as log:
        node = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True, umask=0o022
        )
    try:
        yield
    finally:
        own = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
        node.terminate()
        _, alive = psutil.wait_procs(own, timeout=5)
        for process in alive:
            with suppress(psutil.NoSuchProcess):  # it has ended by itself since
                process.kill()
        node.wait()


@contextmanager
def head_node() -> Iterator[Cluster]:
    """A cluster of one node with one CPU, started in the repository's root."""
    with tempfile.TemporaryDirectory(  # sockets' paths must be short
        prefix="r", dir="/tmp", ignore_cleanup_errors=True
    ) as short:
        folder = Path(short)
        port, dashboard = free_port(), free_port()
        address = f"127.0.0.1:{port}"
        head = ("--head", "--port", str(port), "--dashboard-port", str(dashboard),
                "--ray-client-server-port", str(free_port()))  # fmt: skip
        with ray_node(folder, "--node-ip-address", "127.0.0.1", *head):
            url = f"http://127.0.0.1:{dashboard}"
            wait_until(lambda: answers(f"{url}/api/version"), 60, f"{url}; see {folder}/node.log")
            yield Cluster(address=address, dashboard=url, folder=folder)


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[Cluster]:
    """A cluster of two nodes with one CPU each."""
    with head_node() as head, ray_node(head.folder, "--address", head.address):
        yield head


@pytest.fixture(scope="session")
def ray_cluster(two_nodes: Cluster) -> Iterator[Cluster]:
    """This process as a driver of the cluster."""
    import ray

    from platform.running.cluster import cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", two_nodes.address)
        restrict()  # as a command does before it joins
        with cluster():
            wait_until(lambda: ray.cluster_resources().get("CPU") == 2, 60, "the second node")
            yield two_nodes


def open_to(others: int, *folders: Path) -> list[str]:
    """What lies in these folders, and may be used by those that the bits `others` stand for."""
    found = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return [f"{path} {mode:o}" for path in found if not path.is_symlink()
            if (mode := path.stat().st_mode) & others]  # fmt: skip


def ray_workers(cluster: Cluster, word: str) -> list[psutil.Process]:
    """The cluster's processes that run what `word` names: Ray calls them by it."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or [])
        parents = [parent.cmdline() for parent in process.parents()]
        ours = any(str(cluster.folder) in part for line in parents for part in line)
        if ours and title.startswith("ray::") and word in title:
            found.append(process)
    return found


def command(name: str, *words: object) -> int:
    """`python -m platform.NAME WORDS` in this process; its exit status.

    The DICOM objects that `predict` leaves are shown to validators.
    """
    main = importlib.import_module(f"platform.{name}").main
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *map(str, words)])
        try:
            run(main)
        except SystemExit as stop:
            return int(stop.code or 0)
        finally:
            if name == "predict" and "--out" in words:
                out = Path(str(words[words.index("--out") + 1]))
                check_valid(*sorted(out.rglob("*.dcm")))
    return 0


@contextmanager
def started(log: Path, name: str, *words: object, address: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m platform.NAME WORDS` as a process, its output in `log`; ended if it still runs."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", f"platform.{name}", *map(str, words)], cwd=ROOT, text=True,
            env=os.environ | {"RAY_ADDRESS": address, "OMP_NUM_THREADS": "1"},
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_for_line(process: subprocess.Popen[str], log: Path, text: str, seconds: float) -> None:
    """Wait until a started command has said `text`."""

    def said() -> bool:
        assert text in log.read_text() or process.poll() is None, log.read_text()
        return text in log.read_text()

    wait_until(said, seconds, f"{text!r} in {log.read_text()!r}")


def write_source(folder: Path, rows: list[dict[str, str]]) -> Path:
    """A data set of these rows over the sample's slices and masks."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / TABLE).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(sample_rows()[0]))
        writer.writeheader()
        writer.writerows(rows)
    for name in ("Images_png", "Masks_png"):
        (folder / name).symlink_to(SAMPLE / name)
    return folder


def sample_rows(**of_split: int) -> list[dict[str, str]]:
    """The sample's first rows: as many as are asked for of each split, else all."""
    rows = [dict(row.fields) for row in read_table(SAMPLE)]
    if not of_split:
        return rows
    codes = {"train": "1", "validation": "2", "test": "3"}
    return [
        row
        for name, count in of_split.items()
        for row in [row for row in rows if row["Train_Val_Test"] == codes[name]][:count]
    ]


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 lesions of the sample, prepared in this process."""
    source = write_source(
        tmp_path_factory.mktemp("source"), sample_rows(train=8, validation=4, test=4)
    )
    plan = Plan(source=source, out=tmp_path_factory.mktemp("tiny"))
    rows = read_table(source)
    claim(plan)
    assert prepare_part({"part": 0, "rows": parts_of(rows)[0]}, plan)["error"] == ""
    write_manifest(plan, len(rows), 1)
    return plan.out


@pytest.fixture(scope="session")
def empty_storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with a store that holds the baselines alone: making one takes seconds."""
    return once(
        "empty", lambda folder: open_store(folder, "pdnet", "pdnet"), tmp_path_factory.mktemp("no")
    )


@pytest.fixture
def storage(empty_storage: Path, tmp_path: Path) -> Path:
    shutil.copytree(empty_storage, tmp_path / "storage")
    return tmp_path / "storage"


@pytest.fixture
def store(storage: Path) -> Store:
    uri = f"sqlite:///{storage / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("here", (storage / "artifacts" / "here").as_uri())
    return Store(uri=uri, experiment="here", experiment_id=experiment)


@pytest.fixture
def named_anew() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    before = dict(SYSTEMS)
    yield
    SYSTEMS.clear()
    SYSTEMS.update(before)


Predict = Callable[..., dict[str, Any]]


@pytest.fixture
def predict(two_checkpoints: Checkpoints, tmp_path: Path) -> Predict:
    """`predict` by PDNet's two stages into "out": what answer.json says."""

    def run_it(*words: object) -> dict[str, Any]:
        given = ("pdnet", "--model", *two_checkpoints, "--out", tmp_path / "out")
        assert command("predict", *given, *words) == 0
        found: dict[str, Any] = json.loads((tmp_path / "out" / "answer.json").read_text())
        return found

    return run_it
