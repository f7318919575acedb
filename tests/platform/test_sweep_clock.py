"""A clock that goes back nine hours between two drivers: all agree, and nothing is done twice."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.platform.agreement import check_agree, epochs_recorded, runs_of_sweep
from tests.platform.conftest import started, wait_for_line, wait_until
from tests.platform.sleeping import again, check_slept, new
from tests.sleeper import EPOCHS

pytestmark = [pytest.mark.ray, pytest.mark.slow]
HOURS = 9
# What Python itself asks for the time of day gets another; the libraries below it wait by the
# real one, as clocks go back while nothing waits.
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    Dl_info caller;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME && dladdr(__builtin_return_address(0), &caller)
        && caller.dli_fname && strstr(caller.dli_fname, "python3")
        && !strstr(caller.dli_fname, "site-packages"))
        now->tv_sec -= atoi(getenv("SECONDS_BACK"));
    return failed;
}
"""


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are begun from now on think that it is nine hours earlier."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler: nothing that turns the clock back")
    library = tmp_path / "earlier.so"
    words = ["cc", "-shared", "-fPIC", "-O", "-o", str(library), "-x", "c", "-", "-ldl"]
    subprocess.run(words, input=SHIM, text=True, check=True)
    monkeypatch.setenv("SECONDS_BACK", str(HOURS * 3600))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    now = subprocess.run(["python3", "-c", "import time; print(time.time())"],
                         capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert time.time() - float(now) == pytest.approx(HOURS * 3600, abs=30)


def test_a_clock_that_goes_back_between_two_drivers(
    tiny_set: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    storage, log = tmp_path / "store", tmp_path / "log"
    words = new(storage, tiny_set, "night", "--config.seconds", 1.0, trials=6)
    with started(log, "sweep", *words, address="local") as driver:
        wait_for_line(driver, log, "[2/6]", 120)
        third = storage / "sweeps" / "night" / "trials" / "0002" / "history.jsonl"
        wait_until(lambda: third.exists() and third.stat().st_size > 0, 30, "its first epoch")
        os.kill(driver.pid, signal.SIGKILL)
    request.getfixturevalue("earlier")
    with started(log, "sweep", *again(storage, "night"), address="local") as driver:
        assert driver.wait(200) == 0, log.read_text()
    print(log.read_text())
    assert set(check_agree(storage, "sleeper", "night").values()) == {"finished"}
    check_slept(storage, 6, twice=2)
    parent, runs = runs_of_sweep(storage, "sleeper", "night")
    assert parent.info.start_time <= parent.info.end_time
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    for number, run in runs.items():
        assert epochs_recorded(storage, run) == [*range(1, EPOCHS + 1)]
        assert run.data.metrics["epoch"] == EPOCHS, "the last one, whatever the time"
        points = client.get_metric_history(run.info.run_id, "best_val_dice")
        lines = (storage / f"sweeps/night/trials/{number:04d}/history.jsonl").read_text()
        last = json.loads(lines.splitlines()[-1])
        assert max(points, key=lambda point: point.step).value == last["best_val_dice"]
        assert run.info.start_time <= run.info.end_time, "no trial ends before it begins"
        assert float(run.data.tags["lesion.busy_s"]) < 600
    begun = [run.info.start_time for run in runs.values()]
    assert max(begun) - min(begun) > (HOURS - 1) * 3600 * 1000, "the clock did go back"
    page = (storage / "reports" / "night.html").read_text()
    assert "When the trials ran" in page
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
