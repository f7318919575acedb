"""What Ray's workers run: a trial, a training worker, an evaluation.

Ray is imported inside: the rest of the house trains without it.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch

from lesions.files import write_text
from lesions.prepared import PreparedSet
from lesions.prepared.round_masks import training_lesions
from lesions.readers.png import encode_labels
from trainables import references
from trainables.checkpoint import load_best, read_history
from trainables.configs import edited
from trainables.crops import lesion_box
from trainables.evaluate import measure, measure_one
from trainables.loop import Report, Run, fit
from trainables.registry import find_system


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained, on what.

    Attributes:
        system: its name.
        config: its config.
        data: a prepared set's folder, the same on every node.
        masks: of a training round, in place of the prepared ones; see `lesions.prepared`.
    """

    system: str
    config: Any
    data: Path
    masks: Path | None = None


def tune_trial(params: dict[str, Any], job: Job) -> None:
    """One trial of a sweep: train with the searched values put into the job's config."""
    from ray import tune

    config = edited(job.config, params)
    device = use_assigned_resources()

    def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
        kept = tune.Checkpoint.from_directory(checkpoint) if checkpoint else None
        tune.report(metrics, checkpoint=kept)

    with _opened(tune.get_checkpoint()) as resume:
        _fit(job, config, device, report, resume)


def train_worker(settings: dict[str, Any]) -> None:
    """One worker of a Ray Train run; the first writes `history`, which the driver follows."""
    from ray import train
    from ray.train.torch import get_device

    job, history = settings["job"], Path(settings["history"])
    use_assigned_resources()
    seen: list[dict[str, float]] = []

    def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
        if train.get_context().get_world_rank() == 0:
            seen.append(metrics)
            write_history(history, seen)
        kept = train.Checkpoint.from_directory(checkpoint) if checkpoint else None
        train.report(metrics, checkpoint=kept)

    with _opened(train.get_checkpoint()) as resume:
        if resume is not None:
            seen += read_history(resume)
        _fit(job, job.config, get_device(), report, resume)


def evaluate(checkpoints: Sequence[Path], data: Path, split: str) -> list[dict[str, Any]]:
    """Each lesion's row of a split by a checkpoint's best model, or by several in order.

    Beside the metrics a row has `mask` (PNG bytes) and `endpoints` ((4, 2) lists, or None).
    """
    device = use_assigned_resources()
    system, config, model = load_best(checkpoints[-1], device)
    lesions = PreparedSet(data, split)
    rows = []
    if len(checkpoints) > 1:
        predictions = system.predict_together(checkpoints, lesions, device)
    else:
        predictions = system.predict(config, model, lesions, device)
    for lesion, prediction in zip(lesions, predictions, strict=True):
        row = measure_one(lesion, prediction, config.pseudo_mask)
        found = None if prediction.recist is None else prediction.recist.points.tolist()
        rows.append(row | {"mask": encode_labels(prediction.mask), "endpoints": found})
    return rows


def evaluate_references(job: Job, split: str) -> dict[str, list[dict[str, Any]]]:
    """Each reference method's rows of a split, by its name."""
    use_assigned_resources()
    lesions = PreparedSet(job.data, split)[:]
    system = find_system(job.system)
    torch.manual_seed(job.config.training.seed)
    untrained = system.model(job.config, pretrained=False)
    mask = job.config.pseudo_mask
    views = [system.view(job.config, lesion) for lesion in lesions]
    seen = [(view.centre, view.side) for view in views]
    boxes = [lesion_box(lesion) for lesion in lesions]
    return {
        "untrained network": measure(system, job.config, untrained, lesions, torch.device("cpu")),
        "best centred disc": references.centred_disc(lesions, seen, mask),
        "true-centre disc (oracle)": references.centred_disc(lesions, boxes, mask),
        "RECIST ellipse (oracle)": references.recist_ellipse(lesions, mask),
    }


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """The run's metrics so far, one JSON object a line."""
    write_text(path, "".join(json.dumps(metrics) + "\n" for metrics in history))


def _fit(job: Job, config: Any, device: torch.device, report: Report, resume: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="lesion-run-") as directory:
        fit(
            Run(
                system=find_system(job.system),
                config=config,
                train=training_lesions(job.data, config.pseudo_mask, job.masks),
                validation=PreparedSet(job.data, "validation"),
                directory=Path(directory),
                device=device,
                report=report,
                resume=resume,
            )
        )


@contextmanager
def _opened(checkpoint: Any) -> Iterator[Path | None]:
    if checkpoint is None:
        yield None
        return
    with checkpoint.as_directory() as directory:
        yield Path(directory)


def use_assigned_resources() -> torch.device:
    """Keep torch and OpenCV to the cores that Ray gave this worker; the GPU it gave, or the CPU."""
    import ray

    assigned: dict[str, float] = ray.get_runtime_context().get_assigned_resources()
    torch.set_num_threads(max(1, int(assigned.get("CPU", 1))))
    cv2.setNumThreads(0)
    return torch.device("cuda" if assigned.get("GPU", 0) > 0 else "cpu")
