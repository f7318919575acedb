"""A RAY_ADDRESS that no command can use: one sentence, in seconds."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lesions import InputError
from platform.running.addresses import named_address, reachable
from tests.platform.conftest import Cluster, command, free_port

WRONG = {
    "http://127.0.0.1:8265": "a dashboard's address (submit the command as a job, ray job submit",
    "https://head:8265": "a dashboard's address",
    "ray://head:10001": "no command runs over Ray Client (submit it as a job",
    "head": "'head', no address of a cluster (say HOST:PORT",
    "head:": "no address of a cluster",
    ":6379": "no address of a cluster",
    "head:99999": "no address of a cluster",
    "head:²": "no address of a cluster",
    "gcs://head:6379": "no address of a cluster",
    "/tmp/ray:1": "no address of a cluster",
    "\x1b[2J": "'?[2J', no address",
    "nowhere.invalid:6379": "the Ray cluster at nowhere.invalid:6379 does not answer: ",
    "127.0.0.1:1": "does not answer: Connection refused (start it, or unset RAY_ADDRESS",
    f"{'x' * 300}:1": "does not answer: ",
}


@pytest.mark.parametrize("address", WRONG, ids=repr)
def test_a_wrong_address_is_a_sentence(address: str) -> None:
    began = time.monotonic()
    with pytest.raises(InputError) as error:
        reachable(address)
    assert WRONG[address] in str(error.value)
    assert len(str(error.value)) < 400
    assert time.monotonic() - began < 10


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of who takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def web() -> Iterator[int]:
    """The port of another kind of server."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]


def test_what_listens_may_be_no_cluster(
    mute: int, web: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.running.addresses.ENOUGH_S", 0.5)
    for port in (mute, web):
        with pytest.raises(InputError, match="what listens there is no Ray cluster's head"):
            reachable(f"127.0.0.1:{port}")


def test_empty_and_local_are_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("", "  ", "local"):
        monkeypatch.setenv("RAY_ADDRESS", word)
        assert named_address() is None


def test_auto_without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(InputError, match="is auto, and no cluster runs on this machine"):
        reachable("auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(f"127.0.0.1:{free_port()}")
    with pytest.raises(InputError, match="does not answer: Connection refused"):
        reachable("auto")


@pytest.mark.ray
def test_a_cluster_answers(ray_cluster: Cluster) -> None:
    assert reachable(ray_cluster.address) == ray_cluster.address


@pytest.mark.parametrize("place", ["s3://bucket/runs", "file:///tmp/x", "hdfs:", "gs://a"])
def test_an_address_is_no_storage(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (("train", "pdnet"), ("compare", "pdnet"), ("models",)):
        assert command(*words, "--storage", place) == 2
        assert " is an address, and nothing is kept at one" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
