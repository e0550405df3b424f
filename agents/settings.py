"""How a training run goes: its length, its width, and what is kept of it."""

from dataclasses import dataclass
from typing import Any

from sidestep.sequence.limits import COUNT, NATURAL, SHARE, check_fields


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
        limits = {
            "total_steps": COUNT,
            "num_envs": COUNT,
            "seed": NATURAL,
            "log_every": COUNT,
            "evaluate_every": NATURAL,
            "evaluation_episodes": COUNT,
            "checkpoint_every": COUNT,
            "keep_checkpoints": COUNT,
            "stop_at_success": SHARE,
            "threads": COUNT,
        }
        check_fields(self, limits)


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
