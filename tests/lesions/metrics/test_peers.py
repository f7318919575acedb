"""The same figures as MONAI's, scikit-learn's and scipy's, on real masks and random ones."""

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, get_confusion_matrix
from monai.metrics.confusion_matrix import compute_confusion_matrix_metric
from monai.metrics.utils import get_surface_distance
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import f1_score, precision_score, recall_score

from lesions.ellipse import ellipse
from lesions.metrics import average_hausdorff, precision_recall, segmentation
from lesions.readers.deeplesion import read_deeplesion
from lesions.sample import ROOT

SPACINGS = (None, (0.8, 0.8, 5), (0.7, 0.9, 5))
Pairs = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """The RECIST's ellipse against the human mask on every tenth slice of the sample; noise."""
    found = [
        (ellipse(lesion.recist, lesion.shape), lesion.mask("human") == 1)
        for lesion in read_deeplesion(ROOT)[0][::10]
    ]
    rng = np.random.default_rng(0)
    for shape in ((20, 30), (64, 64), (5, 16, 12)):
        for share in (0.01, 0.2, 0.9):
            pred, truth = rng.random((2, *shape)) < share
            pred.flat[0] = truth.flat[-1] = True
            found.append((pred, truth))
    return found


def test_the_pairs_differ_from_hardly_to_all_but_wholly(pairs: Pairs) -> None:
    dices = [segmentation(*pair)["dice"] for pair in pairs]
    assert len(pairs) > 30
    assert min(dices) < 0.1 < 0.9 < max(dices) < 1


def test_overlap_agrees_with_scikit_learn(pairs: Pairs) -> None:
    for pair in pairs:
        found, (pred, truth) = segmentation(*pair), (mask.ravel() for mask in pair)
        assert found["precision"] == pytest.approx(precision_score(truth, pred), abs=1e-6)
        assert found["recall"] == pytest.approx(recall_score(truth, pred), abs=1e-6)
        assert found["dice"] == pytest.approx(f1_score(truth, pred), abs=1e-6)


def test_overlap_agrees_with_monai(pairs: Pairs) -> None:
    for pair in pairs:
        found = segmentation(*pair)
        pred, truth = (torch.tensor(mask, dtype=torch.uint8)[None, None] for mask in pair)
        assert found["dice"] == pytest.approx(compute_dice(pred, truth).item(), abs=1e-6)
        matrix = get_confusion_matrix(pred, truth)
        for name in ("precision", "recall"):
            theirs = compute_confusion_matrix_metric(name, matrix).item()
            assert found[name] == pytest.approx(theirs, abs=1e-6)
        tp, fp, _, fn = matrix.ravel().tolist()
        assert found["vs"] == pytest.approx(1 - abs(fn - fp) / (2 * tp + fp + fn), abs=1e-6)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_distance_agrees_with_monai(pairs: Pairs, spacing: tuple[float, ...] | None) -> None:
    """MONAI measures edges; its function, given whole masks, measures what the tool does."""
    for pair in pairs:
        scale = spacing and spacing[: pair[0].ndim][::-1]
        directed = [
            get_surface_distance(*way, spacing=scale).mean(dtype=np.float64)
            for way in (pair, pair[::-1])
        ]
        mean, most = (average_hausdorff(*pair, spacing, combine=how) for how in ("mean", "max"))
        assert mean == pytest.approx(np.mean(directed), rel=1e-6)
        assert most == pytest.approx(np.max(directed), rel=1e-6)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_distance_agrees_with_scipy(pairs: Pairs, spacing: tuple[float, ...] | None) -> None:
    for pair in pairs:
        scale = spacing and spacing[: pair[0].ndim][::-1]
        directed = [
            distance_transform_edt(~goal, sampling=scale)[start].mean()
            for start, goal in (pair, pair[::-1])
        ]
        found = segmentation(*pair, spacing)["avd"]
        assert found == pytest.approx(np.mean(directed), rel=1e-12)


def test_best_f_of_masks_is_the_f_of_all_their_pixels(pairs: Pairs) -> None:
    preds, truths = zip(*pairs, strict=True)
    curve = precision_recall(preds, truths)
    everywhere = [np.concatenate([mask.ravel() for mask in masks]) for masks in (truths, preds)]
    assert curve.best_f == (pytest.approx(f1_score(*everywhere), abs=1e-6), 1)
