"""What an epoch that is done means: whether it is the best, and whether its phase ends by it."""

from copy import deepcopy

from torch import nn

from lesions.metrics.merit import Merit
from trainables.recipe import Phase
from trainables.resuming import Progress
from trainables.system import System

# Watched by phases that say so, and where nothing is validated.
VALIDATION_LOSS, TRAINING_LOSS = "val_loss", "train_loss"
LOSS = Merit(name="loss", better="lower")


def advance(
    progress: Progress, system: System, phase: Phase, metrics: dict[str, float], model: nn.Module
) -> None:
    """Take note of an epoch that is done; `metrics` gets the best value so far."""
    merit = system.merit
    progress.epoch, progress.in_phase = progress.epoch + 1, progress.in_phase + 1
    # Without validation lesions the last epoch counts as the best, and beats nobody's.
    value = metrics.get(merit.validated, 0.0 if merit.better == "higher" else merit.worst)
    first = not progress.best_epoch and value == value
    if first or merit.beats(value, progress.best_value) or value == progress.best_value:
        progress.best_value, progress.best_epoch = value, progress.epoch
        progress.best_model = deepcopy(dict(model.state_dict()))
    metrics[merit.best] = progress.best_value
    if phase.schedule.kind == "plateau":
        by_merit = phase.watches == "merit" and merit.validated in metrics
        watched = merit.validated if by_merit else VALIDATION_LOSS
        value = metrics.get(watched, metrics[TRAINING_LOSS])
        progress.ended = progress.plateau.advance(
            value, phase.schedule, merit if by_merit else LOSS
        )
