"""What a `Fitter` is given: a task, which brings losses, and how long and how fast to fit it."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor, nn

from sidestep.sequence.limits import LAST_SEED, POSITIVE, at_least, check_fields, one_of

LAST_COUNT = 10**12
"""The checkpoint's names have so many digits."""
THREADS = 1024


class Loss(NamedTuple):
    """The loss of one batch, kept as sum and number so that means over batches are exact."""

    total: Tensor
    """(), the sum over all that is counted, with its graph."""
    terms: int
    """How many were counted: characters, tokens, values; at least 1."""


class Task(Protocol):
    """What is fitted: plain attributes `module` and `unit` will do."""

    @property
    def module(self) -> nn.Module:
        """Its parameters are optimised and its `state_dict` is saved; on its device already."""
        ...

    @property
    def unit(self) -> str:
        """What `Loss.terms` counts, in the plural, for instance "characters"."""
        ...

    def loss(self, update: int) -> Loss:
        """The next batch's loss, in training mode; moves on in the data.

        Args:
            update: how many updates were made before, for schedules of the task's own.
        """
        ...

    def validate(self) -> dict[str, float]:
        """Figures on held-out data, in evaluation mode and without gradient.

        The entry "loss" decides which checkpoint is the best, lower being better. It must leave
        the state of training and its generators as they are; {} where nothing is held out.
        """
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """What the next batches depend on beside the module; tensors, for safetensors."""
        ...

    def check_state(self, state: dict[str, Tensor]) -> None:
        """Raise ValueError unless `load_state_dict` can take `state`; see `check_tensors`."""
        ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`."""
        ...


@dataclass(frozen=True)
class FittingConfig:
    """How long, how fast, and what is kept."""

    updates: int = 1000
    """Optimizer steps."""
    learning_rate: float = 3e-3
    """Adam's step size at the beginning."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Whether it falls along half a cosine to zero over all updates, or stays."""
    max_gradient_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    seed: int = 0
    """Of parameters, batches and dropout."""
    log_every: int = 25
    """Updates between lines of metrics.jsonl."""
    validate_every: int = 250
    """Updates between validations; 0: only at the end."""
    checkpoint_every: int = 250
    """Updates between checkpoints; the last and the best are always kept."""
    keep_checkpoints: int = 2
    """Checkpoints kept beside the best; older ones are removed."""
    tensorboard: bool = False
    """Write TensorBoard event files too (the extra of that name)."""
    device: str = "auto"
    """auto: a GPU where there is one and an update is large enough that it is faster, else the CPU;
    or a torch device."""
    threads: int = 1
    """torch's threads."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {
            "updates": at_least(1, LAST_COUNT),
            "log_every": at_least(1, LAST_COUNT),
            "checkpoint_every": at_least(1, LAST_COUNT),
            "keep_checkpoints": at_least(1, LAST_COUNT),
            "threads": at_least(1, THREADS),
            "validate_every": at_least(0, LAST_COUNT),
            "seed": at_least(0, LAST_SEED),
            "learning_rate": POSITIVE,
            "max_gradient_norm": POSITIVE,
            "schedule": one_of("cosine", "constant"),
        }
        check_fields(self, limits)

    def rate(self, update: int) -> float:
        """The learning rate of the update that follows `update` others."""
        if self.schedule == "constant":
            return self.learning_rate
        part = min(update / self.updates, 1.0)
        return self.learning_rate * (1 + math.cos(math.pi * part)) / 2
