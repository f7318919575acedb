"""MLflow wiped, or another one, when a sweep goes on: it gets the whole, nothing is done again."""

import os
import secrets
import shutil
import signal
from pathlib import Path

import pytest

from lesions.files import make_folder
from tests.platform.agreement import check_agree, epochs_recorded, runs_of_sweep
from tests.platform.conftest import Cluster, command, free_port, started, wait_for_line
from tests.platform.sleeping import again, check_slept, files_of, new, slept
from tests.platform.test_mlflow import mlflow_server
from tests.sleeper import EPOCHS

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_another_store_and_a_wiped_one_get_the_whole_sweep(
    ray_cluster: Cluster, tiny_set: Path, storage: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    log, url = tmp_path / "log", f"http://127.0.0.1:{free_port()}"
    words = new(storage, tiny_set, "night", "--config.seconds", 1.0)
    with started(log, "sweep", *words, address=ray_cluster.address) as driver:
        wait_for_line(driver, log, "[2/4]", 120)
        os.kill(driver.pid, signal.SIGTERM)
        assert driver.wait(30) == 143
    old = (storage / "mlflow.db").read_bytes()
    artifacts = files_of(storage / "artifacts")

    (tmp_path / "server").mkdir()
    with (
        mlflow_server(tmp_path / "server", int(url.rpartition(":")[2])),
        monkeypatch.context() as m,
    ):
        m.setenv("MLFLOW_TRACKING_URI", url)  # half done
        assert command("sweep", *again(storage, "night")) == 0
        check_slept(storage, 4, twice=2)
        done = slept(storage)
        states = check_agree(storage, "sleeper", "night", uri=url)
        assert states == dict.fromkeys(range(4), "finished")
        parent, _ = runs_of_sweep(storage, "sleeper", "night", url)
        assert {"dice", "test_n"} <= parent.data.metrics.keys()
        assert parent.data.params["x"], "the winner's"
        assert command("sweep", *again(storage, "night")) == 0, "once more changes nothing"
        found_again, _ = runs_of_sweep(storage, "sleeper", "night", url)
        assert found_again.data.to_dictionary() == parent.data.to_dictionary()
    assert (storage / "mlflow.db").read_bytes() == old
    assert files_of(storage / "artifacts") == artifacts

    def check_whole() -> None:
        """In a copy of the store: this process has that one open, whatever became of its file."""
        place = make_folder(tmp_path / secrets.token_hex(4))
        seen = Path(shutil.copy(storage / "mlflow.db", place))
        uri = f"sqlite:///{seen}"
        assert check_agree(storage, "sleeper", "night", uri=uri) == states
        found, runs = runs_of_sweep(storage, "sleeper", "night", uri)
        assert found.data.metrics["dice"] == parent.data.metrics["dice"]
        assert found.data.tags["lesion.state"] == "finished"
        for run in runs.values():
            assert epochs_recorded(seen.parent, run) == [*range(1, EPOCHS + 1)]
        assert slept(storage) == done, "nothing is trained again"

    assert command("sweep", *again(storage, "night")) == 0  # the first store has half of it
    check_whole()
    (storage / "mlflow.db").unlink()
    with started(log, "sweep", *again(storage, "night"), address=ray_cluster.address) as driver:
        assert driver.wait(120) == 0, log.read_text()
    check_whole()
