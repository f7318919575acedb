"""PNG: exact HU, no wrap-around, and no damaged file taken for a whole one."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lesions import InputError
from lesions.labels import GREY
from lesions.readers.png import decode_labels, decode_slice, encode_labels, encode_slice

slices = arrays(np.int16, array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(slices)
def test_hu_survive_exactly(slice_hu: np.ndarray) -> None:
    decoded = decode_slice(encode_slice(slice_hu))
    assert decoded.dtype == np.int16
    np.testing.assert_array_equal(decoded, slice_hu)


def test_air_does_not_wrap_around() -> None:
    """DeepLesion's padding: -3024 HU is 29744 in the file."""
    encoded = cv2.imencode(".png", np.full((2, 2), 29744, np.uint16))[1].tobytes()
    assert decode_slice(encoded).tolist() == [[-3024, -3024], [-3024, -3024]]


def test_hu_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bits"):
        encode_slice(np.array([[40000]], dtype=np.int32))


@given(st.data())
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    whole = encode_slice(np.arange(100, dtype=np.int16).reshape(10, 10))
    kept = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InputError, match="truncated"):
        decode_slice(whole[:kept])


@given(st.data())
def test_a_damaged_byte_is_refused(data: st.DataObject) -> None:
    whole = bytearray(encode_slice(np.arange(100, dtype=np.int16).reshape(10, 10)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InputError):
        decode_slice(bytes(whole))


def test_eight_bits_are_no_slice() -> None:
    with pytest.raises(InputError, match="not 16-bit"):
        decode_slice(encode_labels(np.zeros((4, 4), np.uint8)))


def test_colour_is_no_mask() -> None:
    colour = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    with pytest.raises(InputError, match="greyscale"):
        decode_labels(colour)


def test_any_label_is_lesion_but_255() -> None:
    with pytest.raises(InputError, match=GREY):
        decode_labels(encode_labels(np.array([[0, 128, 255]], np.uint8)))
    assert decode_labels(encode_labels(np.array([[0, 7, 128]], np.uint8))).tolist() == [[0, 1, 1]]
    assert decode_labels(encode_labels(np.array([[0, 1, 255]], np.uint8))).tolist() == [[0, 1, 255]]
