"""What an agent thought in one tick: scores of its actions, value, memory, attention.

Axis letters: A actions, H hidden units, K ticks of the attention's window.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sidestep.sequence import State, select_state
from sidestep.sequence.memory.table import KINDS
from sidestep.sequence.pictures import heat, rows_of, softly

from .acting.batch import Inputs
from .algorithms.learner import Agent

Numbers = NDArray[np.float32]


class Insight(NamedTuple):
    """Why an agent does what it does in one tick; a notebook shows it as pictures."""

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
    """Letter and (H,) of every gate of the last layer."""
    attention: Numbers | None = None
    """(K,) weights by lag, the present first, of an attention memory."""
    gate_words: tuple[str, ...] = ()
    """What each of the gates does when it is open, in a word."""

    @softly
    def _repr_html_(self) -> str | None:
        """Scores as numbers, the best in bold; units, cells, gates and attention as colours."""
        best = int(np.argmax(self.scores))
        numbers = [f"{score:.3f}" for score in self.scores.tolist()]
        numbers[best] = f"<b>{numbers[best]}</b>"
        pieces = {"actions": " &nbsp; ".join(f"{k}: {number}" for k, number in enumerate(numbers))}
        if self.value is not None:
            pieces["value"] = f"{self.value:.3f}"
        signed = (("units", self.units), ("cells", self.cells))
        for name, row in ((name, row) for name, row in signed if row is not None):
            most = 1.0 if name == "units" else max(1.0, float(np.abs(row).max()))
            pieces[name] = heat(row[None], f"{name}: {len(row)}", most=most)
        for number, (letter, gate) in enumerate(self.gates):
            words = f"{letter} {self.gate_words[number] if self.gate_words else ''}".strip()
            pieces[words] = heat(gate[None], f"gate {words}: {len(gate)} units", "share")
        if self.attention is not None:
            most = float(self.attention.max())
            words = "attention, now at the left"
            pieces[words] = heat(self.attention[None], words, "share", most)
        kind = "probabilities" if self.are_probabilities else "values"
        return rows_of(pieces, f"{kind} of the actions, and what is behind them")


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
    memory, x = agent.network.memory, agent.network.encode(inputs)
    kind = KINDS[agent.config.network.memory]
    seen = kind.look(memory, x, state, inputs.reset)
    return Insight(
        _row(scores),
        are_probabilities,
        value,
        units=None if seen.units is None else _row(seen.units),
        cells=None if seen.cells is None else _row(seen.cells),
        gates=tuple((letter, _row(gate)) for letter, gate in seen.gates.items()),
        gate_words=tuple(kind.gate_words[letter] for letter in seen.gates),
        attention=None if seen.attention is None else _row(seen.attention),
    )


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
