"""What holds for every kind of prompt, and what a system sees of a lesion."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.lesion import Lesion
from lesions.prompts import (
    PROMPTS,
    Box,
    Case,
    Click,
    Marks,
    Prompt,
    TellBox,
    TellClick,
    Telling,
    TellMarks,
    case_of,
)
from lesions.readers.png import encode_labels
from tests.lesions.prompts.marked import SHAPE, lesion, lesions

TELLINGS: tuple[Telling, ...] = (
    TellClick(), TellClick(size=True), TellClick(size=True, place=True), TellBox(),
    TellBox(least=1, most=1), TellMarks(), TellMarks(noise=0.2),
)  # fmt: skip
kinds = pytest.mark.parametrize("kind", PROMPTS.values(), ids=list(PROMPTS))
tellings = pytest.mark.parametrize("telling", TELLINGS, ids=repr)
WORDS = {"click": "2,3", "box": "2,3,8,7", "marks": "2,3,8,7,4,2,5,9"}


def test_the_kinds_by_name():
    assert {"click": Click, "box": Box, "marks": Marks} == PROMPTS


@kinds
def test_a_kind_names_as_many_numbers_everywhere(kind: type[Prompt]):
    assert [word.lower() for word in kind.form.split(",")] == list(kind.columns)
    assert len(kind.columns) == len(WORDS[kind.name].split(","))


@kinds
def test_what_is_written_is_read(kind: type[Prompt]):
    prompt = kind.parse(WORDS[kind.name])
    assert prompt.written == WORDS[kind.name]
    assert prompt == kind.parse(f" {prompt.written} ") == kind.from_points(prompt.points)
    assert prompt.points.dtype == np.float64
    assert prompt.points.shape == (len(kind.columns) // 2, 2)
    assert hash(prompt) == hash(kind.parse(WORDS[kind.name]))


@kinds
@pytest.mark.parametrize("word", ["", ",", "2", "2,3,4", "a,b", "nan,3", "2,inf", "1e999,2", "2;3",
                                  "\x1b[2J,3", "1,2,3,4,5,6,7,8,9", "٢,nan"])  # fmt: skip
def test_what_is_no_prompt_is_refused_with_its_form(kind: type[Prompt], word: str):
    with pytest.raises(InputError) as found:
        kind.parse(word)
    assert str(found.value).startswith(f"--{kind.name} is '")
    assert str(found.value).endswith(f"(say {kind.form} in pixels)")
    assert str(found.value).isprintable()


@kinds
@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite(kind: type[Prompt], spoilt: float):
    sound = kind.parse(WORDS[kind.name]).points
    for at in range(sound.size):
        points = sound.copy()
        points.flat[at] = spoilt
        said = f"a point of {kind.words} is not finite"
        with pytest.raises(InputError, match=rf"{said}.*\(say {kind.form} in pixels\)"):
            kind.from_points(points)


@kinds
@pytest.mark.parametrize("shape", [(0, 2), (3, 2), (2,), (4,), (1, 2, 2), (4, 3), ()])
def test_another_number_of_points(kind: type[Prompt], shape: tuple[int, ...]):
    count = len(kind.columns) // 2
    said = f"the points of {kind.words} have the shape {shape}, not ({count}, 2) (say {kind.form}"
    with pytest.raises(InputError, match=re.escape(said)):
        kind.from_points(np.ones(shape))


@kinds
@pytest.mark.parametrize("points", [None, "here", [[1], [2, 3]], [["a", "b"]], [[1j, 2]]])
def test_what_are_no_points(kind: type[Prompt], points: object):
    with pytest.raises(InputError, match=re.escape(f"(say {kind.form} in pixels)")):
        kind.from_points(points)  # type: ignore[arg-type]


@given(st.text())
@kinds
def test_no_word_breaks_it(kind: type[Prompt], word: str):
    try:
        prompt = kind.parse(word)
    except InputError:
        return
    assert np.isfinite(prompt.points).all()


@tellings
@given(lesions)
def test_evaluation_tells_the_same_whatever_the_lesions_masks(telling: Telling, one: Lesion):
    """No prompt depends on a mask, on the slice's content or on anything but the marks."""
    prompt = telling.of(one)
    assert isinstance(prompt, telling.kind)
    masked = replace(
        one, masks={"human": encode_labels(np.ones(SHAPE, np.uint8)), "snakes": b"no PNG"},
        encoded=b"no PNG either", spacing=(5.0, 0.1, 9.0), lesion_type="liver", split="test",
        patient="another",
    )  # fmt: skip
    assert telling.of(masked) == prompt
    assert telling.of(replace(one)) == prompt


@tellings
def test_a_telling_says_its_kind(telling: Telling):
    assert telling.words[0].startswith(telling.kind.words)


@tellings
def test_a_case_is_the_slice_and_its_prompt(telling: Telling):
    one = lesion(masks={"human": encode_labels(np.ones(SHAPE, np.uint8))})
    case = case_of(one, telling)
    assert case.prompt == telling.of(one)
    assert (case.window, case.spacing, case.shape) == (one.window, one.spacing, SHAPE)
    assert np.array_equal(case.slice_hu, one.slice_hu)
    assert case.volume is None
    assert {field.name for field in fields(Case)} == {
        "slice_hu", "window", "spacing", "prompt", "volume", "key",
    }  # fmt: skip
