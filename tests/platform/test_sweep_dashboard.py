"""optuna-dashboard opens a sweep's study while the sweep writes to it."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.platform.conftest import BIN, Cluster, answers, free_port, started, wait_until
from tests.platform.sleeping import new

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_the_dashboard_shows_a_sweep_that_runs(
    ray_cluster: Cluster, tiny_set: Path, storage: Path, tmp_path: Path
) -> None:
    log, port = tmp_path / "log", free_port()
    url, journal = f"http://127.0.0.1:{port}", storage / "sweeps" / "night" / "study.log"
    words = new(storage, tiny_set, "night", "--config.seconds", 1.0)
    with started(log, "sweep", *words, address=ray_cluster.address) as driver:
        wait_until(journal.exists, 90, "the study")
        said = f"look at the study with optuna-dashboard {journal}"
        wait_until(lambda: said in log.read_text(), 30, "how to look at it")
        page = subprocess.Popen([str(BIN / "optuna-dashboard"), str(journal), "--host", "127.0.0.1",
                                 "--port", str(port)], stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            wait_until(lambda: answers(f"{url}/dashboard"), 60, "the dashboard")
            (study,) = asked(f"{url}/api/studies")["study_summaries"]
            assert study["study_name"] == "night"
            assert study["directions"] == ["maximize"]

            def trials() -> list[dict[str, Any]]:
                return list(asked(f"{url}/api/studies/{study['study_id']}")["trials"])

            wait_until(lambda: any(one["state"] == "Running" for one in trials()), 60, "a trial")
            wait_until(lambda: any(one["intermediate_values"] for one in trials()), 60, "an epoch")
            assert driver.poll() is None, "the sweep still runs"
            assert driver.wait(120) == 0, log.read_text()
            time.sleep(2)  # it reads what is new now and then
            found = trials()
            assert [one["state"] for one in found] == ["Complete"] * 4
            assert [len(one["intermediate_values"]) for one in found] == [3] * 4
            assert {param["name"] for one in found for param in one["params"]} == {"x"}
        finally:
            page.terminate()
            page.wait(10)
