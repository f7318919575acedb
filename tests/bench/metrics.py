"""`metrics.segmentation` against MONAI and scipy, `Recist.from_mask` against all pairs."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.bench.timing import seconds, show

Figures = dict[str, float]
Mask = NDArray[np.bool_]


def segmentation() -> None:
    """All five figures of 256² pairs: real lesions, their snakes against the human mask.

    The crop is twice as wide as the lesion, where nothing else is said.
    """
    from lesions import metrics

    square, oblong = (0.8, 0.8, 5.0), (0.8, 0.7, 5.0)
    for what, pair, spacing in (
        ("", _pair(2.0), square),
        (", filled crop", _pair(1.05), square),
        (", oblong pixels", _pair(2.0), oblong),
        (", 24 slices", _volumes(), square),
    ):
        images = tuple(mask.astype(np.uint8) for mask in pair)
        ours = metrics.segmentation(*images, spacing)
        dice = f"Dice {ours['dice']:.2f}"
        for peer, theirs in (("scipy", _by_scipy), ("MONAI", _by_monai(*pair))):
            scale = spacing[: pair[0].ndim][::-1]
            found = theirs(*pair, scale)
            assert all(abs(ours[name] - found[name]) < 1e-6 for name in ours), (ours, found)
            show(f"segmentation with AVD, 256²{what}",
                 seconds(lambda i=images, s=spacing: metrics.segmentation(*i, s)),
                 f"{peer}, {dice}",
                 seconds(lambda t=theirs, p=pair, s=scale: t(*p, s)))  # fmt: skip


def recist() -> None:
    """RECIST of a lesion 100 pixels wide, against the search over all pairs of outline points.

    Both search among the outline's vertices for the longest segment that stays on the lesion, and
    for the longest chord perpendicular to it. Of spirals all pairs are too many.
    """
    from skimage.measure import find_contours

    from lesions import Recist
    from lesions.boundary import boundary
    from lesions.outline import lesion_outline
    from tests.lesions.test_recist import brute_force_long, brute_force_short
    from tests.lesions.test_windings import spiral

    y, x = np.mgrid[:140, :140]
    oval = ((x - 69.5) / 50) ** 2 + ((y - 66) / 36) ** 2 < 1
    spacing = (0.8, 0.8)
    # The crescent's longest segments leave it.
    crescent = (np.hypot(x - 69.5, y - 66) < 50) & (np.hypot(x - 69.5, y - 40) > 40)
    for what, mask in (("oval", oval), ("crescent", crescent)):
        assert np.ptp(np.nonzero(mask)[1]) + 1 == 100
        points = lesion_outline(mask).vertices
        ours = Recist.from_mask(mask, spacing)

        def all_pairs(points: NDArray[np.float64] = points, axis: Recist = ours) -> list[float]:
            long = brute_force_long(points, np.array(spacing))
            return [long, brute_force_short(points, axis.points[:2], np.array(spacing))]

        np.testing.assert_allclose(ours.diameters_mm(spacing), all_pairs(), atol=1e-5)
        show(f"Recist.from_mask, {what} 100 pixels wide",
             seconds(lambda m=mask: Recist.from_mask(m, spacing)),
             f"all pairs of {len(points)} outline points", seconds(all_pairs, runs=2))  # fmt: skip
    filled = lesion_outline(spiral(64, 1, 512) > 0).filled
    marched = find_contours(filled.astype(np.float64), 0.5, fully_connected="high")
    np.testing.assert_array_equal(boundary(filled), marched[0][:-1, ::-1])
    show("outline of a 512² spiral of 64 turns", seconds(lambda: boundary(filled)),
         f"scikit-image, the same {len(marched[0]) - 1} points",
         seconds(lambda: find_contours(filled.astype(np.float64), 0.5, fully_connected="high"))
         )  # fmt: skip
    for turns, width in ((30, 4), (50, 2), (64, 1)):
        mask = spiral(turns, width, 512)
        took = seconds(lambda mask=mask: Recist.from_mask(mask, spacing))
        print(f"Recist.from_mask, 512² spiral of {turns} turns: {took:.2f} s")


def _pair(around: float) -> tuple[Mask, Mask]:
    """Snakes and human mask of the sample's lesion nearest to 30 mm, in a 256² crop."""
    from lesions.masks import pseudo_mask
    from lesions.readers.deeplesion import read_deeplesion
    from lesions.sample import ROOT
    from trainables.crops import Crop, lesion_box

    lesion = min(read_deeplesion(ROOT)[0],
                 key=lambda each: abs(each.recist.diameters_mm(each.spacing)[0] - 30))  # fmt: skip
    centre, side = lesion_box(lesion)
    crop = Crop(centre=centre, side=around * side, size=256)
    snakes = pseudo_mask("snakes", lesion.slice_hu, lesion.recist, lesion.window)
    return crop.labels(snakes) == 1, crop.labels(lesion.mask("human")) == 1


def _volumes() -> tuple[Mask, Mask]:
    """The pair on 24 slices, drawn in towards both ends."""
    import cv2

    def grown(mask: Mask) -> Mask:
        depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
        ends = depth.max() * np.abs(np.linspace(-1, 1, 24)) ** 2
        return np.stack([depth > end for end in ends])

    pred, truth = (grown(mask) for mask in _pair(2.0))
    return pred, truth


def _by_scipy(pred: Mask, truth: Mask, scale: tuple[float, ...]) -> Figures:
    from scipy.ndimage import distance_transform_edt

    both, found, there = ((np.count_nonzero(m)) for m in (pred & truth, pred, truth))
    directed = (distance_transform_edt(~truth, sampling=scale)[pred].mean(),
                distance_transform_edt(~pred, sampling=scale)[truth].mean())  # fmt: skip
    return {"precision": both / found, "recall": both / there, "dice": 2 * both / (found + there),
            "vs": 1 - abs(there - found) / (found + there), "avd": sum(directed) / 2}  # fmt: skip


def _by_monai(pred: Mask, truth: Mask) -> Callable[[Mask, Mask, tuple[float, ...]], Figures]:
    import torch
    from monai.metrics import get_confusion_matrix
    from monai.metrics.utils import get_surface_distance

    images = [torch.from_numpy(mask.astype(np.uint8))[None, None] for mask in (pred, truth)]

    def figures(pred: Mask, truth: Mask, scale: tuple[float, ...]) -> Figures:
        tp, fp, _, fn = get_confusion_matrix(*images).ravel().tolist()
        # Of the edges that MONAI hands it this would be the average surface distance.
        directed = [get_surface_distance(*way, spacing=scale).mean(dtype=np.float64)
                    for way in ((pred, truth), (truth, pred))]  # fmt: skip
        size = 2 * tp + fp + fn
        return {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "dice": 2 * tp / size,
                "vs": 1 - abs(fn - fp) / size, "avd": sum(directed) / 2}  # fmt: skip

    return figures
