"""The Chan-Vese snake against scikit-image's."""

import numpy as np
from skimage.segmentation import morphological_chan_vese

from lesions.masks.snakes import chan_vese
from tests.bench.timing import seconds, show


def snakes() -> None:
    """Chan-Vese on a 128² crop, 20 iterations: the same mask, pixel for pixel."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    start = (x - 64) ** 2 + (y - 60) ** 2 < 30**2
    image = rng.normal(0, 0.3, (128, 128)) + ((x - 70) ** 2 + (y - 64) ** 2 < 34**2)
    for smoothing in (1, 2):
        options = {"smoothing": smoothing, "lambda1": 1, "lambda2": 1}
        ours = chan_vese(image, start, iterations=20, smoothing=smoothing)
        theirs = morphological_chan_vese(image, 20, init_level_set=start, **options)
        assert np.array_equal(ours == 1, theirs == 1)
        show(
            f"Chan-Vese snake, smoothing {smoothing}",
            seconds(lambda s=smoothing: chan_vese(image, start, iterations=20, smoothing=s)),
            "scikit-image",
            seconds(
                lambda o=options: morphological_chan_vese(image, 20, init_level_set=start, **o)
            ),
        )
