"""MLflow's model registry: which version a word means, and its files."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from dashboards.recorded.artifacts import at_the_store, files_at
from dashboards.recorded.credentials import told
from dashboards.recorded.numbers import count_of
from dashboards.recorded.runs import quoted, words_of
from dashboards.tables.metrics import part_words
from lesions import InputError
from lesions.errors import shown
from lesions.files import replace_with
from lesions.names import inside
from platform.tracking.faults import FAULTS
from platform.tracking.store import Store, reaching, tracking_uri
from trainables.checkpoint import BEST, MOST_RUN, RUN
from trainables.parts import how_to_make
from trainables.registry import SYSTEMS

CHAMPION = "champion"
LISTED = 20  # models and versions in a message
MOST_BYTES = {BEST: 4 << 30, RUN: MOST_RUN}  # of a model's files
_SPEC = re.compile(r"(?P<name>[^@:/]+)(?P<sign>[@:])(?P<which>[\w-]+)")


def split(spec: str) -> tuple[str, str, str]:
    """(NAME, "@" or ":", ALIAS or VERSION) of a word; InputError when it is neither."""
    match = _SPEC.fullmatch(spec)
    if match is None or (match["sign"] == ":" and not match["which"].isdecimal()):
        raise InputError(
            f"{spec!r} is no registered model", remedy=f"say NAME@{CHAMPION} or NAME:VERSION"
        )
    return match["name"], match["sign"], match["which"]


def connect(storage: Path) -> Store:
    """The registry beside the runs; no experiment is opened.

    Raises:
        InputError: there is none yet.
    """
    uri, file = tracking_uri(storage)
    if file is not None and not file.exists():  # a client would make one
        raise InputError(
            "nothing was registered here", file=file,
            remedy="train first, or say --storage, or MLFLOW_TRACKING_URI for a server",
        )  # fmt: skip
    return Store(uri=uri, experiment="", experiment_id="")


def models_of(client: MlflowClient) -> list[Any]:
    """The registered models, in MLflow's order."""
    with at_the_store():
        return list(client.search_registered_models(max_results=1000))


def versions_of(client: MlflowClient, model: str) -> list[Any]:
    """A model's versions, the newest first."""
    with at_the_store():
        found = client.search_model_versions(f"name = {quoted(model)}", max_results=10_000)
    numbered = [one for one in found if one.name == model and count_of(one.version) is not None]
    return sorted(numbered, key=lambda version: -int(version.version))


def aliases_of(model: Any) -> dict[str, str]:
    """The version's number by alias, of a registered model; the version may be gone."""
    return {str(alias): str(number) for alias, number in model.aliases.items()}


def find_version(client: MlflowClient, spec: str) -> Any:
    """The version that NAME@ALIAS or NAME:VERSION means.

    Raises:
        InputError: there is none; it names those there are.
    """
    name, sign, which = split(spec)
    models = {model.name: model for model in models_of(client)}
    if name not in models:
        raise _no_model(client, name, list(models))
    aliases = aliases_of(models[name])
    number = aliases.get(which, "") if sign == "@" else which
    versions = versions_of(client, name)
    for version in versions:
        if str(version.version) == number:
            return version
    kind = "alias" if sign == "@" else "version"
    listed = [f"@{shown(a)} = {shown(number)}" for a, number in [*aliases.items()][:LISTED]]
    listed += [f"versions {', '.join(str(version.version) for version in versions[:LISTED])}"]
    raise InputError(f"{name} has no {kind} {which!r}", remedy=f"it has {'; '.join(listed)}")


def _no_model(client: MlflowClient, name: str, there: list[str]) -> InputError:
    base, _, part = name.rpartition("-")
    siblings = [other for other in there if base and other.startswith(f"{base}-")]
    for other in siblings[:LISTED]:
        if fields := _part(client, other, part):
            return InputError(f"{base} has no {part_words(part)}", remedy=how_to_make(fields))
    listed = ", ".join(map(shown, sorted(there)[:LISTED])) + (", …" if there[LISTED:] else "")
    remedy = f"choose of {listed}" if there else "none is registered: train one"
    return InputError(f"there is no registered model {name!r}", remedy=remedy)


def _part(client: MlflowClient, model: str, part: str) -> Mapping[str, Any]:
    """The config's fields that make a part of the system that a model is of, where there are."""
    newest = versions_of(client, model)[:1]
    system = SYSTEMS.get(words_of(newest[0].tags).get("lesion.system", "")) if newest else None
    return {} if system is None else system.parts.get(part, {})


def fetch(store: Store, spec: str, storage: Path) -> tuple[Path, str]:
    """The folder with the files of a registered version, and its NAME:VERSION.

    They are kept in `storage/models`, and fetched once.

    Raises:
        InputError: no such model or version, its files are gone, or the server is away.
    """
    with reaching(store, "start it, or name a checkpoint's folder"):
        client = store.client
        version = find_version(client, spec)
    found = f"{version.name}:{version.version}"
    origin = f"{store.uri} {version.source} {version.run_id} {version.creation_timestamp}"
    digest = hashlib.sha256(origin.encode("utf-8", "replace")).hexdigest()[:12]
    folder = inside(storage / "models", f"{version.name}-{version.version}-{digest}")
    for name in (BEST, RUN):
        if not (folder / name).exists():
            _download(client, version, name, folder / name)
    return folder, found


def _download(client: MlflowClient, version: Any, name: str, path: Path) -> None:
    try:
        with replace_with(path) as file:
            files_at(client, str(version.source)).copy(name, file, MOST_BYTES[name])
    except FAULTS as error:
        raise InputError(
            f"the files of {version.name}:{version.version} cannot be fetched: {told(error)}",
            remedy="is its run deleted, or its artifact store away?",
        ) from None
