"""Who answers, and how: as a command says it, and loaded where it is to run."""

from dataclasses import dataclass

import torch

from lesions.prompts import Case, Prompt
from trainables.answering.identity import Identity
from trainables.answering.precision import precision_of
from trainables.answering.told import made_prompt
from trainables.parts import Parts, load_parts
from trainables.registry import named_system


@dataclass(frozen=True, kw_only=True)
class Answering:
    """Who answers, and how; small, to be sent to workers.

    Attributes:
        system: the word that names it: a worker does not know all systems of others.
        model: what answers.
        teller: another model whose mask makes what the system is told, where one does.
        tta: average over mirrored views.
        precision: "auto", "fp32" or "bf16".
        perpendicular: turn the shorter axis to be perpendicular to the longer one.
    """

    system: str
    model: Identity
    teller: Identity | None = None
    tta: bool = False
    precision: str = "auto"
    perpendicular: bool = False

    def load(self, device: torch.device) -> "Answerer":
        """Ready to answer; InputError for checkpoints that are damaged or none of the system's."""
        named_system(self.system)
        return Answerer(
            answering=self,
            parts=self._load(self.model, device),
            teller=None if self.teller is None else self._load(self.teller, device),
        )

    def _load(self, model: Identity, device: torch.device) -> Parts:
        precision = precision_of(self.precision, device)
        return load_parts(
            model.folders, device, precision=precision, tta=self.tta,
            perpendicular=self.perpendicular,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """Loaded models.

    Attributes:
        answering: who they are.
        parts: what answers.
        teller: see `Answering`.
    """

    answering: Answering
    parts: Parts
    teller: Parts | None = None

    @property
    def protocol(self) -> str:
        """The sentences that say what they are told."""
        if self.teller is None:
            return self.parts.protocol
        made, by = self.parts.system.prompt.name, self.teller.system.title
        return f"{self.parts.protocol} {by} makes the {made}. {self.teller.protocol}"

    def told(self, case: Case) -> Prompt:
        """What the system is told: the case's own prompt, or what the other model makes of it.

        Raises:
            InputError: the other model segments nothing.
        """
        if self.teller is None:
            return case.prompt
        (found,) = self.teller.predict([case])
        return made_prompt(self.parts.telling, found, case)
