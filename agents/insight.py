"""What an agent thought in one tick: scores of its actions, value, memory, attention.

Axis letters: A actions, H hidden units, K ticks of the attention's window.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sidestep.sequence import State, select_state
from sidestep.sequence.layers.recurrent import Recurrent
from sidestep.sequence.memory.attention_window import WindowAttention

from .acting.batch import Inputs
from .algorithms.learner import Agent

Numbers = NDArray[np.float32]
_GATES = ("i", "f", "o", "r", "z")
"""What lies in [0, 1] among the parts of a cell's record."""


class Insight(NamedTuple):
    """Why an agent does what it does in one tick."""

    scores: Numbers
    """(A,) values of the actions, or their probabilities."""
    are_probabilities: bool
    value: float | None = None
    """Of the situation, in the scale it learned from; None where the learner has none."""
    units: Numbers | None = None
    """(H,) output of the memory's last layer, after this tick; None without a memory."""
    cells: Numbers | None = None
    """(H,) cell state of an LSTM's last layer."""
    gates: tuple[tuple[str, Numbers], ...] = ()
    """Name and (H,) of every gate of the last layer."""
    attention: Numbers | None = None
    """(K,) weights by lag, the present first, of an attention memory."""


class Impression:
    """What an agent was shown in one tick, with what it remembered; insight costs when asked for.

    Args:
        agent: whose; its parameters are read when `insight` is first asked for.
        inputs: (1, ...) one tick of one lane.
        state: of the memory, before this tick.
    """

    def __init__(self, agent: Agent, inputs: Inputs, state: State) -> None:
        """Keep them; nothing is computed yet."""
        self.agent, self.inputs, self.state = agent, inputs, state

    @cached_property
    def insight(self) -> Insight:
        """What the network makes of it."""
        return look(self.agent, self.inputs, self.state)


@torch.no_grad()
def look(agent: Agent, inputs: Inputs, state: State) -> Insight:
    """What the agent's network makes of one tick of one lane.

    Args:
        agent: nothing of it changes.
        inputs: (1, ...) as `Agent.act` takes them.
        state: of the memory, before this tick.
    """
    output, _ = agent.network.step(inputs, state)
    scores, are_probabilities = agent.scores(output, inputs.mask)
    worth = agent.value(output, inputs.mask)
    value = None if worth is None else worth.item()
    facts: dict[str, Any] = {}
    memory, x = agent.network.memory, agent.network.encode(inputs)
    if isinstance(memory, Recurrent):
        record: Any = memory.trace(x.unsqueeze(0), state, inputs.reset.unsqueeze(0)).cells[-1]
        parts = {name: _row(getattr(record, name)[0]) for name in record._fields}
        gates = tuple((name, parts[name]) for name in parts if name in _GATES)
        facts = {"units": parts["h"], "cells": parts.get("c"), "gates": gates}
    elif isinstance(memory, WindowAttention):
        y, _ = memory.step(x, state, inputs.reset)
        facts = {"units": _row(y), "attention": _row(memory.look(x, state, inputs.reset))}
    return Insight(_row(scores), are_probabilities, value, **facts)


class Worth(NamedTuple):
    """What an agent makes of several situations, N of them."""

    values: Numbers | None
    """(N,); None where the learner has none."""
    actions: NDArray[np.int64]
    """(N,) what it would do."""


@torch.no_grad()
def imagine(impression: Impression, obs: Any) -> Worth:
    """What the agent would make of other observations in this very tick, its memory unchanged.

    Args:
        impression: gives the agent, what it remembers, and its last action and reward.
        obs: (N, ...) a batch of observations as its env gives them.
    """
    agent, inputs = impression.agent, impression.inputs
    encoded = agent.encoder(obs, agent.device, count=False)
    lanes = torch.zeros(len(encoded), dtype=torch.int64, device=agent.device)

    def spread(part: torch.Tensor | None) -> Any:
        return None if part is None else part[lanes]

    inputs = Inputs(encoded, *(spread(part) for part in inputs[1:]))
    output, _ = agent.network.step(inputs, select_state(impression.state, lanes))
    value = agent.value(output, inputs.mask)
    mask = None if inputs.mask is None else inputs.mask.cpu().numpy()
    actions = agent.choose(output.cpu().numpy(), mask, greedy=True)
    return Worth(None if value is None else value.float().cpu().numpy(), actions)


def _row(x: torch.Tensor) -> Numbers:
    """(1, N) as an array (N,)."""
    row: Numbers = x.squeeze(0).float().cpu().numpy()
    return row
