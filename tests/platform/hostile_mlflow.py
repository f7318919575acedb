"""An MLflow server of a bad person's: its REST API answers whatever a test wants it to."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dashboards.tables.papers import paper_rows

API, FILES = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/artifacts"
Answer = dict[str, Any] | bytes | Callable[[], Iterator[bytes]]


@dataclass
class Hostile:
    """What the server says, and what it was asked.

    Attributes:
        sweep: the name of the one sweep.
        place: the artifact URI of every experiment and run.
        model: a registered model's name; `version` and `source` are its one version's.
        files: content by the path below a run's artifacts.
        listing: what it lists instead of `files`.
        answers: bodies for endpoints of the API, instead of good ones.
        asked: (method, path) of each request; `authorized` the Authorization headers.
    """

    uri: str = ""
    sweep: str = "night"
    place: str = "mlflow-artifacts:/1/run/artifacts"
    model: str = "pdnet-stage2"
    version: str = "1"
    source: str = "runs:/run/best"
    files: dict[str, Answer] = field(default_factory=dict)
    listing: list[dict[str, Any]] | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    authorized: list[str | None] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Answer | None:
        """The body for a request; None is 404."""
        if path.startswith(FILES):
            name = path.removeprefix(FILES).strip("/").partition("artifacts/")[2]
            return self.files.get(name) if name else {"files": self._listed(query["path"][0])}
        endpoint = path.removeprefix(API)
        if endpoint in self.answers:
            found: Answer = self.answers[endpoint]
            return found
        experiment = {"experiment_id": "1", "name": "pdnet", "artifact_location": self.place}
        model = {"name": self.model, "aliases": [{"alias": "champion", "version": self.version}]}
        version = {"name": self.model, "version": self.version, "source": self.source,
                   "run_id": "run", "creation_timestamp": 1}  # fmt: skip
        good: dict[str, Answer] = {
            "experiments/get-by-name": {"experiment": experiment},
            "runs/search": {"runs": self._runs(str(body.get("filter", "")))},
            "runs/get": {"run": self._run("run", {})},
            "registered-models/search": {"registered_models": [model]},
            "registered-models/get": {"registered_model": model},
            "model-versions/search": {"model_versions": [version]},
        }
        return good.get(endpoint, {})

    def _listed(self, folder: str) -> list[dict[str, Any]]:
        if self.listing is not None:
            return self.listing
        folder = folder.partition("artifacts/")[2]
        below = f"{folder}/"
        inside = [name.removeprefix(below) for name in self.files if name.startswith(below)]
        names = {name.partition("/")[0]: "/" in name for name in inside}
        return [{"path": name, "is_dir": is_dir} for name, is_dir in names.items()]

    def _runs(self, query: str) -> list[dict[str, Any]]:
        if "baseline" in query:
            keys = [row.key for row in paper_rows("pdnet")]
            return [self._run(key, {"lesion.baseline_key": key}) for key in keys]
        if "'sweep'" in query or '"sweep"' in query:
            return [self._run("run", {"lesion.sweep": self.sweep})]
        return []

    def _run(self, run_id: str, tags: dict[str, str]) -> dict[str, Any]:
        info = {"run_id": run_id, "experiment_id": "1", "artifact_uri": self.place,
                "status": "FINISHED", "start_time": 1, "end_time": 2}  # fmt: skip
        return {
            "info": info,
            "data": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }


@contextmanager
def hostile_mlflow() -> Iterator[Hostile]:
    """The server, at `uri` as long as the block lasts."""
    hostile = Hostile()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self._reply(json.loads(self.rfile.read(length) or b"{}"))

        do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815

        def _reply(self, body: dict[str, Any]) -> None:
            parts = urlsplit(self.path)
            hostile.asked.append((self.command, parts.path))
            hostile.authorized.append(self.headers.get("Authorization"))
            query = parse_qs(parts.query)
            found = hostile.answer(parts.path, query, body | {k: v[0] for k, v in query.items()})
            self.send_response(404 if found is None else 200)
            self.end_headers()
            if callable(found):
                for chunk in found():
                    self.wfile.write(chunk)
            else:
                whole = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.wfile.write(whole)

        def log_message(self, *words: Any) -> None:
            """Nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                """The client has had enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hostile.uri = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield hostile
    finally:
        server.shutdown()
        server.server_close()
