"""Two real processes that train together (gloo): the same step, weights and metrics as one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from lesions import Lesion
from lesions.readers.png import encode_labels
from tests.trainables.runs import (
    FixedStatistics,
    Kept,
    a_run,
    curve,
    ellipses,
    gradients,
    one_thread,
    small,
    together,
)
from trainables.loop import fit, validate

WORLD = 2
LESIONS = ellipses(8)
TRAIN, VALIDATION = LESIONS[:5], LESIONS[5:]
CONFIG = small(epochs=2, batch_size=2)
COUNTS = (0, 1, len(VALIDATION))


def unevenly_uncertain() -> list[Lesion]:
    """Four lesions; all but the first have an uncertain band, each wider than the one before."""
    lesions = []
    for n, lesion in enumerate(LESIONS[:4]):
        labels = lesion.mask("snakes").copy()
        labels[: 12 * n] = 255
        labels[50 : 50 + 3 * n] = 255
        lesions.append(replace(lesion, masks={"snakes": encode_labels(labels)}))
    return lesions


def one_step(directory: Path, batch_size: int) -> dict[str, Tensor]:
    """The gradients of one step over the four lesions, the mask loss counting for half."""
    config = small(epochs=1, batch_size=batch_size, clip_norm=0)
    config = replace(config, loss=replace(config.loss, weight=0.5))
    system = FixedStatistics()
    fit(a_run(directory, config, unevenly_uncertain(), system=system))
    return gradients(system.network)


def worker(rank: int, directory: Path) -> None:
    """All that one of the two does; what it saw goes to a file."""
    one_thread()
    rendezvous = f"file://{directory / 'rendezvous'}"
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=WORLD)
    own, system = directory / str(rank), Kept()
    seen: dict[str, Any] = {"gradients": one_step(own / "step", batch_size=2)}

    written: list[bool] = []
    run = a_run(
        own / "whole",
        CONFIG,
        TRAIN,
        VALIDATION,
        report=lambda metrics, checkpoint: written.append(checkpoint is not None),
        system=system,
    )
    seen |= {"history": curve(fit(run).history), "written": written}
    seen["weights"] = system.network.state_dict()
    for count in COUNTS:
        seen[f"of {count}"] = validate(replace(run, validation=VALIDATION[:count]), system.network)

    def leave(metrics: dict[str, float], checkpoint: Path | None) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        fit(replace(run, directory=own / "killed", report=leave))
    dist.barrier()  # the other's checkpoint is written
    resumed = fit(replace(run, directory=own / "resumed", resume=directory / "0" / "killed"))
    seen["resumed"] = curve(resumed.history)
    torch.save(seen, directory / f"seen-{rank}.pt")
    dist.destroy_process_group()


Seen = dict[str, Any]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Seen]:
    return together(worker, tmp_path_factory.mktemp("ddp"), WORLD)


def test_the_step_is_that_of_one_process_on_the_joined_batch(
    both: list[Seen], tmp_path: Path
) -> None:
    """Also where the workers' samples have unequally many certain pixels."""
    alone = one_step(tmp_path, batch_size=4)
    assert any(gradient.any() for gradient in alone.values())
    largest = max(float(gradient.abs().max()) for gradient in alone.values())
    for seen in both:
        assert seen["gradients"].keys() == alone.keys()
        for name, gradient in alone.items():
            ours = seen["gradients"][name]
            torch.testing.assert_close(ours, gradient, rtol=1e-3, atol=1e-5 * largest)


def test_all_workers_end_with_the_same_weights(both: list[Seen]) -> None:
    """BatchNorm's statistics among them: the first one's are saved, and all validate."""
    first, second = (seen["weights"] for seen in both)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_all_workers_report_the_same_and_the_first_writes(both: list[Seen]) -> None:
    assert both[0]["history"] == both[1]["history"]
    assert [len(seen["history"]) for seen in both] == [CONFIG.training.epochs] * 2
    assert [set(seen["written"]) for seen in both] == [{True}, {False}]


@pytest.mark.parametrize("count", COUNTS)
def test_validation_shared_out_is_that_of_one_process(
    both: list[Seen], tmp_path: Path, count: int
) -> None:
    """Of three lesions one worker has two; of one, the other has none."""
    run = a_run(tmp_path, CONFIG, TRAIN, VALIDATION[:count])
    model = run.system.model(CONFIG)
    model.load_state_dict(both[0]["weights"])
    alone = validate(run, model)
    assert bool(alone) == (count > 0)
    for seen in both:
        assert seen[f"of {count}"] == pytest.approx(alone, rel=1e-5)  # the order of axes differs
        if count == len(VALIDATION):
            last = {k: v for k, v in seen["history"][-1].items() if k.startswith("val_")}
            assert last == pytest.approx(alone, rel=1e-5)


def test_resumed_together_to_the_bit(both: list[Seen]) -> None:
    for seen in both:
        assert seen["resumed"] == seen["history"]
