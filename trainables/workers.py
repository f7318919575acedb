"""What Ray's workers run: a training worker, an evaluation; `trial_workers` has a sweep's trials.

Ray is imported inside: the rest of the house trains without it.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path
from typing import Any

import cv2
import torch

from lesions.files import write_text
from lesions.prepared import PreparedSet
from lesions.prompts.click import ellipse_box
from lesions.readers.png import encode_labels
from lesions.seen import Seen, slice_digest, together, trained_on
from trainables import references
from trainables.checkpoint import read_history, read_seen
from trainables.evaluate import measured
from trainables.loop import Report, Run, fit
from trainables.parts import Parts, load_parts
from trainables.registry import named_system
from trainables.relabelling import relabelled
from trainables.system import How, Prediction, Square, Trained


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained, on what.

    Attributes:
        system: the word that names it.
        config: its config.
        data: a prepared set's folder, the same on every node.
        masks: folders of masks made anew, in order, in place of the prepared ones.
        phases: of the recipe, the first and the one after the last; None = all.
        begin: the checkpoint of the phases before.
        scratch: the folder for masks that the phases make anew; all nodes see it.
        parts: checkpoints' folders of the system's other parts, by name.
        seen: what is in the data to be seen, for the checkpoints to say.
        start: a checkpoint's folder whose best weights the first network begins with.
    """

    system: str
    config: Any
    data: Path
    masks: tuple[Path, ...] = ()
    phases: tuple[int, int] | None = None
    begin: Path | None = None
    scratch: Path | None = None
    parts: Mapping[str, Path] = field(default_factory=dict)
    seen: Seen | None = None
    start: Path | None = None


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

    with opened(train.get_checkpoint()) as resume, working() as directory:
        if resume is not None:
            seen += read_history(resume)
        fit_job(job, get_device(), report, resume, directory)


def evaluate(
    checkpoints: Sequence[Path], data: Path, split: str, system: str
) -> list[dict[str, Any]]:
    """Each lesion's row of a split by the best model of a part, or of all parts in order.

    Beside the metrics a row has `mask` (PNG bytes, or None), `endpoints` ((4, 2) lists, or None),
    `attended` and `square`, see `Prediction`, and `trained_on`, see `lesions.seen`.

    Args:
        checkpoints: their folders.
        data: the prepared set.
        split: of it.
        system: the word that names theirs.
    """
    named_system(system)
    parts, seen = load_parts(checkpoints, use_assigned_resources()), [*map(read_seen, checkpoints)]
    asked, told = tee(PreparedSet(data, split))
    return [
        row
        | drawn(found)
        | {"attended": found.attended, "square": found.square}
        | {"trained_on": trained_on(seen, lesion.patient, slice_digest(lesion.slice_hu))}
        for lesion, (row, found) in zip(told, measured(parts, asked), strict=True)
    ]


def drawn(found: Prediction) -> dict[str, Any]:
    """What a row keeps of a prediction, for pictures of it."""
    return {
        "mask": None if found.mask is None else encode_labels(found.mask),
        "endpoints": None if found.recist is None else found.recist.points.tolist(),
    }


def evaluate_references(job: Job, split: str) -> dict[str, list[dict[str, Any]]]:
    """Each reference method's rows of a split, by its name; a lesion's pixels are soon let go."""
    use_assigned_resources()
    lesions = PreparedSet(job.data, split)
    system, config = named_system(job.system), job.config
    torch.manual_seed(config.training.seed)
    untrained = Trained(config=config, model=system.model(config, pretrained=False).eval())
    parts = Parts(system=system, trained=(untrained,), how=How(device=torch.device("cpu")))
    mask = config.pseudo_mask
    answers, squares = [], []
    for lesion, (row, found) in zip(lesions, measured(parts, lesions), strict=True):
        answers.append(row)
        squares.append(_looked_at(found, lesion.shape))
    boxes = [ellipse_box(lesion.recist, lesion.shape) for lesion in lesions]
    return {
        "untrained network": answers,
        "best centred disc": references.centred_disc(system, lesions, squares, mask),
        "true-centre disc (oracle)": references.centred_disc(system, lesions, boxes, mask),
        "RECIST ellipse (oracle)": references.recist_ellipse(system, lesions, mask),
    }


def _looked_at(found: Prediction, shape: tuple[int, int]) -> Square:
    """The part of the slice that was looked at."""
    height, width = shape
    return found.square or (((width - 1) / 2, (height - 1) / 2), float(max(shape)))


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """The run's metrics so far, one JSON object a line."""
    write_text(path, "".join(json.dumps(metrics) + "\n" for metrics in history))


def fit_job(
    job: Job, device: torch.device, report: Report, resume: Path | None, directory: Path
) -> None:
    """Train what a job says, in a worker; `directory` is where its checkpoints come to be."""
    fit(
        Run(
            system=named_system(job.system),
            config=job.config,
            train=relabelled(PreparedSet(job.data, "train"), *job.masks),
            validation=PreparedSet(job.data, "validation"),
            directory=directory,
            device=device,
            report=report,
            resume=resume,
            phases=None if job.phases is None else range(*job.phases),
            begin=job.begin,
            scratch=job.scratch,
            parts=job.parts,
            seen=together([job.seen, *map(read_seen, _learned_from(job))]),
            start=job.start,
        )
    )


def _learned_from(job: Job) -> list[Path]:
    """The checkpoints whose weights it takes over: what they were trained on, this one was too."""
    return [*job.parts.values(), *([] if job.start is None else [job.start])]


@contextmanager
def working() -> Iterator[Path]:
    """A folder of a worker's own, which goes with the block."""
    with tempfile.TemporaryDirectory(prefix="lesion-run-") as directory:
        yield Path(directory)


@contextmanager
def opened(checkpoint: Any) -> Iterator[Path | None]:
    """The folder of a checkpoint of Ray's, or None for none."""
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
