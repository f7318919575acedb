"""A sweep on this machine, attacked from the machine's other address: nobody gets in."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from platform.running.doors import private_folder
from platform.running.storage import ROOT
from tests.platform.conftest import TINY, started, wait_for_line, wait_until

# Of each process that may listen: a call of its own that must want the token.
GRPC = {
    "gcs_server": "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    "raylet": "/ray.rpc.NodeManagerService/GetNodeStats",
    "ray::": "/ray.rpc.CoreWorkerService/GetCoreWorkerStats",
    "platform.sweep": "/ray.rpc.CoreWorkerService/GetCoreWorkerStats",
}
OBJECTS = "/ray.rpc.ObjectManagerService/Pull"  # the raylet's other port
TRIAL = "ray::ImplicitFunc.train"
HTTP = "ray::RuntimeEnvAgent"
JOB = json.dumps({"entrypoint": "id > /tmp/owned"}).encode()
REQUESTS = (("/metrics", None), ("/api/jobs/", JOB), ("/api/job_agent/jobs/", JOB))
# With whatever an attacker without the token may set.
INTRUDER = """
import os, sys
os.environ["RAY_AUTH_MODE"] = sys.argv[2]
import ray
from ray._raylet import GcsClient
print(GcsClient(address=sys.argv[1]).internal_kv_keys(b"", b""))
"""


def other_address() -> str:
    """An address of this machine that the network reaches."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family == socket.AF_INET and not one.address.startswith("127."):
                return one.address
    pytest.skip("this machine has no address but the loopback's")


@pytest.fixture(scope="module")
def sweep(tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[psutil.Process]:
    """A sweep's driver whose first trial runs."""
    storage = tmp_path_factory.mktemp("doors")
    log = storage / "log"
    words = ("pdnet", "--storage", storage, "--data", tiny_set, "--trials", 1, "--concurrent", 1,
             "--config.training.epochs", 1000, *TINY)  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="d", dir="/tmp", ignore_cleanup_errors=True) as short,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_TMPDIR", short)  # killed, it leaves its folder
        with started(log, "sweep", *words, address="local") as driver:
            process = psutil.Process(driver.pid)
            wait_for_line(driver, log, "go on after a kill", 90)
            wait_until(lambda: any(TRIAL in name for name in names(process)), 60, "a trial")
            own = tree(process)
            yield process
            for one in own:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def names(process: psutil.Process) -> list[str]:
    found = []
    for one in tree(process):
        with contextlib.suppress(psutil.Error):
            found.append(" ".join(one.cmdline()))
    return found


def doors(process: psutil.Process) -> dict[int, str]:
    """Each port that the process or one of its own listens on, and who does."""
    found = {}
    for one in tree(process):
        with contextlib.suppress(psutil.Error):
            name = " ".join(one.cmdline())
            for connection in one.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    found[connection.laddr.port] = name
    return found


def http_status(url: str, body: bytes | None = None) -> int | None:
    """The answer's status; None where there is no HTTP server."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=1) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return None
    except Exception:  # what answers speaks no HTTP
        return None


def grpc_status(address: str, method: str, token: str = "") -> grpc.StatusCode:
    call = grpc.insecure_channel(address).unary_unary(method)
    metadata = [("authorization", f"Bearer {token}")] if token else []
    try:
        call(b"", timeout=5, metadata=metadata)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


@pytest.mark.ray
def test_only_doors_with_a_token_are_open(sweep: psutil.Process) -> None:
    address, open_doors = other_address(), doors(sweep)
    assert any("gcs_server" in name for name in open_doors.values())
    for port, name in open_doors.items():
        for path, body in REQUESTS:
            status = http_status(f"http://{address}:{port}{path}", body)
            assert status == (401 if name.startswith(HTTP) else None), (name, path)
        if name.startswith(HTTP):
            continue
        (method,) = [call for who, call in GRPC.items() if who in name][:1]
        for token in ("", "0" * 64):
            refused = {grpc_status(f"{address}:{port}", one, token) for one in (method, OBJECTS)}
            assert grpc.StatusCode.UNAUTHENTICATED in refused, name
            assert grpc.StatusCode.OK not in refused, name


@pytest.mark.ray
def test_the_token_opens_them(sweep: psutil.Process) -> None:
    """So the calls above are refused for want of it, and for nothing else."""
    (port,) = [port for port, name in doors(sweep).items() if "gcs_server" in name]
    address = f"{other_address()}:{port}"
    token = sweep.children()[0].environ()["RAY_AUTH_TOKEN"]
    assert grpc_status(address, GRPC["gcs_server"], token) == grpc.StatusCode.OK


@pytest.mark.ray
def test_jobs_api_and_client_server_are_not_there(sweep: psutil.Process) -> None:
    """Ray's own ports: dashboard, client server, agent, metrics."""
    ours = doors(sweep)
    assert not {8265, 10001, 52365, 44217, 44227} & set(ours)


@pytest.mark.ray
@pytest.mark.parametrize("mode", ["disabled", "token"])
def test_the_gcs_tells_a_stranger_nothing(sweep: psutil.Process, mode: str, tmp_path: Path) -> None:
    (port,) = [port for port, name in doors(sweep).items() if "gcs_server" in name]
    strangers = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", INTRUDER, f"{other_address()}:{port}", mode], cwd=tmp_path,
        env=strangers | {"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0, done.stdout
    assert "nauthenticated" in done.stderr or "token" in done.stderr, done.stderr


@pytest.mark.ray
def test_the_token_is_the_commands_own(sweep: psutil.Process) -> None:
    """Its processes have it, no command line shows it, and the tests' token is another."""
    (token,) = {
        one.environ()["RAY_AUTH_TOKEN"] for one in tree(sweep) if "RAY_AUTH_TOKEN" in one.environ()
    } - {os.environ["RAY_AUTH_TOKEN"]}
    assert len(token) == 64
    assert all(token not in word for one in tree(sweep) for word in one.cmdline())
    assert not (Path.home() / ".ray" / "auth_token").exists()


@pytest.mark.ray
def test_rays_folder_is_closed(sweep: psutil.Process) -> None:
    (folder,) = {
        Path(word.partition("=")[2]).parent
        for one in tree(sweep) for word in one.cmdline() if word.startswith("--temp-dir=")
    }  # fmt: skip
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_command_imports_ray_before_its_doors_are_shut() -> None:
    commands = sorted(file.stem for file in (ROOT / "platform").glob("[a-z]*.py")
                      if "def main(" in file.read_text())  # fmt: skip
    assert "sweep" in commands
    lines = [f"import platform.{name}; assert 'ray' not in sys.modules, '{name}'" for name in
             commands]  # fmt: skip
    subprocess.run([sys.executable, "-c", "import sys\n" + "\n".join(lines)], cwd=ROOT, check=True)


def test_a_folder_goes_with_its_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with private_folder() as folder:
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        left = tmp_path / "lesion-ray-killed"
        left.mkdir()
        (left / "lock").touch()
        os.utime(left, (0, 0))
        os.utime(folder.parent, (0, 0))  # as old, but in use
        with private_folder():
            assert not left.exists()
            assert folder.parent.exists()
    assert list(tmp_path.iterdir()) == []
