"""The masks of a training's next round, made by actors over the cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lesions.prepared import PreparedSet
from trainables.parts import load_parts
from trainables.registry import named_system
from trainables.relabelling import make_chunk, relabelled
from trainables.workers import use_assigned_resources


@dataclass(frozen=True, kw_only=True)
class MaskPlan:
    """What a round's masks are made from, and where.

    Attributes:
        system: the word that names it.
        checkpoint: the last round's model.
        data: the prepared set.
        before: the masks of its own and all earlier rounds, in order.
        out: the folder of the new ones.
    """

    system: str
    checkpoint: Path
    data: Path
    before: tuple[Path, ...]
    out: Path


class MaskMaker:
    """An actor with the model loaded: makes chunks of a round's masks."""

    def __init__(self, plan: MaskPlan) -> None:
        named_system(plan.system)
        self.plan = plan
        self.parts = load_parts([plan.checkpoint], use_assigned_resources())
        self.lesions = relabelled(PreparedSet(plan.data, "train"), *plan.before)

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Make the chunk `item["chunk"]`, unless it is there; `error` says why it is not."""
        error = ""
        try:
            make_chunk(self.parts, self.lesions, self.plan.out, item["chunk"])
        except OSError as failure:
            error = str(failure)
        return {"chunk": item["chunk"], "error": error}
