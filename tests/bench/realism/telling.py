"""How well a small network, or a few numbers, tell made lesions from real ones.

Patients are left out: what is asked about a patient's patches comes from networks that saw none of
them. Real and made are of the same scans, sizes and hosts, one to one, so a scanner tells nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from tests.bench.realism.measures import Mask, signed_mm
from tests.bench.realism.pairs import PATCH, Seen

Images = NDArray[np.float32]

FOLDS, SEEDS, EPOCHS, BATCH, RATE = 5, 3, 15, 32, 3e-3
RESAMPLES = 2000
WINDOWS = ((-160.0, 240.0), (-1100.0, 200.0))  # HU; each a channel
MARGIN = 3.0  # pixels
SMOOTH = 2.0  # σ in pixels that leaves nothing of the noise


def seen_as_it_is(one: Seen) -> Images:
    """The patch."""
    assert one.patch is not None
    return one.patch.astype(np.float32)


def empty_place(one: Seen) -> Images:
    """A made lesion's place before it was made; a real one as it is."""
    return (
        one.empty.astype(np.float32) if one.made and one.empty is not None else seen_as_it_is(one)
    )


def surroundings(one: Seen) -> Images:
    """A disc of the ring's HU over the lesion, its radius a multiple of 4: only what is around."""
    image, reach = seen_as_it_is(one), 4 * np.ceil(_radius(one) / 4 + 1)
    return np.where(_from_middle() < reach, np.float32(one.look.around), image)


def lesion_only(one: Seen) -> Images:
    """The lesion and 3 pixels about it on the ring's HU: what it is, not where."""
    assert one.mask is not None
    return _within_margin(one, seen_as_it_is(one))


def without_noise(one: Seen) -> Images:
    """The lesion only, smoothed until no noise, texture or sharp edge is left."""
    return _within_margin(one, np.asarray(cv2.GaussianBlur(seen_as_it_is(one), (0, 0), SMOOTH)))


def without_contrast(one: Seen) -> Images:
    """The lesion only, brought to 40 HU more than its surroundings, and these to 50 HU."""
    assert one.mask is not None
    look, sign = one.look, 1 if one.look.contrast >= 0 else -1
    share = np.clip(0.5 - _away(one.mask) / 2, 0, 1).astype(np.float32)
    above = sign * (_within_margin(one, seen_as_it_is(one)) - np.float32(look.around))
    return above + np.float32(40 - abs(look.contrast)) * share + np.float32(50)


def only_inside(one: Seen) -> Images:
    """The largest disc within, its mean taken out, on nothing: noise and texture."""
    assert one.mask is not None
    depth = -_away(one.mask)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    rows, columns = np.mgrid[:PATCH, :PATCH]
    disc = np.hypot(rows - y, columns - x) < max(2.0, float(depth.max()) - 1.5)
    image = seen_as_it_is(one)
    moved = np.where(disc, image - image[disc].mean(), 0) + np.float32(40)
    return np.roll(moved, (PATCH // 2 - int(y), PATCH // 2 - int(x)), axis=(0, 1))


VIEWS: dict[str, Callable[[Seen], Images]] = {
    "whole patch": seen_as_it_is,
    "place, no lesion made": empty_place,
    "surroundings only": surroundings,
    "lesion only": lesion_only,
    "lesion only, of one contrast": without_contrast,
    "inside only": only_inside,
    "lesion only, smooth": without_noise,
}


def _within_margin(one: Seen, image: Images) -> Images:
    assert one.mask is not None
    weight = np.clip((MARGIN + 1 - _away(one.mask)) / 2, 0, 1).astype(np.float32)
    around = np.float32(one.look.around)
    return np.asarray(around + weight * (image - around))


def _radius(one: Seen) -> float:
    assert one.mask is not None
    return float((_from_middle() * one.mask).max())


def _from_middle() -> NDArray[np.float64]:
    rows, columns = np.mgrid[:PATCH, :PATCH] - PATCH // 2
    return np.asarray(np.hypot(rows, columns))


def _away(mask: Mask) -> NDArray[np.float64]:
    return signed_mm(mask, (1.0, 1.0))


def numbers(one: Seen) -> list[float]:
    """What the intensities are: no shape, no place."""
    look = one.look
    return [look.inside, look.around, look.contrast, abs(look.contrast),
            look.uneven / look.noise, look.ring_uneven / look.noise]  # fmt: skip


class Network(nn.Sequential):
    """61,000 parameters."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for into, out, side, step in (
            (2, 16, 5, 2),
            (16, 32, 3, 2),
            (32, 64, 3, 2),
            (64, 64, 3, 2),
        ):
            layers += [nn.Conv2d(into, out, side, step, side // 2, bias=False),
                       nn.BatchNorm2d(out), nn.ReLU()]  # fmt: skip
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2),
                         nn.Linear(64, 1))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Told:
    """How well made ones are told.

    Attributes:
        auc: 0.5 is chance; of the scores' mean over the seeds.
        low, high: 95 %, patients resampled.
        by_seed: the AUC of each.
    """

    auc: float
    low: float
    high: float
    by_seed: tuple[float, ...]

    def __str__(self) -> str:
        seeds = " ".join(f"{one:.2f}" for one in self.by_seed)
        return f"{self.auc:.2f} [{self.low:.2f}, {self.high:.2f}]  seeds {seeds}"


def told(scores: NDArray[np.float64], made: NDArray[np.bool_], patients: NDArray[np.str_]) -> Told:
    """The AUC of scores (seeds, N), with its interval over patients."""
    mean = scores.mean(axis=0)
    names = np.asarray(patients)
    rows = [np.flatnonzero(names == one) for one in np.unique(names)]
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        of = np.concatenate([rows[i] for i in random.integers(len(rows), size=len(rows))])
        drawn.append(auc_of(mean[of], made[of]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Told(auc=auc_of(mean, made), low=float(low), high=float(high),
                by_seed=tuple(auc_of(one, made) for one in scores))  # fmt: skip


def auc_of(scores: NDArray[np.float64], made: NDArray[np.bool_]) -> float:
    """The share of pairs of a made and a real one of which the made one scores higher."""
    count = int(made.sum())
    above = rankdata(scores)[made].sum() - count * (count + 1) / 2
    return float(above / (count * (len(made) - count)))


def by_network(lesions: Sequence[Seen], view: Callable[[Seen], Images]) -> NDArray[np.float64]:
    """(seeds, N): how much each looks made to networks by what a view shows."""
    images = torch.from_numpy(np.stack([_channels(view(one)) for one in lesions]))
    made = np.array([one.made for one in lesions])
    patients = [one.patient for one in lesions]
    scores = np.zeros((SEEDS, len(lesions)))
    for seed in range(SEEDS):
        for train, test in _folds(patients, seed):
            network = _trained(images[train], torch.from_numpy(made[train]).float(), seed)
            with torch.inference_mode():
                turned = [network(one).squeeze(1).numpy() for one in _turned(images[test])]
            scores[seed, test] = np.mean(turned, axis=0)
    return scores


def by_numbers(lesions: Sequence[Seen]) -> NDArray[np.float64]:
    """(seeds, N): how much each looks made to logistic regression by `numbers` and squares."""
    rows = np.array([numbers(one) for one in lesions])
    rows = np.concatenate([rows, ((rows - rows.mean(axis=0)) / rows.std(axis=0)) ** 2], axis=1)
    made = np.array([one.made for one in lesions])
    patients = [one.patient for one in lesions]
    scores = np.zeros((SEEDS, len(lesions)))
    for seed in range(SEEDS):
        for train, test in _folds(patients, seed):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
            scores[seed, test] = model.fit(rows[train], made[train]).decision_function(rows[test])
    return scores


def _folds(patients: Sequence[str], seed: int) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    count = min(FOLDS, len(set(patients)))
    split = GroupKFold(n_splits=count, shuffle=True, random_state=seed)
    return list(split.split(np.zeros(len(patients)), groups=patients))


def _channels(image: Images) -> Images:
    return np.stack([np.clip((image - low) / (high - low), 0, 1) * 4 - 2
                     for low, high in WINDOWS]).astype(np.float32)  # fmt: skip


def _turned(images: torch.Tensor) -> list[torch.Tensor]:
    return [images, images.flip(3), images.flip(2), images.flip(2, 3)]


def _trained(images: torch.Tensor, made: torch.Tensor, seed: int) -> Network:
    torch.manual_seed(seed)
    network = Network()
    steps = EPOCHS * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            turned = torch.rot90(images[batch], int(torch.randint(4, ())), (2, 3))
            turned = turned.flip(3) if torch.rand(()) < 0.5 else turned
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(turned).squeeze(1), made[batch])  # fmt: skip
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()
