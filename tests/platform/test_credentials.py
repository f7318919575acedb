"""The password in a tracking URI reaches MLflow, and nothing that is printed, kept or logged."""

import base64
import logging
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dashboards.recorded.credentials import scrubbed, told, without_credentials
from dashboards.recorded.runs import runs_of_kind
from lesions import InputError
from platform.tracking.store import Store, open_store, tracking_uri
from tests.platform.conftest import TINY, Cluster, command, free_port
from tests.platform.hostile_mlflow import Hostile, hostile_mlflow
from tests.platform.test_mlflow import mlflow_server

SECRET = "s3cret-pässword"
QUOTED = "s3cret-p%C3%A4ssword"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    """A server, named with a user and a password."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # put back when the test ends, whatever is written there
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with hostile_mlflow() as server:
        host = server.uri.removeprefix("http://")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{QUOTED}@{host}/?key=topsecret")
        yield server


def secrets_in(words: str | bytes) -> list[str]:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return [one for one in (SECRET, QUOTED, "s3cret", "topsecret") if one in text]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("https://u:p@host/x", "https://host/x"),
        ("https://u:p%2F@host:5000?token=1#f", "https://host:5000"),
        ("http://u:p@s@host/", "http://host/"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000/", "http://[::1]:5000/"),
        ("postgresql://u:p@host/db?password=x", "postgresql://host/db"),
        ("postgresql+psycopg2://u:p/w@host:5432/db", "postgresql+psycopg2://host:5432/db"),
        ("postgresql://host/db?user=u&password=x", "postgresql://host/db"),
        ("mssql+pyodbc:///?odbc_connect=PWD=x", "mssql+pyodbc:///"),
        ("sqlite:////tmp/a@b:c/mlflow.db", "sqlite:////tmp/a@b:c/mlflow.db"),
        ("databricks://profile", "databricks://profile"),
        ("uc:http://u:p@host", "uc:http://host"),
    ],
)
def test_an_address_without_credentials(given: str, wanted: str) -> None:
    assert without_credentials(given) == wanted


@pytest.mark.parametrize("uri", ["https://u:sec/ret@host/", "http://[sec/", "mysql://u:sec@h:ret/"])
def test_what_is_no_address_is_not_repeated(uri: str) -> None:
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI is no address") as caught:
        without_credentials(uri)
    assert "sec" not in str(caught.value).partition("(write")[0]


def test_a_store_keeps_no_password_and_sends_it(server: Hostile, tmp_path: Path) -> None:
    store = open_store(tmp_path, "pdnet", "pdnet")
    kept = pickle.dumps(store)
    assert not secrets_in(kept + repr(store).encode())
    restored = pickle.loads(kept)
    del server.authorized[:]
    assert restored.uri == server.uri + "/"
    restored.client.get_experiment_by_name("pdnet")
    sent = base64.b64encode(f"me:{SECRET}".encode()).decode()
    assert server.authorized == [f"Basic {sent}"]
    assert not secrets_in(Store(uri=os.environ["MLFLOW_TRACKING_URI"], experiment="",
                                experiment_id="").uri)  # fmt: skip


@pytest.mark.parametrize("words", [("compare", "pdnet"), ("models",), ("train", "pdnet")])
def test_no_message_holds_a_password(
    server: Hostile,
    tmp_path: Path,
    tiny_set: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    host = f"127.0.0.1:{free_port()}"
    data = ("--data", tiny_set) if words[0] == "train" else ()
    for uri in (f"http://me:{QUOTED}@{host}", f"postgresql://me:{QUOTED}@{host}/db?sslkey=topsecret",
                f"http://me:{QUOTED}/@{host}", f"nonsense://me:{QUOTED}@{host}"):  # fmt: skip
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert command(words[0], *words[1:], *data, "--storage", tmp_path) == 2
        said = capfd.readouterr()
        assert not secrets_in(said.out + said.err)
        assert len(said.err.splitlines()) == 1


def test_what_a_library_says_is_scrubbed(
    server: Hostile, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for words in (
        os.environ["MLFLOW_TRACKING_URI"], SECRET, QUOTED, f"at http://me:{QUOTED}@host/x",
        "dsn password=topsecret host=h", "?sslpassword=topsecret&a=b",
    ):  # fmt: skip
        assert not secrets_in(scrubbed(f"Cannot connect to {words} now"))
        assert not secrets_in(told(ValueError(f"\nCannot connect to {words} now\nsecond line")))
    assert scrubbed("https://host/a@b: not found") == "https://host/a@b: not found"
    assert told(ValueError()) == "ValueError"
    tracking_uri(tmp_path)
    logging.getLogger("mlflow.store").warning("retrying %s", os.environ["MLFLOW_TRACKING_URI"])
    said = capfd.readouterr().err
    assert "retrying" in said
    assert not secrets_in(said)


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_leaves_no_password_behind(
    ray_cluster: Cluster,
    tiny_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    port = free_port()
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.replace("://", f"://me:{QUOTED}@"))
    (tmp_path / "server").mkdir()
    with mlflow_server(tmp_path / "server", port):
        assert command("sweep", "pdnet", "--storage", tmp_path, "--data", tiny_set, "--name", "shy",
                       "--trials", 1, "--config.training.epochs", 1, *TINY) == 0  # fmt: skip
        said = capfd.readouterr()
        assert not secrets_in(said.out + said.err)
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("pdnet").experiment_id
        for run in (*runs_of_kind(client, experiment, "sweep"),
                    *runs_of_kind(client, experiment, "trial")):  # fmt: skip
            assert not secrets_in(repr(run.to_dictionary()))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    logged = [path for path in ray_cluster.folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    for path in (*written, *logged):
        assert not secrets_in(path.read_bytes()), path
