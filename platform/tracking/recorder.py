"""What reproducing a table does once: each training, each measurement, each row in MLflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.recorded.evidence import lesion_records
from dashboards.tables.papers import PaperRow
from dashboards.tables.results import Result
from dashboards.tables.terminal import say
from platform.running.datasets import Data
from platform.running.rounds import record_rounds
from platform.running.training import Training
from platform.tracking.results import record_measured
from platform.tracking.runs import (
    NAME,
    PARENT,
    end_run,
    find_or_create_run,
    find_run,
    is_finished,
    log_metrics,
    reopen_for_news,
)
from platform.tracking.store import Store
from trainables.configs import flatten
from trainables.parts import protocol

Records = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """The runs below a reproduction's own; what is finished among them is not done again.

    Attributes:
        name: the reproduction's: what was trained and measured is known by it, for any table.
        store, parent: the experiment, and the table's run.
        resources: the cluster's; `gpu`: whether trainings use its GPUs.
        tags: of every run.
        known: the rows of what was measured, by the run's name.
    """

    name: str
    store: Store
    parent: str
    resources: dict[str, float]
    gpu: bool
    tags: Mapping[str, str]
    known: dict[str, Records] = field(default_factory=dict)

    def train(self, training: Training, place: str) -> None:
        """Train and measure a part on the test lesions of its own data."""
        run_id, done = self._part(training)
        say(f"{place} {training.name}{' is finished' if done else ''}")
        if not done:
            training.write()
            record_rounds(training, self.store, run_id, self.gpu, self.resources)

    def is_trained(self, training: Training) -> bool:
        """Whether nothing of a part is left to do."""
        run_id = find_run(self.store, self._key(training))
        return run_id is not None and is_finished(self.store, run_id)

    def measure(self, trainings: Sequence[Training], data: Data) -> Records:
        """The test lesions of a data set by a trained part, or by several in order."""
        name = " + ".join(training.name for training in trainings)
        if data.root != trainings[0].data.root:
            name += f" on {data.root.name}"
        if name not in self.known:
            self.known[name] = self._measured(name, trainings, data)
        return self.known[name]

    def _measured(self, name: str, trainings: Sequence[Training], data: Data) -> Records:
        if name == trainings[0].name and len(trainings[0].rounds) == 1:
            run_id, _ = self._part(trainings[0])  # measured when it was trained
            return lesion_records(self.store.client, run_id)
        key = {"lesion.kind": "measured", "lesion.reproduce": self.name, "lesion.measured": name,
               "lesion.data_fingerprint": data.fingerprint}  # fmt: skip
        tags = {NAME: name, PARENT: self.parent, **self.tags, **data.tags(),
                **_seed_tag(trainings[0])}  # fmt: skip
        run_id = find_or_create_run(self.store, key, tags, flatten(trainings[-1].config))
        if not is_finished(self.store, run_id):
            say(f"measuring {name}")
            checkpoints = [training.last_checkpoint for training in trainings]
            pictures = trainings[-1].pictures
            record_measured(
                self.store, run_id, trainings[0].system, data.root, checkpoints, self.resources,
                pictures,
            )  # fmt: skip
            end_run(self.store, run_id, "finished")
        return lesion_records(self.store.client, run_id)

    def row(
        self, paper: PaperRow, result: Result, params: Mapping[str, Any], seeds: Mapping[str, str]
    ) -> None:
        """Ours in the paper's own metric names, as the paper's row has them in MLflow.

        Args:
            paper: the paper's.
            result: ours.
            params: of its run.
            seeds: the tag of those that made it; what others made is recorded over.
        """
        key = {"lesion.kind": "row", PARENT: self.parent, "lesion.method": paper.method,
               "lesion.subgroup": paper.subgroup, "lesion.dataset": paper.dataset}  # fmt: skip
        name = f"ours: {paper.method} · {paper.subgroup}"
        tags = {NAME: name, "lesion.table": paper.table, **self.tags}
        run_id = find_or_create_run(self.store, key, tags, params)
        reopen_for_news(self.store, run_id, seeds)
        if not is_finished(self.store, run_id):
            log_metrics(self.store, run_id, result.metrics)
            end_run(self.store, run_id, "finished")

    def _part(self, training: Training) -> tuple[str, bool]:
        """The run of a training, and whether it is finished."""
        tags = {NAME: training.name, PARENT: self.parent, **self.tags, **_seed_tag(training),
                "lesion.protocol": protocol(training.system, [training.config])}  # fmt: skip
        key = self._key(training)
        run_id = find_or_create_run(self.store, key, tags, flatten(training.config))
        return run_id, is_finished(self.store, run_id)

    def _key(self, training: Training) -> dict[str, str]:
        return {"lesion.kind": "part", "lesion.reproduce": self.name,
                "lesion.train": training.name}  # fmt: skip


def seeds_tag(seeds: Sequence[int]) -> dict[str, str]:
    """What a table's and its rows' runs say of several seeds."""
    return {"lesion.seeds": " ".join(map(str, seeds))} if len(seeds) > 1 else {}


def _seed_tag(training: Training) -> dict[str, str]:
    return {"lesion.seed": str(training.config.training.seed)}
