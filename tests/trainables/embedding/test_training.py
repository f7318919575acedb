"""An embedder learns what its cues say; killed after any epoch it ends with the same bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lesions import InputError
from tests.trainables.embedding.narrow import CPU, NARROW, fit_embedder, lesion
from trainables.embedding.config import PRESETS, EmbeddingConfig
from trainables.embedding.judged import judged, triplet_accuracy, type_agreement, vectors_of
from trainables.embedding.looked import Looked, look_at
from trainables.embedding.resumed import STATE
from trainables.embedding.training import fresh, triplet_loss

CONFIG = EmbeddingConfig(embedder=NARROW, epochs=3, batch_size=8, learning_rate=3e-3)


def looked(seed: int = 0, count: int = 24) -> Looked:
    """Small lesions on the left and large ones on the right, of six patients."""
    rng = np.random.default_rng(seed)

    def one(at: int) -> object:
        large = at % 2
        middle = rng.normal((80.0 if large else 40.0, 50.0), 2)
        half = np.array((12, 9) if large else (5, 4)) * rng.uniform(0.95, 1.05)
        kind = ("liver", "lung")[large]
        return lesion(tuple(middle), tuple(half), patient=str(at // 4), lesion_type=kind)

    return look_at([one(at) for at in range(count)], NARROW)  # type: ignore[misc]


class StoppedError(Exception):
    """In place of a kill."""


def weights(model: torch.nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def test_the_loss_by_hand() -> None:
    """Distances 0 and 1, then √2 and 0: max(0, 0 − 1 + 0.5) and √2 + 0.5, and their mean."""
    anchor = torch.tensor([[1.0, 0], [1.0, 0]])
    alike = torch.tensor([[1.0, 0], [0.0, 1]])
    unlike = torch.tensor([[0.5, 0.75**0.5], [1.0, 0]])
    found = triplet_loss(torch.cat([anchor, alike, unlike]), 0.5)
    assert float(found) == pytest.approx((0 + 2**0.5 + 0.5) / 2, abs=1e-4)


def test_it_learns(tmp_path: Path) -> None:
    training, validation = looked(), looked(seed=1)
    config = replace(CONFIG, epochs=8)
    losses: list[float] = []
    model = fit_embedder(training, config, tmp_path, CPU, lambda epoch, loss: losses.append(loss))
    assert len(losses) == 8
    assert losses[-1] < losses[0] / 2
    figures = judged(fresh(config), model, training, validation, config, CPU)
    assert figures["triplet_accuracy"] > 0.95
    assert figures["type_agreement"] > 0.95
    assert figures["type_chance"] == 0.5


@pytest.mark.parametrize("stop", [1, 2])
def test_it_goes_on_to_the_bit(tmp_path: Path, stop: int) -> None:
    def killed(epoch: int, loss: float) -> None:
        if epoch == stop:
            raise StoppedError

    data = looked()
    whole = fit_embedder(data, CONFIG, tmp_path / "whole", CPU)
    with pytest.raises(StoppedError):
        fit_embedder(data, CONFIG, tmp_path / "cut", CPU, killed)
    told: list[int] = []
    resumed = fit_embedder(
        data, CONFIG, tmp_path / "cut", CPU, lambda epoch, loss: told.append(epoch)
    )
    assert told == list(range(stop + 1, 4))
    assert weights(resumed) == weights(whole)
    assert len(list((tmp_path / "cut").glob("epoch-*"))) == 1


def test_other_settings_or_lesions_start_afresh(tmp_path: Path) -> None:
    fit_embedder(looked(), CONFIG, tmp_path, CPU)
    told: list[int] = []

    def tell(epoch: int, loss: float) -> None:
        told.append(epoch)

    fit_embedder(looked(), replace(CONFIG, seed=1), tmp_path, CPU, tell)
    assert told == [1, 2, 3]
    fit_embedder(looked(seed=3), replace(CONFIG, seed=1), tmp_path, CPU, tell)
    assert told == [1, 2, 3] * 2


@pytest.mark.parametrize("content", [b"", b"PK\3\4nothing", None])
def test_a_damaged_training_is_said(tmp_path: Path, content: bytes | None) -> None:
    fit_embedder(looked(), replace(CONFIG, epochs=1), tmp_path, CPU)
    if content is None:
        (weights_file,) = tmp_path.glob("epoch-*")
        weights_file.write_bytes(b"nothing")
    else:
        (tmp_path / STATE).write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be gone on with.*remove"):
        fit_embedder(looked(), replace(CONFIG, epochs=1), tmp_path, CPU)


def test_boxes_move_by_their_sides() -> None:
    some = looked(count=4)
    moves = np.array([[0.5, 0, 0, -0.25]])
    _, boxes = some.batch(np.array([1]), CPU, moves)
    x0, y0, x1, y1 = some.boxes[1].tolist()
    wanted = [x0 + 0.5 * (x1 - x0), y0, x1, y1 - 0.25 * (y1 - y0)]
    np.testing.assert_allclose(boxes[0].numpy(), wanted, rtol=1e-6)


def test_what_is_judged_by_hand() -> None:
    vectors = np.eye(3, dtype=np.float32)
    among, kinds = np.repeat(vectors, 5, axis=0), np.repeat(["a", "b", "unknown"], 5)
    assert type_agreement(vectors, np.array(["a", "b", "a"]), among, kinds) == (
        pytest.approx(1.0), pytest.approx(0.5)
    )  # fmt: skip
    assert type_agreement(vectors, np.array(["unknown"] * 3), among, kinds) is None
    data = looked()
    perfect = np.stack([data.cues.types == "liver", data.cues.types == "lung"], 1)
    assert triplet_accuracy(perfect.astype(np.float32), data.cues, CONFIG) == 1.0
    assert triplet_accuracy(vectors[:0], looked(count=0).cues, CONFIG) is None


def test_without_validation_lesions_nothing_is_judged(tmp_path: Path) -> None:
    training = looked()
    model = fresh(CONFIG)
    assert judged(model, model, training, looked(count=0), CONFIG, CPU) == {}
    assert vectors_of(model, training, CPU).shape == (24, 8)


def test_presets() -> None:
    assert PRESETS["paper"]().margin == 0.1
    assert PRESETS["tiny"]().embedder.pretrained is False
    with pytest.raises(InputError, match="epochs is 0"):
        replace(CONFIG, epochs=0)
