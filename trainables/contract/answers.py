"""What a system is told, and what it answers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lesions.prompts import case_of
from trainables.contract.asked import Asked
from trainables.contract.made import made_lesions, shifted, two_on_a_slice
from trainables.evaluate import measure, summarise
from trainables.system import Prediction

SHIFT = (5, -3)  # (x, y) whole pixels


class Answers(Asked):
    """The part of the contract about prompts and answers; the networks are untrained."""

    def test_it_is_told_by_prompts_of_its_kind(self) -> None:
        """The same of a lesion whenever it is asked."""
        for parts in self.answering():
            assert parts.telling.kind is self.system.prompt
            assert parts.telling.words
            for lesion in self.lesions(3):
                told, again = parts.telling.of(lesion), parts.telling.of(lesion)
                assert type(told) is self.system.prompt
                assert np.array_equal(told.points, again.points)

    def test_the_prompt_decides_what_is_seen(self) -> None:
        """Another truth behind the same prompt changes nothing, and another prompt does."""
        first, second = two_on_a_slice(self._masks())
        for parts in self.answering():
            case, other = (case_of(lesion, parts.telling) for lesion in (first, second))
            moved = replace(first, recist=second.recist, masks=second.masks)
            same = replace(case_of(moved, parts.telling), prompt=case.prompt)
            # One by one: in a batch a place may change the last bits.
            of_first, of_moved, of_second = (
                next(iter(parts.predict([each]))) for each in (case, same, other)
            )
            assert differences(of_first, of_moved) == []
            assert differences(of_first, of_second) != []

    def test_answers_are_in_the_slices_own_pixels(self) -> None:
        """The slice is not square, and neither are its pixels."""
        (lesion,) = self.lesions(1)
        for parts in self.answering():
            (found,) = parts.predict([case_of(lesion, parts.telling)])
            assert found.mask is not None or found.volume is not None or self.system.endpoints
            assert (found.mask is None) == (found.probability is None)
            if found.mask is not None and found.probability is not None:
                assert found.mask.shape == found.probability.shape == lesion.shape
                assert found.mask.dtype == np.uint8
                assert found.probability.dtype == np.float32
                assert set(np.unique(found.mask)) <= {0, 1}
                assert 0 <= found.probability.min() <= found.probability.max() <= 1
            if found.recist is not None:
                assert np.isfinite(found.recist.points).all()
            assert len(found.spread_mm) in (0, 4)
            assert set(found.seconds) <= set(parts.names)

    def test_an_answer_moves_with_its_image(self) -> None:
        """By whole pixels, where a part of the slice is all that is looked at."""
        (lesion,) = self.lesions(1)
        for parts in self.answering():
            case = case_of(lesion, parts.telling)
            (here,) = parts.predict([case])
            if here.square is None or here.square[1] >= max(lesion.shape):
                continue
            if len(parts.trained) > 1:  # the first may look at the whole slice
                continue
            (there,) = parts.predict([shifted(case, *SHIFT)])
            assert there.square is not None
            moved = np.subtract(there.square[0], here.square[0])
            assert np.allclose([*moved, there.square[1]], [*SHIFT, here.square[1]], atol=1e-3)
            if here.view is not None and there.view is not None:
                moved = there.view[0] - here.view[0]
                assert np.allclose(moved, [(0, 0, shift) for shift in SHIFT], atol=1e-2)
            if here.probability is not None and there.probability is not None:
                width, height = lesion.shape[1] - SHIFT[0], lesion.shape[0] + SHIFT[1]
                before = here.probability[-SHIFT[1] :, :width]
                assert np.allclose(there.probability[:height, SHIFT[0] :], before, atol=1e-3)

    def test_cases_are_answered_together_as_one_by_one(self) -> None:
        """In their order, whatever their slices' sizes."""
        lesions = [*self.lesions(3), *made_lesions(1, self._masks(), shape=(84, 76), seed=3)]
        for parts in self.answering():
            cases = [case_of(lesion, parts.telling) for lesion in lesions]
            together = list(parts.predict(cases))
            assert len(together) == len(cases)
            for case, found in zip(cases, together, strict=True):
                (alone,) = parts.predict([case])
                assert differences(found, alone, atol=1e-4) == []

    def test_what_it_reports_is_measured(self) -> None:
        """Of every lesion, and the figure of merit is among it."""
        assert self.system.merit.name in self.system.reported
        for parts in self.answering():
            rows = measure(parts, self.lesions(2))
            assert [set(self.system.reported) - set(row) for row in rows] == [set(), set()]
            assert set(self.system.reported) <= set(summarise(self.system, rows))

    def _masks(self) -> Sequence[str]:
        (lesion,) = self.lesions(1)
        return sorted(lesion.masks)


def differences(one: Prediction, other: Prediction, *, atol: float = 0.0) -> list[str]:
    """The fields in which two answers differ by more than `atol`; seconds are none.

    Probabilities stand for masks where something is allowed: near a half they are cut either way.
    """
    found = []
    for name in ("mask", "probability", "volume", "volume_probability", "recist", "peaks"):
        if atol and name in ("mask", "volume", "recist"):
            continue
        ours, theirs = (getattr(answer, name) for answer in (one, other))
        if name == "recist":
            ours, theirs = (None if each is None else each.points for each in (ours, theirs))
        if ours is None or theirs is None:
            same = ours is theirs
        else:
            same = np.allclose(ours, theirs, rtol=0, atol=atol)
        found += [] if same else [name]
    return found
