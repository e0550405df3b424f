"""How an agent's network is run: in compiled code where that is faster, else by torch."""

import torch
from torch import Tensor, nn

from sidestep.agents.acting.batch import Inputs, map_inputs
from sidestep.agents.networks import Network
from sidestep.sequence import State

from .compiled import CompiledNetwork


class Passes:
    """Passes of a network, on whatever device it lives.

    Args:
        network: of an agent.
        flat: its parameters as one vector.

    Attributes:
        compiled: what runs it in compiled code; None: torch runs all.
    """

    def __init__(self, network: Network, flat: nn.Parameter) -> None:
        """Find out who is to run it."""
        self.network = network
        self.compiled = CompiledNetwork.of(network, flat)

    @torch.no_grad()
    def step(self, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        """One tick, as `Network.step` makes it, without gradients.

        A single row is torch's: whoever looks at an agent for the first time waits for no compiler.
        """
        rows = inputs.reset.numel()
        features = self.features(inputs, rows) if rows > 1 else None
        if features is None or self.compiled is None:
            return self.network.step(inputs, state)
        return self.compiled(features), state

    def sequence(self, inputs: Inputs, state: State, needed: Tensor | None = None) -> Tensor:
        """The output (T, B, outputs) for a sequence, with its graph; see `Network.forward`."""
        count = inputs.reset.numel() if needed is None else int(needed.sum())
        if self.compiled is None or not self.compiled.few(count):
            output: Tensor = self.network(inputs, state, needed)[0]
            return output
        if needed is None:
            features = self.network.features(inputs).flatten(0, 1).contiguous()
            return self.compiled(features).reshape(*inputs.reset.shape, -1)
        rows = self.compiled(self.network.features(map_inputs(inputs, lambda x: x[needed])))
        padded = rows.new_zeros(*needed.shape, rows.shape[-1])
        return padded.masked_scatter(needed.unsqueeze(-1), rows)

    def features(self, inputs: Inputs, rows: int) -> Tensor | None:
        """What the encoder is given, (..., D), if compiled code is to run so many rows of it."""
        if self.compiled is None or not self.compiled.few(rows):
            return None
        return self.network.features(inputs).contiguous()
