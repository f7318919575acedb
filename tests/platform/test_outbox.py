"""Records on their way to MLflow: it is away, stopped, wiped, or says no; the work goes on."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2 as codes
from requests import ConnectionError as NoConnection

from lesions import InputError
from platform.tracking import outbox as tracking
from platform.tracking.faults import is_passing
from platform.tracking.outbox import Outbox
from platform.tracking.runs import log_metrics
from platform.tracking.store import Store, open_store
from platform.tracking.view import record_trial
from tests.platform.conftest import free_port
from tests.platform.test_mlflow import mlflow_server


@dataclass(frozen=True)
class Server:
    store: Store
    send: Callable[[int], None]

    def new_run(self) -> str:
        return str(self.store.client.create_run(self.store.experiment_id).info.run_id)

    def told(self, run_id: str) -> list[tuple[int, float]]:
        points = self.store.client.get_metric_history(run_id, "dice")
        return [(point.step, point.value) for point in points]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    with mlflow_server(folder, port) as send:
        store = Store(uri=f"http://127.0.0.1:{port}", experiment="any", experiment_id="")
        store.experiment_id = store.client.create_experiment("any")
        yield Server(store, send)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "RETRY_S", 0.2)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


def log(outbox: Outbox, store: Store, run_id: str, *steps: int, of: str = "trial 3") -> None:
    for step in steps:
        outbox.send(partial(log_metrics, store, run_id, {"dice": step / 4}, step), of)


def test_records_wait_for_a_server_that_is_away(
    server: Server, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Store(uri=f"http://127.0.0.1:{free_port()}", experiment="any", experiment_id="1")
    run_id, outbox = server.new_run(), Outbox()
    log(outbox, away, run_id, 1, 2, 3)
    assert outbox.flush(5) == 3
    assert outbox.waiting == ["trial 3"] * 3
    waits, mend = outbox.report("go on with --resume night")
    assert "still waiting for MLflow: 3 records of trial 3: API request to" in waits
    assert "Connection refused" in waits, "the cause is not cut off"
    assert mend == "to mend it: go on with --resume night"
    away.uri = server.store.uri
    assert outbox.flush(5) == 0
    assert server.told(run_id) == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert outbox.report() == []
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2, "said once that it is away, once that it is back"


def test_a_server_that_takes_calls_and_never_answers_holds_nobody_up(
    server: Server, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id, outbox = server.new_run(), Outbox()
    server.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        log(outbox, server.store, run_id, *range(1, 101))
        assert time.monotonic() - began < 0.5
        assert outbox.flush(0.3) == 100
        assert time.monotonic() - began < 1.5
        assert "100 records" in capsys.readouterr().out
    finally:
        server.send(signal.SIGCONT)
    assert outbox.flush(20) == 0
    assert server.told(run_id) == [(step, step / 4) for step in range(1, 101)]


@pytest.mark.slow
def test_a_server_that_never_answers_is_told_of_within_half_a_minute(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.store.uri)
    server.send(signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(InputError, match="Read timed out"):
            open_store(tmp_path, "pdnet", "pdnet")
    finally:
        server.send(signal.SIGCONT)
    assert time.monotonic() - began < 30


def test_what_will_never_be_taken_is_put_aside_and_named(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, run_id, outbox = server.new_run(), server.new_run(), Outbox()
    server.store.client.delete_run(gone)
    log(outbox, server.store, gone, 1, 2)
    log(outbox, server.store, run_id, 1, of="trial 4")
    bad = partial(server.store.client.log_metric, run_id, "a//b/../?", 1.0)
    outbox.send(bad, "trial 5")
    log(outbox, server.store, run_id, 2, of="trial 4")
    assert outbox.flush(10) == 0
    assert server.told(run_id) == [(1, 0.25), (2, 0.5)]
    deleted, refused, mend = outbox.report()
    assert "not recorded in MLflow: 2 records of trial 3: INVALID_PARAMETER_VALUE" in deleted
    assert "must be in the 'active' state" in deleted
    assert "1 record of trial 5: INVALID_PARAMETER_VALUE: Invalid value" in refused
    assert "resume" in mend
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in said] == [
        "MLflow does not take a record of trial 3", "MLflow does not take a record of trial 5",
    ]  # fmt: skip


def test_a_wiped_store_is_told_and_does_not_stop_the_work(server: Server) -> None:
    never = Store(uri=server.store.uri, experiment="any", experiment_id="77")
    outbox = Outbox()
    log(outbox, never, "0" * 32, 1)
    log(outbox, server.store, run_id := server.new_run(), 1)
    assert outbox.flush(10) == 0
    assert server.told(run_id) == [(1, 0.25)]
    assert "RESOURCE_DOES_NOT_EXIST" in outbox.report()[0]


def test_what_was_deleted_on_a_server_is_put_there_again(server: Server) -> None:
    parent, outbox = server.new_run(), Outbox()
    epochs = [{"epoch": step, "dice": step / 4, "timestamp": 1e9 + step} for step in (1, 2, 3)]
    say_again = partial(record_trial, server.store, parent, "a_1", "trial 1", {"rate": 0.1},
                        {"lesion.reason": "no"}, epochs, "failed", 1e9, 1e9 + 4)  # fmt: skip
    first = say_again()
    server.store.client.delete_run(first)
    outbox.send(say_again, "trial 1")
    outbox.send(say_again, "trial 1")
    assert (outbox.flush(10), outbox.report()) == (0, [])
    (run,) = server.store.client.search_runs(
        [server.store.experiment_id], "tags.`lesion.trial_id` = 'a_1'"
    )
    assert run.info.run_id != first
    assert (run.info.status, run.info.start_time, run.info.end_time) == (
        "FAILED", 1_000_000_000_000, 1_000_000_004_000,
    )  # fmt: skip
    assert server.told(run.info.run_id) == [(1, 0.25), (2, 0.5), (3, 0.75)]


def test_a_report_is_a_few_lines_whatever_went_wrong() -> None:
    def no() -> None:
        raise KeyError("run")

    outbox = Outbox()
    for number in range(40):
        outbox.send(no, f"trial {number}")
    assert outbox.flush(5) == 0
    lines = outbox.report()
    assert len(lines) == 5
    assert lines[3] == "not recorded either: 37 records of trial 3, trial 4, trial 5 and 34 more"


def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "MOST_WAITING", 2)
    go, outbox, made = threading.Event(), Outbox(), []
    for number in range(4):
        outbox.send(lambda number=number: go.wait(5) and made.append(number), f"trial {number}")
    go.set()
    assert outbox.flush(5) == 0
    assert made == [0, 1]
    assert "of trial 2: more than 2 records were waiting" in outbox.report()[0]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (MlflowException("x", error_code=codes.RESOURCE_DOES_NOT_EXIST), False),
        (MlflowException("x", error_code=codes.INVALID_PARAMETER_VALUE), False),
        (MlflowException("x", error_code=codes.PERMISSION_DENIED), False),
        (MlflowException("x", error_code=codes.REQUEST_LIMIT_EXCEEDED), True),
        (MlflowException("x", error_code=codes.TEMPORARILY_UNAVAILABLE), True),
        (MlflowException("x"), True),
        (NoConnection("x"), True),
        (InputError("no driver"), False),
        (KeyError("x"), False),
    ],
)
def test_what_passes_and_what_lasts(error: Exception, passes: bool) -> None:
    assert is_passing(error) is passes
