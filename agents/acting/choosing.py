"""How actions are drawn, and how the amount of exploration falls.

Actions go to the env as numpy arrays, so they are chosen in numpy: for a few hundred numbers its
calls cost a third of torch's.
"""

import numpy as np
from numpy.typing import NDArray

from .draws import Draws

Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
Actions = NDArray[np.int64]


def linear(step: int, start: float, end: float, steps: int) -> float:
    """From `start` at step 0 straight to `end` at `steps`, and `end` ever after."""
    if step >= steps:
        return end
    return start + (end - start) * (step / steps)


def steps_of(fraction: float, total_steps: int, steps: int | None = None) -> int:
    """How long a schedule is: `steps` where they are given, else a fraction of the training."""
    return round(fraction * total_steps) if steps is None else steps


def greedy(scores: Scores, mask: Mask | None = None) -> Actions:
    """The allowed action of the highest score, the first of equals: (B, A) to (B,)."""
    allowed = scores if mask is None else np.where(mask, scores, np.float32(-np.inf))
    return np.asarray(allowed.argmax(-1))


def uniform_action(uniform: NDArray[np.float64], count: int, mask: Mask | None = None) -> Actions:
    """One of the allowed actions, each as probable: (B,) numbers in [0, 1) to (B,) actions."""
    if mask is None:
        return (uniform * count).astype(np.int64)
    which = (uniform * mask.sum(-1)).astype(np.int64)
    return np.asarray((mask.cumsum(-1) > which[:, None]).argmax(-1))


def epsilon_greedy(q: Scores, epsilon: float, random: Draws, mask: Mask | None = None) -> Actions:
    """The greedy action with probability 1 - epsilon, else a uniformly drawn allowed one.

    Args:
        q: (B, A) action values.
        epsilon: in [0, 1]; at 0 nothing is drawn from `random`.
        random: the agent's random numbers.
        mask: (B, A) bool, the allowed actions; None: all.

    Returns:
        (B,) int64 actions.
    """
    best = greedy(q, mask)
    if epsilon == 0:
        return best
    lanes, count = q.shape
    explores, which = random.uniform(2, lanes)
    return np.where(explores < epsilon, uniform_action(which, count, mask), best)


def epsilon_bouts(
    q: Scores,
    epsilon: float,
    repeat: float,
    random: Draws,
    last: Actions,
    exploring: Mask | None,
    mask: Mask | None = None,
) -> tuple[Actions, Mask]:
    """Epsilon-greedy actions of which a random one is played on for a while.

    A bout of exploring plays one uniformly drawn action for 1 / (1 - repeat) ticks on average,
    their number being geometric; bouts begin so often that lanes explore in a part `epsilon` of
    their ticks. So a walk goes far that would stay where it is if each tick drew anew.

    Args:
        q: (B, A) action values.
        epsilon: in [0, 1]; at 0 nothing is drawn from `random`, and no bout goes on.
        repeat: in [0, 1), the probability that a bout goes on after a tick.
        random: the agent's random numbers.
        last: (B,) the actions before.
        exploring: (B,) lanes whose last action was one of a bout that may go on; None: it is not
            known, and lanes are in a bout with probability `epsilon`.
        mask: (B, A) bool, the allowed actions; None: all. A bout whose action is not allowed ends.

    Returns:
        (B,) int64 actions, and (B,) the lanes that are in a bout now.

    Source: Dabney, Ostrovski & Barreto (2021), with geometric instead of zeta-distributed lengths.
    """
    if epsilon == 0:
        return greedy(q, mask), np.zeros(len(q), dtype=np.bool_)
    lanes, count = q.shape
    begin = epsilon * (1 - repeat) / (1 - epsilon * repeat)
    if exploring is None:
        exploring, begin = np.zeros(lanes, dtype=np.bool_), epsilon
    ends, begins, which = random.uniform(3, lanes)
    goes_on = exploring & (ends < repeat)
    if mask is not None:
        goes_on &= mask[np.arange(lanes), last]
    begun = ~goes_on & (begins < begin)
    actions = np.where(begun, uniform_action(which, count, mask), greedy(q, mask))
    return np.where(goes_on, last, actions), goes_on | begun


def sample_categorical(logits: Scores, random: Draws, mask: Mask | None = None) -> Actions:
    """Draw actions with probabilities softmax(logits), by the Gumbel-max trick.

    Args:
        logits: (B, A).
        random: the agent's random numbers.
        mask: (B, A) bool, the allowed actions; None: all.

    Returns:
        (B,) int64 actions.
    """
    return greedy(logits + random.gumbel(*logits.shape), mask)
