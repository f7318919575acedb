"""Embed the lesions of a prepared set: how they look, as vectors; clusters, and a page of them."""

from dataclasses import dataclass, replace
from pathlib import Path

from dashboards.pages.clusters import write_cluster_page
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.prepared.embeddings import FOLDER
from platform.command_line.models import checkpoints_of_any
from platform.command_line.options import AUTO, SAME_AGAIN, Outputs, parse, preset_of, run
from platform.running.cluster import has_gpu
from platform.running.datasets import Data, find_data
from platform.running.driving import driving
from platform.running.embedding import Encoder, Made, Wanted, make_embeddings
from platform.running.pictured import cluster_page
from platform.running.storage import default_storage, writable
from trainables.answering.identity import Checkpoint
from trainables.checkpoint import read_run
from trainables.embedding.config import PRESETS, EmbeddingConfig
from trainables.registry import word_of
from trainables.roles import Encodes

PAGE = "index.html"


@dataclass(frozen=True, kw_only=True)
class EmbedOptions(Outputs):
    """Embed a set's lesions, cluster them, and show which look alike.

    An embedder is trained on the set's own type, place and size of each lesion; or a trained
    model's encoder is taken.

    Attributes:
        data: a prepared set; without it the shipped sample.
        out: where the embeddings go; without it SET/embeddings, where training finds them. Run
            again after a kill, it goes on where it was.
        preset: the paper's embedder, or a small one for CPUs; auto takes tiny without a GPU.
        pretrained: start from ImageNet weights, as the paper's does.
        imagenet_file: a state dict of vgg16_bn to read instead of timm's hub.
        model: of a trained system's encoder instead: NAME@ALIAS, as NAME@champion, NAME:VERSION or
            a checkpoint's folder.
        clusters: how many; without it in the paper's proportion, 200 for 32,735 lesions.
        seed: of the embedder and of the clusters.
        page: write index.html: clusters as pictures, a map, and lesions like each one.
        storage: where the sample's prepared set and registered models are.
    """

    data: Path | None = None
    out: Path | None = None
    preset: str = AUTO
    pretrained: bool = True
    imagenet_file: Path | None = None
    model: str | None = None
    clusters: int | None = None
    seed: int = 0
    page: bool = True
    storage: Path | None = None

    def __post_init__(self) -> None:
        """InputError for options that do not go together."""
        if self.clusters is not None and self.clusters < 1:
            raise InputError(f"--clusters is {self.clusters}; it must be above 0")
        others = self.preset != AUTO or not self.pretrained or self.imagenet_file is not None
        if self.model is not None and others:
            raise InputError("--preset, --pretrained and --imagenet-file are for an embedder that "
                             "is trained, not for --model")  # fmt: skip

    def config(self) -> EmbeddingConfig:
        """How an embedder is trained."""
        name = preset_of("embed", self.preset, PRESETS, has_gpu)
        return embedding_config(
            name, self.seed, pretrained=self.pretrained, imagenet_file=self.imagenet_file
        )


def embedding_config(
    preset: str, seed: int = 0, *, pretrained: bool = True, imagenet_file: Path | None = None
) -> EmbeddingConfig:
    """A preset with a seed, and its first weights.

    Args:
        preset: its name.
        seed: of all that is random.
        pretrained: from ImageNet, where the preset is.
        imagenet_file: read instead of the hub.
    """
    config = PRESETS[preset]()
    embedder = config.embedder if pretrained else config.embedder.bare
    if imagenet_file is not None:
        embedder = replace(embedder, imagenet_file=imagenet_file.expanduser().absolute())
    return replace(config, embedder=embedder, seed=seed)


def encoder_of(said: str, storage: Path) -> Encoder:
    """A trained model's encoder; InputError where its system has none that can be pooled."""
    folder = Path(said).expanduser().absolute()
    if folder.is_dir():  # one part's is enough
        system, last = read_run(folder)[0], Checkpoint(folder=folder)
    else:
        system, found = checkpoints_of_any((said,), storage)
        *_, last = found.values()
    if not isinstance(system, Encodes):
        raise InputError(f"{system.name} has no encoder whose features can be pooled",
                         remedy="name a model of another system, or leave --model out")  # fmt: skip
    return Encoder(system=word_of(system), said=said, checkpoint=last)


def embed_set(wanted: Wanted, data: Data, *, page: bool = True) -> Made:
    """Make a set's embeddings, its clusters and maybe their page; one process at a time does."""
    with driving(wanted.out):
        made = make_embeddings(wanted)
        if page:
            write_cluster_page(cluster_page(made, data, wanted.seed), wanted.out / PAGE)
            say(f"page: {wanted.out / PAGE}")
    return made


def main() -> None:
    """Parse the command line, embed, cluster, write the page."""
    options = parse(EmbedOptions, prog="python -m platform.embed")
    storage = writable(options.storage or default_storage())
    data = find_data(options.data, storage)
    out = writable(options.out or data.root / FOLDER)
    by = options.config() if options.model is None else encoder_of(options.model, storage)
    wanted = Wanted(data=data.root, out=out, by=by, clusters=options.clusters, seed=options.seed)
    made = embed_set(wanted, data, page=options.page)
    clusters, vectors = made.clusters, made.embeddings.vectors
    merged = f", {clusters.merged} merged to have two patients each" if clusters.merged else ""
    say(f"{len(vectors)} lesions as vectors of {vectors.shape[1]} numbers in {out}")
    say(f"{clusters.count} clusters of {len(clusters.labels)} training lesions{merged}")


if __name__ == "__main__":
    run(main, again=SAME_AGAIN)
