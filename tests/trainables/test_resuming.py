"""Going on from a checkpoint: what is damaged, or another's, is named; a version before goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lesions import InputError
from tests.trainables.checkpoints import FIRST, LESIONS, PLAIN, put, resaved
from tests.trainables.runs import CPU, a_run, curve, small
from trainables.checkpoint import BEST, LAST, read_score
from trainables.loop import fit
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig
from trainables.resuming import read_saved
from trainables.steps import Learner, learner


def learner_of(config: PDNetConfig) -> Learner:
    system = PDNetSystem()
    return learner(system, config, system.recipe(config)[0], system.model(config), CPU)


def restore(folder: Path, own: Learner) -> None:
    """As the loop does."""
    saved = read_saved(folder)
    saved.progress(CPU)
    saved.restore_network(own.model)
    saved.restore_optimizers(own)


LAST_DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "other epochs": (put("epoch", value=7), "its history is not one object of numbers an epoch"),
    "no history": (lambda of: of | {"history": [], "epoch": 0}, "its history is not one"),
    "a history of texts": (put("history", 0, "train_loss", value="low"), "its history is not one"),
    "NaN": (put("model", FIRST, value=lambda of: of * float("nan")), f"{FIRST} has NaN"),
    "an optimizer of nothing": (put("optimizers", 0, value={}), "its optimizer has no state"),
    "a foreign parameter": (
        lambda of: put("optimizers", 0, "state", 9999, value=of["optimizers"][0]["state"][0])(of),
        "its optimizer has other parameters than the network",
    ),
    "moments that are missing": (
        put("optimizers", 0, "state", 0, value={"step": torch.ones(())}),
        "its optimizer's parameter 0 has not",
    ),
    "moments of another shape": (
        put("optimizers", 0, "state", 0, "exp_avg", value=torch.ones(3)),
        "its optimizer's exp_avg of parameter 0 has another shape",
    ),
    "moments of NaN": (
        put("optimizers", 0, "state", 0, "exp_avg", value=lambda of: of * float("nan")),
        "its optimizer's exp_avg of parameter 0 has NaN",
    ),
    "a short random state": (put("random", value=torch.ones(3).byte()), "its random state is none"),
    "a random state of floats": (put("random", value=torch.ones(5056)), "its random state is none"),
}


@pytest.mark.parametrize("damage", LAST_DAMAGE)
def test_a_damaged_run_is_named_and_nothing_is_put_back(plain_copy: Path, damage: str) -> None:
    edit, says = LAST_DAMAGE[damage]
    resaved(plain_copy / LAST, edit)
    own = learner_of(PLAIN)
    before = {name: tensor.clone() for name, tensor in own.model.state_dict().items()}
    random = torch.get_rng_state()
    with pytest.raises(InputError) as caught:
        restore(plain_copy, own)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{plain_copy / LAST}: ")
    if "optimizer" not in says:
        assert all(torch.equal(before[name], one) for name, one in own.model.state_dict().items())
        assert torch.equal(random, torch.get_rng_state())
    assert not own.optimizers[0].state_dict()["state"]


def test_a_run_whose_best_model_is_anothers(plain_copy: Path, tmp_path: Path) -> None:
    fit(a_run(tmp_path / "other", small(epochs=1), LESIONS))
    (plain_copy / BEST).write_bytes((tmp_path / "other" / BEST).read_bytes())
    with pytest.raises(InputError, match=r"best\.pt: holds other weights"):
        fit(a_run(plain_copy, PLAIN, LESIONS, resume=plain_copy))


def test_a_run_without_a_best_epoch_goes_on(plain_copy: Path) -> None:
    """No validation lesion has had a Dice yet."""
    resaved(plain_copy / BEST, lambda of: of | {"epoch": 0, "value": -1.0, "model": {}})
    longer = replace(PLAIN, training=replace(PLAIN.training, epochs=3))
    assert fit(a_run(plain_copy, longer, LESIONS, resume=plain_copy)).best_epoch == 3
    assert read_score(plain_copy) == (3, 0.0)


def test_a_loss_scaler_that_does_not_fit_is_named(plain_copy: Path) -> None:
    """The run was saved without fp16, and goes on with it."""
    half = replace(PLAIN, training=replace(PLAIN.training, precision="fp16", epochs=3))
    with pytest.raises(InputError, match=r"last\.pt: its loss scaler's state does not fit"):
        fit(a_run(plain_copy, half, LESIONS, resume=plain_copy))


def of_before(content: dict[str, Any]) -> dict[str, Any]:
    """last.pt as it was before recipes had phases."""
    kept = ("epoch", "history", "model", "scaler", "random", "random_cuda")
    return {name: content[name] for name in kept} | {"optimizer": content["optimizers"][0]}


def test_a_checkpoint_of_the_version_before_goes_on(plain: Path, plain_copy: Path) -> None:
    resaved(plain_copy / LAST, of_before)
    resaved(plain_copy / BEST, lambda of: {"epoch": 2, "dice": 0.0, "model": of["model"]})
    longer = replace(PLAIN, training=replace(PLAIN.training, epochs=3))
    ours = fit(a_run(plain_copy, longer, LESIONS, resume=plain_copy))
    theirs = fit(a_run(plain_copy / "new", longer, LESIONS, resume=plain))
    assert len(ours.history) == 3
    assert curve(ours.history) == curve(theirs.history)


def test_a_network_whose_weights_have_several_names_is_resumed_too(tmp_path: Path) -> None:
    """nnU-Net's decoder holds its encoder: each is stored once, and read again."""
    nnunet = replace(PDNetConfig().nnunet, features=4)
    config = replace(small(epochs=2), network="nnunet", nnunet=nnunet)

    def leave(metrics: dict[str, float], checkpoint: Path | None) -> None:
        raise SystemExit

    whole = fit(a_run(tmp_path / "whole", config, LESIONS))
    with pytest.raises(SystemExit):
        fit(a_run(tmp_path / "killed", config, LESIONS, report=leave))
    resumed = fit(a_run(tmp_path / "resumed", config, LESIONS, resume=tmp_path / "killed"))
    assert curve(resumed.history) == curve(whole.history)
    ours, theirs = (
        torch.load(tmp_path / name / LAST, weights_only=True)["model"]
        for name in ("resumed", "whole")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours | theirs)
    assert len({tensor.data_ptr() for tensor in ours.values()}) < len(ours) / 2
    assert (tmp_path / "killed" / BEST).stat().st_size < sum(one.nbytes for one in ours.values())
