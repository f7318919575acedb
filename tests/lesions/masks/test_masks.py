import numpy as np
import pytest

from lesions.ellipse import ellipse
from lesions.masks import PSEUDO_MASKS, agree, pseudo_mask
from lesions.recist import Recist

RECIST = Recist([(20, 32), (44, 32), (32, 22), (32, 42)])
SLICE = np.random.default_rng(0).normal(40, 30, size=(64, 70)).astype(np.int16)


@pytest.mark.parametrize("name", PSEUDO_MASKS)
def test_every_pseudo_mask_is_a_label_image_that_holds_the_lesion(name):
    mask = pseudo_mask(name, SLICE, RECIST, (-175, 275))
    assert mask.dtype == np.uint8
    assert mask.shape == SLICE.shape
    assert np.isin(mask, (0, 1, 255)).all()
    # Plain GrabCut knows of no pixel that is lesion, and finds none in noise.
    assert mask[32, 32] == (name != "grabcut")
    assert mask[2, 2] == 0
    assert (mask == pseudo_mask(name, SLICE, RECIST, (-175, 275))).all()


def test_ellipse_is_the_ellipse():
    expected = ellipse(RECIST, (64, 70))
    assert (pseudo_mask("ellipse", SLICE, RECIST, (-175, 275)) == expected).all()


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(ValueError, match="'elipse'; choose from ellipse, snakes"):
        pseudo_mask("elipse", SLICE, RECIST, (-175, 275))


def test_agree_by_hand():
    first = np.array([[1, 1, 0, 0, 255, 255, 255]], np.uint8)
    second = np.array([[1, 0, 1, 0, 1, 0, 255]], np.uint8)
    assert agree(first, second).tolist() == [[1, 255, 255, 0, 255, 0, 0]]
    assert agree(first == 1, second == 1).tolist() == [[1, 255, 255, 0, 255, 0, 0]]
    assert agree(first, second).dtype == np.uint8


def test_agree_refuses_different_shapes():
    with pytest.raises(ValueError, match="shapes"):
        agree(np.ones((2, 2)), np.ones((2, 1)))
