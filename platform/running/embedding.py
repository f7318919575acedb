"""The embeddings of a prepared set: made, clustered and written, or gone on with after a kill."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.progress import track

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import write_text
from lesions.prepared.embeddings import (
    FILE,
    SetEmbeddings,
    embeddings_in,
    lesions_digest,
    write_vectors,
)
from lesions.prepared.facts import FACTS
from lesions.prepared.parquet import read_table
from lesions.prepared.prepared_set import INDEX
from platform.running.actors import over_actors
from platform.running.cluster import cluster
from trainables.answering.identity import Checkpoint
from trainables.checkpoint import model_digest
from trainables.configs import flatten
from trainables.embedding.chunks import CHUNKS, chunk_path, chunks_of, claim, claimed, gathered
from trainables.embedding.clusters import Clusters, clusters_for, fit_clusters
from trainables.embedding.config import EmbeddingConfig
from trainables.embedding.making import (
    TRAINING,
    EmbedderTrainer,
    TrainPlan,
    VectorMaker,
    VectorPlan,
)
from trainables.embedding.saved import CONFIG, MODEL
from trainables.embedding.training import fresh

CLUSTERS = "clusters.json"


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A trained model whose encoder embeds.

    Attributes:
        system: the word that names its system.
        said: how the user names it.
        checkpoint: of its last part.
    """

    system: str
    said: str
    checkpoint: Checkpoint

    @property
    def digest(self) -> str:
        """What tells it from others."""
        return model_digest(self.checkpoint.folder)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Embeddings that are wanted.

    Attributes:
        data: the prepared set's folder.
        out: where they go.
        by: how an embedder is trained, or a trained model.
        clusters: how many; None = in the paper's proportion.
        seed: of the clusters' starts.
    """

    data: Path
    out: Path
    by: EmbeddingConfig | Encoder
    clusters: int | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Made:
    """Embeddings that are there.

    Attributes:
        index: `FACTS` of the set.
        embeddings: of all of its lesions.
        clusters: fitted on the training lesions.
        wanted: how many of them were, before any was merged.
    """

    index: pa.Table
    embeddings: SetEmbeddings
    clusters: Clusters
    wanted: int


def make_embeddings(wanted: Wanted) -> Made:
    """Make what is not there yet of the embeddings; this process alone writes to their folder.

    Raises:
        InputError: the set has no training lesions, there is nothing to learn from, or nothing
            can be written.
    """
    index = read_table(wanted.data / INDEX, FACTS)
    if "train" not in index["split"].to_pylist():
        raise InputError("the set has no training lesions, and on these alone clusters are fitted",
                         file=wanted.data)  # fmt: skip
    out, lesions = wanted.out, lesions_digest(index)
    plan = {"lesions": lesions, **_identity(wanted.by)}
    if claimed(out, plan) and (whole := _whole(wanted, lesions)) is not None:
        say(f"the embeddings in {out} are whole")
        return _clustered(wanted, index, whole)
    if isinstance(wanted.by, EmbeddingConfig) and not claimed(out, plan):
        fresh(wanted.by)  # where its weights are out of reach, what is there may stay
    claim(out, plan)
    with cluster() as resources:
        made_by = _embedder(wanted, wanted.by, resources)
        _make_chunks(wanted, len(index), resources)
    write_vectors(out / FILE, index, gathered(out, len(index)), made_by)
    found = _read(wanted, lesions)
    made = _clustered(wanted, index, found)
    for folder in (CHUNKS, TRAINING):
        shutil.rmtree(out / folder, ignore_errors=True)
    return made


def _whole(wanted: Wanted, lesions: str) -> SetEmbeddings | None:
    """The vectors that are there; None where there are none, or damaged ones."""
    if not (wanted.out / FILE).exists():
        return None
    try:
        return _read(wanted, lesions)
    except InputError as error:
        say(f"made again: {error.reason}")
        return None


def _read(wanted: Wanted, lesions: str) -> SetEmbeddings:
    path = wanted.out / FILE
    return embeddings_in(wanted.data, path, lesions, path.stat().st_mtime_ns)


def _identity(by: EmbeddingConfig | Encoder) -> dict[str, Any]:
    """What tells embeddings by this from others."""
    if isinstance(by, Encoder):
        return {"system": by.system, "model": by.digest}
    return {"config": json.loads(json.dumps(flatten(by)))}


def _embedder(wanted: Wanted, by: EmbeddingConfig | Encoder, resources: dict[str, float]) -> str:
    """See that there is what embeds; what it is, in words."""
    if isinstance(by, Encoder):
        return f"the encoder of {by.said} (model {by.digest[:12]})"
    if not (wanted.out / MODEL / CONFIG).exists():
        _train(TrainPlan(data=wanted.data, out=wanted.out, config=by), resources)
    return f"an embedder trained on the set's training lesions, seed {by.seed}"


def _train(plan: TrainPlan, resources: dict[str, float]) -> None:
    import ray

    gpus = 1 if resources.get("GPU", 0) >= 1 else 0
    trainer = ray.remote(num_cpus=1, num_gpus=gpus)(EmbedderTrainer).remote(plan)
    begun = _said(ray.get(trainer.begin.remote()))
    left = range(begun["done"], plan.config.epochs)
    for _ in track(left, f"training the embedder on {begun['lesions']} lesions"):
        _said(ray.get(trainer.epoch.remote()))
    figures = _said(ray.get(trainer.finish.remote()))["figures"]
    ray.kill(trainer)
    say(in_words(figures))


def _said(outcome: dict[str, Any]) -> dict[str, Any]:
    if outcome["error"] is not None:
        raise outcome["error"]
    return outcome


def in_words(figures: dict[str, float]) -> str:
    """What an embedder's training has gained on validation lesions, in a sentence."""
    words = []
    if "triplet_accuracy" in figures:
        words.append(f"{figures['triplet_accuracy']:.1%} of triplets are in order, "
                     f"{figures['triplet_accuracy_before']:.1%} before the training")  # fmt: skip
    if "type_agreement" in figures:
        words.append(f"{figures['type_agreement']:.1%} of near neighbours are of the same type, "
                     f"{figures['type_chance']:.1%} by chance")  # fmt: skip
    return "validation lesions: " + ("; ".join(words) or "none that could judge the embedder")


def _make_chunks(wanted: Wanted, lesions: int, resources: dict[str, float]) -> None:
    by = wanted.by
    named = by.system if isinstance(by, Encoder) else ""
    checkpoint = by.checkpoint.folder if isinstance(by, Encoder) else None
    plan = VectorPlan(data=wanted.data, out=wanted.out, system=named, checkpoint=checkpoint)
    chunks = range(len(chunks_of(lesions)))
    items = [{"chunk": number} for number in chunks if not chunk_path(wanted.out, number).exists()]
    outcomes = over_actors(items, VectorMaker, {"plan": plan}, resources)
    for outcome in track(outcomes, "embedding", len(items)):
        if outcome["error"]:
            raise InputError(f"lesions cannot be embedded: {outcome['error']}", file=wanted.out,
                             remedy="what is done is kept: run the same command again")  # fmt: skip


def _clustered(wanted: Wanted, index: pa.Table, embeddings: SetEmbeddings) -> Made:
    """Fit the clusters on the training lesions, and write what they are."""
    splits, patients = index["split"].to_numpy(), index["patient"].to_numpy()
    training = splits == "train"
    count = wanted.clusters or clusters_for(int(training.sum()))
    found = fit_clusters(
        embeddings.vectors[training], patients[training].tolist(), count=count, seed=wanted.seed
    )
    told = {
        "clusters": found.count, "wanted": count, "merged": found.merged,
        "inertia": found.inertia, "sizes": found.sizes.tolist(), "seed": wanted.seed,
        "training_lesions": int(training.sum()), "embeddings": embeddings.digest,
    }  # fmt: skip
    write_text(wanted.out / CLUSTERS, json.dumps(told, indent=1))
    return Made(index=index, embeddings=embeddings, clusters=found, wanted=count)
