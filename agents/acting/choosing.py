"""How actions are drawn, and how the amount of exploration falls.

Actions go to the env as numpy arrays, so they are chosen in numpy: for a few hundred numbers its
calls cost a third of torch's.
"""

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
Actions = NDArray[np.int64]

TINY = np.float32(1e-30)


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


def epsilon_greedy(
    q: Scores, epsilon: float, random: np.random.Generator, mask: Mask | None = None
) -> Actions:
    """The greedy action with probability 1 - epsilon, else a uniformly drawn allowed one.

    Args:
        q: (B, A) action values.
        epsilon: in [0, 1]; at 0 nothing is drawn from `random`.
        random: the agent's stream.
        mask: (B, A) bool, the allowed actions; None: all.

    Returns:
        (B,) int64 actions.
    """
    best = greedy(q, mask)
    if epsilon == 0:
        return best
    lanes, count = q.shape
    explores = random.random(lanes) < epsilon
    if mask is None:
        anything: Actions = random.integers(count, size=(lanes,))
    else:
        anything = greedy(random.random((lanes, count), dtype=np.float32), mask)
    return np.where(explores, anything, best)


def epsilon_bouts(
    q: Scores,
    epsilon: float,
    repeat: float,
    random: np.random.Generator,
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
        random: the agent's stream.
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
    lanes = np.arange(len(q))
    begin = epsilon * (1 - repeat) / (1 - epsilon * repeat)
    if exploring is None:
        exploring, begin = np.zeros(len(q), dtype=np.bool_), epsilon
    goes_on = exploring & (random.random(len(q)) < repeat)
    if mask is not None:
        goes_on &= mask[lanes, last]
    begins = ~goes_on & (random.random(len(q)) < begin)
    drawn = epsilon_greedy(q, 1.0, random, mask)
    actions = np.where(begins, drawn, greedy(q, mask))
    return np.where(goes_on, last, actions), goes_on | begins


def sample_categorical(
    logits: Scores, random: np.random.Generator, mask: Mask | None = None
) -> Actions:
    """Draw actions with probabilities softmax(logits), by the Gumbel-max trick.

    Args:
        logits: (B, A).
        random: the agent's stream.
        mask: (B, A) bool, the allowed actions; None: all.

    Returns:
        (B,) int64 actions.
    """
    noise = random.standard_exponential(logits.shape, dtype=np.float32)
    np.maximum(noise, TINY, out=noise)  # one draw in ten million is 0, whose log is not finite
    return greedy(logits - np.log(noise), mask)


def pack_random(random: np.random.Generator) -> Tensor:
    """The state of a random stream as bytes in a tensor, for checkpoints."""
    text = json.dumps(random.bit_generator.state)
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def unpack_random(packed: Tensor) -> np.random.Generator:
    """The random stream of `pack_random`.

    Raises:
        ValueError: not the state of a PCG64 generator.
    """
    try:
        state: Any = json.loads(bytes(packed.tolist()).decode())
        kind = state.get("bit_generator")
        bits = np.random.PCG64()
        if kind == "PCG64":
            bits.state = state
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        kind = "something else"
    if kind != "PCG64":
        raise ValueError(f"random state: expected PCG64, got {kind!s:.60}")
    return np.random.Generator(bits)
