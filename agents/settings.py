"""How a training run goes: its length, its width, and what is kept of it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingConfig:
    """How long, how wide, and what is kept."""

    total_steps: int = 1_000_000
    """Env ticks to learn from, over all lanes."""
    num_envs: int = 64
    """Lanes."""
    seed: int = 0
    """Of parameters, exploration and worlds; evaluation has its own."""
    log_every: int = 10_000
    """Env steps between lines of metrics.jsonl."""
    evaluate_every: int = 100_000
    """Env steps between evaluations; 0: none before the end."""
    evaluation_episodes: int = 500
    """Greedy episodes of such an evaluation."""
    checkpoint_every: int = 250_000
    """Env steps between checkpoints; the last and the best are always kept."""
    keep_checkpoints: int = 2
    """Checkpoints kept beside the best; older ones are removed."""
    stop_at_success: float = 0.0
    """Stop when an evaluation's success reaches this share; 0: never."""
    tensorboard: bool = False
    """Write TensorBoard event files too (the extra of that name)."""
    device: str = "auto"
    """auto: the CPU, which is faster for networks this small; else a torch device."""
    threads: int = 1
    """torch's threads; more pay only from some thousand rows an update on."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("total_steps", "num_envs", "log_every", "evaluation_episodes", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("seed", "evaluate_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected at least 0, got {getattr(self, name)}")
        for name in ("checkpoint_every", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 <= self.stop_at_success <= 1:
            raise ValueError(
                f"stop_at_success: expected a number in [0, 1], got {self.stop_at_success}"
            )


def whole(name: str, number: Any) -> int:
    """Read a count of at least 1; 1e5 is one too.

    Raises:
        ValueError: it is none.
    """
    try:
        count = int(number)
    except (TypeError, ValueError, OverflowError):
        count = 0
    if count != number or count < 1 or isinstance(number, str):
        raise ValueError(f"{name}: expected a whole number of at least 1, got {number!r}")
    return count
