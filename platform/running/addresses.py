"""The address of a Ray cluster that RAY_ADDRESS names: asked in seconds whether one answers there.

Ray itself tries a dead address for minutes, and says so in many lines.
"""

import os
import socket

from lesions import InputError
from lesions.errors import shown

ENOUGH_S = 4.0  # to reach a host, and then for its answer
_ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
_LOCAL = "start it, or unset RAY_ADDRESS to run on this machine"


def named_address() -> str | None:
    """RAY_ADDRESS; None where it is unset, empty or "local"."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    return None if address in ("", "local") else address


def reachable(address: str) -> str:
    """The HOST:PORT of the cluster that an address names.

    Raises:
        InputError: it is no such address, or nothing that is a cluster answers there.
    """
    found = _running_here() if address == "auto" else address
    host, port = _host_and_port(found)
    try:
        socket.create_connection((host, port), timeout=ENOUGH_S).close()
    except (OSError, UnicodeError) as error:
        raise _silent(found, getattr(error, "strerror", None) or str(error)) from None
    _check_is_cluster(found)
    return found


def _running_here() -> str:
    """The cluster that `ray start` has noted down on this machine; a command's own is nobody's."""
    import ray._private.services

    found = ray._private.services.find_bootstrap_address(None)
    if not found:
        raise InputError("RAY_ADDRESS is auto, and no cluster runs on this machine", remedy=_LOCAL)
    return str(found)


def _host_and_port(address: str) -> tuple[str, int]:
    scheme, sign, rest = address.partition("://")
    host, _, port = address.rpartition(":")
    if sign and scheme == "ray":
        raise InputError(
            f"RAY_ADDRESS is {shown(address)}, and no command runs over Ray Client",
            remedy="submit it as a job, ray job submit --address http://HOST:8265 -- python -m …; "
            "or run it on a node of the cluster with RAY_ADDRESS=HOST:6379",
        )
    if sign and scheme in ("http", "https"):
        raise InputError(
            f"RAY_ADDRESS is {shown(address)}, a dashboard's address",
            remedy=f"submit the command as a job, ray job submit --address {shown(address)} -- "
            "python -m …; or say the cluster's own HOST:PORT, as HOST:6379",
        )
    host = host.removeprefix("[").removesuffix("]")
    if sign or not host or "/" in rest + host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(
            f"RAY_ADDRESS is {shown(address)!r}, no address of a cluster",
            remedy="say HOST:PORT, as 10.0.0.1:6379, or unset it to run on this machine",
        )
    return host, int(port)


def _check_is_cluster(address: str) -> None:
    """InputError where what answers is not a cluster's head: whether it lets us in, Ray tells."""
    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(_ALIVE)(b"", timeout=ENOUGH_S)
        except grpc.RpcError as error:
            if error.code() not in (
                grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED,
            ):  # fmt: skip
                raise _silent(address, "what listens there is no Ray cluster's head") from None


def _silent(address: str, why: str) -> InputError:
    return InputError(f"the Ray cluster at {shown(address)} does not answer: {why}", remedy=_LOCAL)
