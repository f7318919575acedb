"""What runs a sweep's trials: one process each, or several that train a trial together.

Tune reserves a trial's cores and GPUs as one placement group. Its first worker is the trial's own
process, which alone reports to Tune; the others are started by it in the rest of the group, and end
with it, whatever ends it. So a trial takes what it was given and no more, and is checkpointed,
stopped and resumed as one of a single worker is.
"""

import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from trainables.configs import edited
from trainables.loop import Report
from trainables.trial_folder import TrialFolder
from trainables.workers import Job, fit_job, use_assigned_resources, working

WHOLE = "whole"  # of a report: 1 at the recipe's last epoch; Tune has a `done` of its own
PATIENCE_S = 1800.0  # for the other workers, at the start and in every step, as Ray Train has it
_GRACE_S = 30.0  # for the first worker to note by itself that another has failed


@dataclass(frozen=True, kw_only=True)
class Team:
    """The workers that train one trial together.

    Attributes:
        file: where they find each other; not there before, and on every node.
        size: how many they are.
    """

    file: Path
    size: int


def tune_trial(told: dict[str, Any], job: Job, shared: Path) -> None:
    """One trial of a sweep: train with the searched values put into the job's config.

    It goes on from the newest checkpoint in its folder, where it writes its epochs and checkpoints;
    Tune gets an epoch's numbers when they are there.

    Args:
        told: the trial's `folder` below `shared`, and the searched `values` by field.
        job: what every trial starts from.
        shared: a folder that all nodes see.
    """
    from ray import tune
    from ray.util import get_current_placement_group

    folder = TrialFolder(shared / told["folder"])
    own = of_trial(job, told["values"], folder.path)
    group = get_current_placement_group()
    size = 1 if group is None else group.bundle_count
    resume = folder.go_on()

    def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
        if checkpoint is not None:
            folder.keep(checkpoint, int(metrics["epoch"]))
        folder.add(metrics)
        tune.report(for_tune(metrics))

    with folder.working() as directory:
        if size == 1:
            fit_job(own, use_assigned_resources(), report, resume, directory)
            return
        team = Team(file=shared / f"team-{uuid.uuid4().hex}", size=size)
        with others(own, resume, team, group):
            train_together(own, 0, team, report, resume, directory)


def for_tune(metrics: Mapping[str, float]) -> dict[str, float]:
    """An epoch's report as Tune gets it, which stops a trial that calls itself `done`."""
    told = {name: value for name, value in metrics.items() if name != "done"}
    return told | {WHOLE: metrics["done"]} if "done" in metrics else told


def of_trial(job: Job, values: Mapping[str, Any], folder: Path) -> Job:
    """The job of one trial: with its searched values, and a place in its folder for new masks."""
    return replace(job, config=edited(job.config, values), scratch=folder / "masks")


def train_together(
    job: Job, rank: int, team: Team, report: Report, resume: Path | None, directory: Path
) -> None:
    """Train as one worker of a team."""
    device = use_assigned_resources()
    if device.type == "cuda":
        torch.cuda.set_device(0)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        # A file, as a port would be open to everybody.
        store=dist.FileStore(str(team.file), team.size),  # type: ignore[attr-defined]
        rank=rank,
        world_size=team.size,
        timeout=timedelta(seconds=PATIENCE_S),
    )
    try:
        fit_job(job, device, report, resume, directory)
    finally:
        dist.destroy_process_group()


@contextmanager
def others(job: Job, resume: Path | None, team: Team, group: Any) -> Iterator[None]:
    """The other workers, from the start of the block to its end; what one fails with is raised."""
    import ray
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    workers = []
    for rank, bundle in enumerate(group.bundle_specs[1:], 1):
        place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
        workers.append(
            ray.remote(_Worker).options(
                num_cpus=bundle.get("CPU", 0), num_gpus=bundle.get("GPU", 0),
                scheduling_strategy=place,
            ).remote()
        )  # fmt: skip
    running = [
        worker.follow.remote(job, rank, team, resume) for rank, worker in enumerate(workers, 1)
    ]
    over = threading.Event()
    threading.Thread(target=_end_with_them, args=(running, over), daemon=True).start()
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        _raise_theirs(running)
        raise
    finally:
        over.set()
        for worker in workers:
            ray.kill(worker)
        team.file.unlink(missing_ok=True)


class _Worker:
    """A process that does what the first does, without reports."""

    def follow(self, job: Job, rank: int, team: Team, resume: Path | None) -> None:
        with working() as directory:
            train_together(job, rank, team, lambda metrics, checkpoint: None, resume, directory)


def _raise_theirs(running: list[Any]) -> None:
    """Raise what another worker failed with: the first has only lost the connection to it."""
    import ray

    ended, _ = ray.wait(running, num_returns=len(running), timeout=1)
    for one in ended:
        ray.get(one)


def _end_with_them(running: list[Any], over: threading.Event) -> None:
    """End this process when another worker has failed and this one waits for it in vain.

    A collective of NCCL's, and the first meeting, would wait for half an hour. Tune takes the trial
    up again from its last checkpoint.
    """
    import ray

    while running and not over.is_set():
        ended, running = ray.wait(running, timeout=1)
        try:
            ray.get(ended)
        except Exception as error:  # whatever it failed with
            if over.wait(_GRACE_S):
                return
            print(f"ended, as another worker has failed: {error}", flush=True)
            os._exit(1)
