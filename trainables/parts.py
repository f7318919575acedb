"""Trained parts that answer together: the one way from a prompt to an answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import InputError, Recist
from lesions.errors import spoken
from lesions.masks.parts import part_at
from lesions.prompts import Case, Telling
from lesions.prompts.prompt import Point
from trainables.checkpoint import load_best
from trainables.settled import settled
from trainables.system import How, Prediction, System, Trained


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """One trained part of a system, or all of them in order, ready to answer.

    Attributes:
        system: whose they are.
        trained: in the system's order.
        how: their device, precision and averaging.
        folders: of their checkpoints, where they come from some.
    """

    system: System
    trained: tuple[Trained, ...]
    how: How
    folders: tuple[Path, ...] = ()

    @property
    def configs(self) -> list[Any]:
        """Each part's."""
        return [one.config for one in self.trained]

    @property
    def config(self) -> Any:
        """The last part's, whose answer it is."""
        return self.trained[-1].config

    @property
    def names(self) -> tuple[str, ...]:
        """The parts' own; ("",) of a system without parts."""
        return tuple(map(self.system.part, self.configs))

    @property
    def method(self) -> str:
        """How tables call what answers."""
        return self.system.method(self.config)

    @property
    def telling(self) -> Telling:
        """How evaluation tells them of a lesion."""
        return self.system.telling(self.configs)

    @property
    def protocol(self) -> str:
        """What they are told, for those who read their results."""
        return protocol(self.system, self.configs)

    def alone(self, at: int) -> "Parts":
        """One of them by itself, in its own protocol."""
        return replace(self, trained=(self.trained[at],), folders=self.folders[at:][:1])

    def predict(self, cases: Iterable[Case]) -> Iterator[Prediction]:
        """One prediction a case, in order.

        Where the system predicts no endpoints the RECIST is measured from the mask: from its part
        at the prompt, or nearest to it. What is wrong with axes is mended or said: see `settled`.

        Raises:
            InputError: a prompt of another kind, or one outside its slice.
        """
        waiting: list[Case] = []

        def seen() -> Iterator[Case]:
            for case in cases:
                check_case(self.system, case)
                waiting.append(case)
                yield case

        for found in self.system.predict(self.trained, seen(), self.how):
            case = waiting.pop(0)
            yield settled(_with_recist(self.system, found, case), case, self.how.perpendicular)


def load_parts(
    folders: Sequence[Path],
    device: torch.device,
    *,
    precision: torch.dtype | None = None,
    tta: bool = False,
    perpendicular: bool = False,
) -> Parts:
    """The parts in these folders of checkpoints, which say themselves what they are.

    Args:
        folders: one part's, or every part's in any order.
        device: where they are to run.
        precision: of the forward pass; None = float32.
        tta: average over mirrored views.
        perpendicular: of the axes; see `How`.

    Raises:
        InputError: no checkpoint there or a damaged one, two systems, a part twice, or some of
            the parts and not all.
    """
    found: dict[str, tuple[Path, Trained]] = {}
    system: System | None = None
    for folder in folders:
        own, config, model = load_best(folder, device)
        system = system or own
        part = own.part(config)
        if own.name != system.name:
            raise InputError(f"holds {own.name}, not {system.name}", file=folder)
        if part in found:
            raise InputError(f"holds {words_of(own, part)}, and so does {found[part][0]}",
                             file=folder)  # fmt: skip
        found[part] = folder, Trained(config=config, model=model)
    assert system is not None
    order = list(system.parts) or [""]
    if len(found) > 1 and (missing := [part for part in order if part not in found]):
        raise InputError(
            f"which {missing[0]} is to answer?", remedy=how_to_make(system.parts[missing[0]])
        )
    chosen = [found[part] for part in order if part in found]
    return Parts(
        system=system,
        trained=tuple(trained for _, trained in chosen),
        how=How(device=device, precision=precision, tta=tta, perpendicular=perpendicular),
        folders=tuple(folder for folder, _ in chosen),
    )


def how_to_make(fields: Mapping[str, Any]) -> str:
    """What a user says to train the part that these fields of the config make."""
    words = " ".join(f"--config.{name.replace('_', '-')} {value}" for name, value in fields.items())
    return f"train it with {words}"


def protocol(system: System, configs: Sequence[Any]) -> str:
    """What these parts of a system are told, in one sentence."""
    told = ["the slice", *system.telling(configs).words]
    given = f"{', '.join(told[:-1])} and {told[-1]}"
    names = [spoken(system.part(config)) for config in configs]
    if not system.parts:
        return f"Given are {given}."
    who = f"{names[0]} alone" if len(names) == 1 else f"{' and '.join(names)} in order"
    return f"{who[0].upper()}{who[1:]}: given are {given}."


def words_of(system: System, part: str) -> str:
    """A part of a system, in words: "pdnet, stage 2"."""
    return f"{system.name}, {spoken(part)}" if part else system.name


def check_case(system: System, case: Case) -> None:
    """InputError for a prompt that the system is not told, or one beside the slice."""
    if not isinstance(case.prompt, system.prompt):
        raise InputError(f"{system.name} is told {system.prompt.words}, not {case.prompt.words}")
    x, y = case.prompt.middle
    height, width = case.shape
    if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        raise InputError(
            f"the {case.prompt.name} at {x:g},{y:g} lies outside the slice of {width} × {height} "
            "pixels"
        )


def recist_at(mask: NDArray[np.uint8], at: Point, spacing: Sequence[float]) -> Recist | None:
    """The RECIST of a mask's part that holds a point or is nearest to it; None for no mask."""
    part = part_at(mask == 1, at)
    return Recist.from_mask(part, spacing) if part.any() else None


def _with_recist(system: System, found: Prediction, case: Case) -> Prediction:
    if system.endpoints or found.mask is None or found.recist is not None:
        return found
    return replace(found, recist=recist_at(found.mask, case.prompt.middle, case.spacing))


def weights_of(folders: Mapping[str, Path], part: str) -> dict[str, torch.Tensor]:
    """The best weights of a trained part; InputError where it is not given."""
    if part not in folders:
        raise InputError(
            f"the recipe takes over {spoken(part)}, and none is given",
            remedy="name its trained model with --parts",
        )
    _, _, model = load_best(folders[part], torch.device("cpu"))
    return model.state_dict()
