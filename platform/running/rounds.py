"""Training in rounds: each learns from masks that the model of the one before has made anew."""

from dataclasses import dataclass, fields
from pathlib import Path

from dashboards.tables.comparison import metrics_of, values_of
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.prepared import PreparedSet
from lesions.prepared.round_masks import (
    SCORES,
    chunk_path,
    chunks_of,
    claim,
    finish,
    read_figures,
)
from platform.running.actors import over_actors
from platform.running.training import (
    Training,
    newest_checkpoint,
    record_training,
    round_name,
)
from platform.tracking.results import TRAINED_ON
from platform.tracking.runs import (
    NAME,
    PARENT,
    end_run,
    find_or_create_run,
    is_finished,
    log_metrics,
    set_tags,
)
from platform.tracking.store import Store
from trainables.checkpoint import model_digest
from trainables.configs import flatten
from trainables.registry import word_of
from trainables.roles import Relabels
from trainables.rounds import MaskMaker, MaskPlan
from trainables.system import System
from trainables.workers import Job


@dataclass(frozen=True, kw_only=True)
class Round(Training):
    """One round of a training.

    Attributes:
        number: 1 = the first.
        phases: of the recipe.
        masks: what it learns from, in order; none as prepared.
        begin: the checkpoint of the round before.
    """

    number: int
    phases: range
    masks: tuple[Path, ...]
    begin: Path | None

    @property
    def job(self) -> Job:
        """What a worker trains."""
        return Job(
            system=word_of(self.system), config=self.config, data=self.data.root,
            masks=self.masks, phases=(self.phases.start, self.phases.stop), begin=self.begin,
        )  # fmt: skip

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint's folder."""
        return newest_checkpoint(self.folder)


def round_of(
    training: Training, number: int, masks: tuple[Path, ...] = (), begin: Path | None = None
) -> Round:
    """A round as a training of its own, in the training's folder."""
    values = {field.name: getattr(training, field.name) for field in fields(Training)}
    name = round_name(number)
    own = {"name": name, "folder": training.folder / name}
    phases = training.rounds[number - 1]
    return Round(**values | own, number=number, phases=phases, masks=masks, begin=begin)


def record_rounds(
    training: Training, store: Store, run_id: str, gpu: bool, resources: dict[str, float]
) -> tuple[Path, str]:
    """Train every round that is not finished, into runs below `run_id`.

    Returns:
        The last round's checkpoint, and the run that has its artifacts.

    Raises:
        InputError: the system makes no masks anew, or masks cannot be written.
    """
    count = len(training.rounds)
    if count == 1:
        return record_training(training, store, run_id, gpu, resources), run_id
    if not isinstance(training.system, Relabels):
        raise InputError(f"{training.system.name} makes no masks anew: its recipe cannot be run")
    checkpoint: Path | None = None
    masks: tuple[Path, ...] = ()
    figures = dict[str, float]()
    for number in range(1, count + 1):
        if checkpoint is not None:
            out = training.folder / f"masks-{number}"
            figures = make_masks(training, checkpoint, number, masks, out, resources)
            masks = (*masks, out)
        own = round_of(training, number, masks, checkpoint)
        child = _round_run(own, store, run_id)
        if is_finished(store, child):
            say(f"round {number} is finished")
            checkpoint = own.last_checkpoint
        else:
            say(f"round {number} of {count}")
            log_metrics(store, child, {f"mask_{name}": value for name, value in figures.items()})
            checkpoint = record_training(own, store, child, gpu, resources)
        _tell(training.system, store, run_id, child, number)
    assert checkpoint is not None
    told = store.client.get_run(child).data.tags
    set_tags(store, run_id, {"lesion.last_round": child, TRAINED_ON: told.get(TRAINED_ON, "")})
    end_run(store, run_id, "finished")
    return checkpoint, child


def make_masks(
    training: Training, checkpoint: Path, number: int, before: tuple[Path, ...], out: Path,
    resources: dict[str, float],
) -> dict[str, float]:  # fmt: skip
    """The masks of a round by the last one's model, those that are not there yet; their figures.

    Args:
        training: whose.
        checkpoint: the last round's.
        number: of the round.
        before: the masks that the last round learned from, in order.
        out: the folder of the new ones.
        resources: the cluster's.

    Raises:
        InputError: they cannot be written.
    """
    data = training.data
    plan = MaskPlan(
        system=word_of(training.system), checkpoint=checkpoint, data=data.root, before=before,
        out=out,
    )  # fmt: skip
    if not claim(out, {"model": model_digest(checkpoint), "data": data.fingerprint}):
        chunks = range(len(chunks_of(len(PreparedSet(data.root, "train")))))
        items = [{"chunk": chunk} for chunk in chunks if not chunk_path(out, chunk).exists()]
        for outcome in over_actors(items, MaskMaker, {"plan": plan}, resources):
            if outcome["error"]:
                raise InputError(
                    f"masks cannot be written: {outcome['error']}", file=out,
                    remedy=f"make room and go on with --resume {training.name}",
                )  # fmt: skip
        finish(out)
    figures = read_figures(out)
    say(_line(number, figures))
    return figures


def _line(number: int, figures: dict[str, float]) -> str:
    line = f"round {number}: masks of {figures['lesions']:.0f} lesions"
    if figures["human"] and all(name in figures for name in SCORES[:3]):
        dice = [figures[name] for name in SCORES[:3]]
        line += (f", Dice against {figures['human']:.0f} human masks {dice[0]:.3f} → {dice[1]:.3f}"
                 f" ({dice[2]:.3f} without the uncertain)")  # fmt: skip
    line += f", {figures.get('uncertain', 0):.0%} uncertain"
    return line + (f", {figures['kept']:.0f} kept as they were" if figures["kept"] else "")


def _round_run(own: Round, store: Store, parent: str) -> str:
    key = {"lesion.kind": "round", PARENT: parent, "lesion.round": str(own.number)}
    tags = {NAME: own.name, "lesion.state": "running", "lesion.system": own.system.name,
            "lesion.preset": own.preset, **own.data.tags()}  # fmt: skip
    return find_or_create_run(store, key, tags, flatten(own.config))


def _tell(system: System, store: Store, parent: str, child: str, number: int) -> None:
    """A round's result and its masks' figures as a step of the whole training's run; once."""
    client = store.client
    if number in {point.step for point in client.get_metric_history(parent, "round")}:
        return
    found = client.get_run(child).data.metrics
    result = metrics_of({name: mean for name, mean in values_of(found).items()
                         if name in system.reported})  # fmt: skip
    wanted = {system.merit.best, "test_n", "test_patients"}
    told = result | {name: value for name, value in found.items()
                     if name in wanted or name.startswith(("mask_", "trained_on_"))}  # fmt: skip
    log_metrics(store, parent, told | {"round": float(number)}, step=number)
