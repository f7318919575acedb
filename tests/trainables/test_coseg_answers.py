"""How a lesion is segmented beside its neighbours, and what the CRF then does."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch

from lesions.prompts import Box, case_of
from tests.trainables.test_coseg_model import COSEG, small, untrained
from trainables.contract.made import made_lesions
from trainables.coseg.config import CoSegConfig, CrfConfig
from trainables.coseg.refined import refined
from trainables.coseg.samples import image_of, view
from trainables.coseg.variants import VARIANTS
from trainables.embedding.views import embed
from trainables.system import How, Trained

CPU = torch.device("cpu")
HOW = How(device=CPU)
LESIONS = made_lesions(6, ["grabcut_r"])
CASES = [case_of(lesion, COSEG.telling([])) for lesion in LESIONS[4:]]


class Kept(Trained):
    """Of which all is known."""

    model: Any


def remembered(config: CoSegConfig) -> Kept:
    """An untrained network that keeps four lesions."""
    model = untrained(config)
    COSEG.remember(config, model, LESIONS[:4], CPU)  # type: ignore[attr-defined]
    return Kept(config=config, model=model)


def probabilities(trained: Trained, **how: Any) -> list[np.ndarray]:
    """Of both cases."""
    found = COSEG.predict([trained], CASES, replace(HOW, **how))
    return [one.probability for one in found if one.probability is not None]


def no_crf(config: CoSegConfig, **neighbours: Any) -> CoSegConfig:
    """The network alone."""
    return replace(
        config, crf=replace(config.crf, on=False),
        neighbours=replace(config.neighbours, **neighbours),
    )  # fmt: skip


def test_memory_holds_the_training_lesions_as_they_are_asked_for() -> None:
    """Each lesion's own embedding finds its own gate first."""
    trained = remembered(no_crf(small()))
    memory = trained.model.memory
    assert memory.held == 4
    assert torch.allclose(memory.vectors[:4].norm(dim=1), torch.ones(4), atol=1e-5)
    nearest = memory.nearest(memory.vectors[:4], 1)[:, 0]
    assert torch.equal(nearest, memory.gates[:4])


def test_probabilities_of_pairs_are_averaged() -> None:
    """By hand: one pass a neighbour; a group's gates are averaged before the only pass."""
    config = no_crf(small(), count=2)
    trained = remembered(config)
    images = torch.from_numpy(np.stack([image_of(config, case) for case in CASES]))
    network = trained.model.network
    with torch.inference_mode():
        vectors = torch.from_numpy(embed(trained.model.embedder, CASES, CPU))
        gates = trained.model.memory.nearest(vectors, 2)
        features = network.encoder(images)
        each = [network.masks(features, one).softmax(1)[:, 1] for one in gates.unbind(1)]
        group = network.masks(features, gates.mean(1)).softmax(1)[:, 1]
    of_pairs = probabilities(trained)
    of_group = probabilities(Trained(config=no_crf(small(), count=2, form="group"),
                                     model=trained.model))  # fmt: skip
    for at, case in enumerate(CASES):
        crop = view(config, cast("Box", case.prompt))
        expected = crop.back(((each[0] + each[1]) / 2)[at].numpy(), case.shape)
        assert np.allclose(of_pairs[at], expected, atol=1e-6)
        assert np.allclose(of_group[at], crop.back(group[at].numpy(), case.shape), atol=1e-6)
    assert not np.array_equal(of_pairs[0], of_group[0])


def test_one_neighbour_is_a_group_of_one() -> None:
    """Both forms are the same then."""
    trained = remembered(no_crf(small(), count=1))
    group = Trained(config=no_crf(small(), count=1, form="group"), model=trained.model)
    for one, other in zip(probabilities(trained), probabilities(group), strict=True):
        assert np.allclose(one, other, atol=1e-6)


def test_without_clusters_the_partners_are_the_same_for_all() -> None:
    """Evenly spread over what is kept, not the nearest."""
    config = no_crf(VARIANTS["VGG-16-unclustered"](small()), count=4)
    trained = remembered(config)
    clustered = remembered(no_crf(VARIANTS["VGG-16"](small()), count=4))
    assert trained.model.embedder is None
    for one, other in zip(probabilities(trained), probabilities(clustered), strict=True):
        assert np.allclose(one, other, atol=1e-6)  # of four all four are the nearest


def test_a_network_without_memory_says_so() -> None:
    """It still answers: beside itself."""
    trained = Trained(config=small(), model=untrained(small()))
    (found, _) = COSEG.predict([trained], CASES, HOW)
    assert "no training lesions are kept" in found.doubt


def test_mirrored_views_are_averaged() -> None:
    """Another answer than one view's, for an untrained network."""
    trained = remembered(no_crf(small()))
    assert not np.allclose(probabilities(trained)[0], probabilities(trained, tta=True)[0])


def test_the_crf_moves_a_border_to_the_edge() -> None:
    """A disc whose probability fades evenly ends at the image's edge."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    radius = np.hypot(rows, columns)
    image = (radius < 16).astype(np.float32)
    blurred = (1 / (1 + np.exp((radius - 19) / 3))).astype(np.float32)
    before, after = (
        ((found >= 0.5) != (radius < 16)).sum()
        for found in (blurred, refined(CrfConfig(), blurred, image))
    )
    assert after < before / 4
    assert np.array_equal(refined(CrfConfig(on=False), blurred, image), blurred)


def test_the_crf_that_erases_everything_says_so() -> None:
    """The authors' programs' defaults do so to a small lesion."""
    config = small()
    # A few pixels that are lesion by a hair, in a view that pulls all together.
    crf = replace(config.crf, smoothness=200.0, smoothness_px=30.0, appearance=0.0)
    trained = remembered(replace(config, crf=crf))
    network = trained.model.network

    def few(features: torch.Tensor, partners: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(features), 2, 64, 64)
        logits[:, 0] = 1.0
        logits[:, 1, 30:34, 30:34] = 1.5
        return logits

    network.masks = few
    found, _ = COSEG.predict([trained], CASES, HOW)
    assert not found.found
    assert "the CRF erased all that the network found" in found.doubt


@pytest.mark.parametrize("on", [True, False])
def test_a_saturated_probability_can_be_moved(on: bool) -> None:
    """It is clipped before the CRF, so that neighbours can still outweigh it."""
    image = np.full((32, 32), 1 + 1e-6, dtype=np.float32)  # as smoothing leaves it
    sure = np.ones((32, 32), dtype=np.float32)
    sure[16, 16] = 0.0
    found = refined(CrfConfig(on=on), sure, image)
    assert (found[16, 16] > 0.5) == on
