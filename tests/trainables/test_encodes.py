"""Encoders as vectors: one a case, in order, whoever it is asked with; the baselines, too."""

from typing import Any

import numpy as np
import pytest
import torch

from lesions.prompts import case_of
from tests.discs import lesions_of
from trainables.ahrnet import AHRNetSystem
from trainables.pdnet import PDNetSystem
from trainables.roles import ByLooks, Encodes
from trainables.system import How, System, Trained

CPU = How(device=torch.device("cpu"))


@pytest.mark.parametrize("system", [AHRNetSystem(), PDNetSystem()], ids=lambda one: one.name)
@pytest.mark.parametrize("variant", ["", "nnunet"])
def test_an_encoder_gives_a_vector_a_case(system: System, variant: str) -> None:
    assert isinstance(system, Encodes)
    config: Any = system.presets()["tiny"]()
    if variant:
        config = next(make for name, make in system.variants().items() if variant in name)(config)
    torch.manual_seed(0)
    trained = Trained(config=config, model=system.model(config, pretrained=False).eval())
    telling = system.telling([config])
    cases = [case_of(lesion, telling) for lesion in lesions_of(0)]
    vectors = list(system.encode(trained, cases, CPU))
    assert len(vectors) == 4
    assert all(one.ndim == 1 and one.dtype == np.float32 for one in vectors)
    assert len({one.tobytes() for one in vectors}) == 4
    (last,) = system.encode(trained, cases[3:], CPU)
    np.testing.assert_allclose(last, vectors[3], rtol=1e-4, atol=1e-5)


def test_no_role_is_anothers() -> None:
    assert not isinstance(AHRNetSystem(), ByLooks)
