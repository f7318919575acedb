"""The embeddings of a set: what Ray's workers run, to train an embedder and to embed by it.

What is wrong is returned, not raised: Ray would wrap it in the worker's traceback.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import InputError, Lesion
from lesions.files import write_text
from lesions.prepared import PreparedSet
from lesions.prompts import case_of
from trainables.embedding.chunks import chunk_path, chunks_of, write_chunk
from trainables.embedding.config import EmbeddingConfig
from trainables.embedding.judged import judged
from trainables.embedding.looked import Looked, look_at
from trainables.embedding.network import Embedder
from trainables.embedding.saved import MODEL, read_embedder, save_embedder
from trainables.embedding.training import EmbedderTraining, fresh
from trainables.embedding.views import embed
from trainables.parts import Parts, load_parts
from trainables.registry import named_system
from trainables.roles import Encodes
from trainables.workers import use_assigned_resources

TRAINING, FIGURES = "training", "figures.json"


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """An embedder to be trained.

    Attributes:
        data: the prepared set.
        out: the folder of its embeddings.
        config: how.
    """

    data: Path
    out: Path
    config: EmbeddingConfig


class EmbedderTrainer:
    """An actor that trains one, an epoch a call."""

    def __init__(self, plan: TrainPlan) -> None:
        self.plan, self.device = plan, use_assigned_resources()
        self.training: EmbedderTraining | None = None

    def begin(self) -> dict[str, Any]:
        """Look at the lesions; `lesions`, how many, and `done`, epochs of a run that was killed."""
        try:
            looked, folder = self._looked("train"), self.plan.out / TRAINING
            self.training = EmbedderTraining(looked, self.plan.config, folder, self.device)
        except InputError as error:
            return {"error": error}
        return {"error": None, "done": self.training.done, "lesions": len(looked.cues)}

    def epoch(self) -> dict[str, Any]:
        """Train one; its mean `loss`."""
        assert self.training is not None
        return {"error": None, "loss": self.training.epoch()}

    def finish(self) -> dict[str, Any]:
        """Write the embedder, and `figures` of what it gained on validation lesions."""
        assert self.training is not None
        model, config = self.training.model.eval(), self.plan.config
        before = fresh(config).to(self.device)
        looked = (self.training.looked, self._looked("validation"))
        figures = judged(before, model, *looked, config, self.device)
        write_text(self.plan.out / MODEL / FIGURES, json.dumps(figures, indent=1))
        save_embedder(self.plan.out / MODEL, model)
        return {"error": None, "figures": figures}

    def _looked(self, split: str) -> Looked:
        return look_at(
            PreparedSet(self.plan.data, split, embedded=False), self.plan.config.embedder
        )


@dataclass(frozen=True, kw_only=True)
class VectorPlan:
    """Vectors to be made.

    Attributes:
        data: the prepared set.
        out: the folder of its embeddings; of an embedder that was trained, it is there.
        system: the word that names a trained model's system; "" of an embedder.
        checkpoint: the folder of that model, one part's.
    """

    data: Path
    out: Path
    system: str = ""
    checkpoint: Path | None = None


class VectorMaker:
    """An actor with the network loaded: makes chunks of a set's vectors."""

    def __init__(self, plan: VectorPlan) -> None:
        self.plan, self.device = plan, use_assigned_resources()
        self.lesions = PreparedSet(plan.data, embedded=False)
        self.embedder: Embedder | None = None
        self.parts: Parts | None = None
        if plan.checkpoint is not None:
            named_system(plan.system)
            self.parts = load_parts([plan.checkpoint], self.device)
        else:
            self.embedder = Embedder(read_embedder(plan.out)).to(self.device).eval()

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Make the chunk `item["chunk"]`, unless it is there; `error` says why it is not."""
        number, error = item["chunk"], ""
        places = chunks_of(len(self.lesions))[number]
        try:
            if not chunk_path(self.plan.out, number).exists():
                some = (self.lesions[at] for at in places)
                write_chunk(self.plan.out, number, self._vectors(some))
        except (OSError, InputError) as failure:
            error = str(failure)
        return {"chunk": number, "lesions": len(places), "error": error}

    def _vectors(self, lesions: Iterator[Lesion]) -> NDArray[np.float32]:
        if self.embedder is not None:
            return embed(self.embedder, lesions, self.device)
        assert self.parts is not None
        return encoded(self.parts, lesions)


def encoded(parts: Parts, lesions: Iterator[Lesion] | Sequence[Lesion]) -> NDArray[np.float32]:
    """The vectors (N, D) of lesions by a trained part's encoder."""
    (trained,), system, telling = parts.trained, parts.system, parts.telling
    assert isinstance(system, Encodes)
    cases = (case_of(lesion, telling) for lesion in lesions)
    with torch.inference_mode():
        return np.stack(list(system.encode(trained, cases, parts.how)))
