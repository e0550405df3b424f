"""The settings that every learner has."""

from dataclasses import dataclass, field

from sidestep.agents.networks import NetworkConfig
from sidestep.agents.settings import Partial
from sidestep.sequence.limits import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, check_fields


@dataclass(frozen=True)
class LearnerConfig(Partial):
    """What both learners share."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    discount: float = 0.99
    """Gamma in [0, 1]."""
    trace_decay: float = 0.8
    """Lambda of the returns: 0 one step, 1 Monte Carlo."""
    learning_rate: float = 3e-3
    """Adam's step size."""
    final_learning_rate: float | None = None
    """Reached linearly at the end of training; None keeps `learning_rate`."""
    max_gradient_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    rollout_steps: int = 16
    """Ticks of every lane between updates."""
    normalize_observations: bool = False
    """Standardise observations with running statistics."""
    normalize_rewards: bool = False
    """Divide rewards by the running deviation of the discounted return."""
    reward_limit: float | None = None
    """Rewards, scaled, are cut to at most this size before learning; None leaves them."""
    reward_scale: float = 1.0
    """Rewards are multiplied by this before learning; reports show them as they were."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {
            "discount": SHARE,
            "trace_decay": SHARE,
            "learning_rate": POSITIVE,
            "final_learning_rate": NOT_NEGATIVE,
            "max_gradient_norm": POSITIVE,
            "rollout_steps": COUNT,
            "reward_limit": POSITIVE,
            "reward_scale": POSITIVE,
        }
        check_fields(self, limits)

    def exploration_steps(self, total_steps: int) -> int:
        """Env steps over which exploration falls in a training of `total_steps`; 0: it does not."""
        del total_steps
        return 0
