"""Values that are no HU are told by their range; CT, padded or cropped to air, is not."""

from pathlib import Path

import numpy as np
import pytest

from lesions import Click, InputError, read_nifti
from lesions.judging.pairs import Pair
from lesions.lesion import Lesion
from lesions.readers.deeplesion import Rejected
from lesions.readers.hounsfield import not_hu
from lesions.readers.png import encode_slice
from lesions.readers.prompted import read_prompted
from lesions.writers.volumes import write_nifti
from tests.discs import slice_with_discs

CT = slice_with_discs(0)[0].astype(int)  # soft tissue with noise, as of a crop
WHOLE = np.concatenate([np.full((20, CT.shape[1]), -1000), CT])
SHARED = ("field", "not_hu")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (WHOLE, ""),
        (CT, ""),
        (np.where(WHOLE == -1000, -3024, WHOLE), ""),
        (np.zeros((4, 4)), ""),
        ((WHOLE + 1000) / 1200, "scaled to 0…1"),
        ((WHOLE + 400) / 600, "scaled to −1…1"),
        ((CT - CT.mean()) / CT.std(), "by their deviation"),
        (np.clip((WHOLE + 160) / 400, 0, 1) * 255, "grey levels"),
        (WHOLE + 1024, "offset, of 1024"),
        (CT + 1024, "offset, of 1024"),
        (np.where(WHOLE == -1000, -2000, WHOLE + 1024), "offset, of 1024"),
        (WHOLE + 1024 - 32768, "another offset"),
    ],
)
def test_the_range_tells(values: np.ndarray, kind: str) -> None:
    said = not_hu(np.rint(values).astype(np.int16))
    assert kind in said
    assert bool(said) == bool(kind)


def test_a_prompted_volume_that_is_no_hu_is_refused(shared_data: Path) -> None:
    image = shared_data.joinpath(*SHARED, "ct_0_to_1.nii.gz")
    click = Click(at=(36.0, 28.0))
    with pytest.raises(InputError, match=r"values of 0 to 1 are no HU.*say --values-are-hu"):
        read_prompted(image, click, 1, None)
    seen = read_prompted(image, click, 1, None, values_are_hu=True)
    np.testing.assert_array_equal(seen.hu, read_nifti(image).hu[1])


def test_a_slice_that_does_not_tell_is_judged_by_its_volume(tmp_path: Path) -> None:
    """A slice within an organ may lie above 0 all over; a PNG has nothing beside it."""
    inner = np.clip(CT[:60, :60], 1, None).astype(np.int16)
    (tmp_path / "slice.png").write_bytes(encode_slice(inner))
    with pytest.raises(InputError, match=r"slice\.png: values of 1 to .* are no HU"):
        read_prompted(tmp_path / "slice.png", Click(at=(5, 5)), None, (1, 1))
    outer = CT[:60, :60].astype(np.int16)
    write_nifti(np.stack([inner, outer]), np.eye(4), tmp_path / "ct.nii.gz", b"")
    seen = read_prompted(tmp_path / "ct.nii.gz", Click(at=(5, 5)), 0, None)
    np.testing.assert_array_equal(seen.hu, inner)


def test_a_pair_whose_image_is_no_hu_is_set_aside(shared_data: Path) -> None:
    image, mask = (shared_data.joinpath(*SHARED, name)
                   for name in ("ct_0_to_1.nii.gz", "mask.nii.gz"))  # fmt: skip
    pair = Pair(name="a", image=image, mask=mask, window=(-160.0, 240.0))
    (found,) = pair.read()
    assert isinstance(found, Rejected)
    assert found.reason.startswith("values of 0 to 1 are no HU")
    assert "--values-are-hu" in found.reason
    taken = Pair(name="a", image=image, mask=mask, window=(-160.0, 240.0), values_are_hu=True)
    assert all(isinstance(one, Lesion) for one in taken.read())
