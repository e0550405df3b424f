"""Between a network and the kernels that run it: who is served, and how tensors are handed over."""

from functools import cache
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sidestep.agents.acting.batch import Rollout
from sidestep.agents.networks import Network
from sidestep.sequence.layers.compiling import serves

MOST_PRODUCTS, MOST_A_ROW = 2_500_000, 40_000
"""Multiply-adds of a pass, and of one row, from which on torch's products make up for all that lies
between. Measured (one thread, AVX-512; compiled by torch): at 64, 64 units a pass and its way back
0.45 for 32 rows, 0.63 for 128, 0.95 for 512, 1.24 for 1024; at 256, 256 nothing is gained."""
ANY = np.zeros((0, 0), np.bool_)
"""In the place of a mask: every action is allowed."""


@cache
def kernels() -> Any:
    """The kernels' module: it imports numba, which an agent that is only made can do without."""
    from . import kernels

    return kernels


class CompiledNetwork:
    """Runs a network without a memory on the CPU, in one compiled call a pass.

    Args:
        network: whose parameters are views of `flat`, in their order.
        flat: of `flatten_parameters`, single precision.
    """

    @classmethod
    def of(cls, network: nn.Module, flat: nn.Parameter) -> Self | None:
        """Serve a network; None where it is of another kind, or nothing is to be compiled."""
        if type(network) is not Network:
            return None
        plain = (
            not network.remembers
            and not list(network.convolution.children())
            and not network.config.skip_connection
            and flat.dtype == torch.float32
            and serves(flat)
        )
        return cls(network, flat) if plain else None

    def __init__(self, network: Network, flat: nn.Parameter) -> None:
        """Note the layers' sizes."""
        self.network, self.flat = network, flat
        hidden = list(network.config.hidden_sizes)
        widths = [network.encoder.input_size, *hidden, network.head.out_features]
        self.sizes = np.array(widths)
        self.products = network.products
        self.per_row = 2 * sum(hidden) + len(hidden)
        self.work = np.empty(0, np.float32)

    def few(self, rows: int) -> bool:
        """Whether so many rows are better run here than by torch."""
        return self.products <= MOST_A_ROW and 0 < rows * self.products <= MOST_PRODUCTS

    def __call__(self, features: Tensor) -> Tensor:
        """The output (N, head's width) for features (N, D); with a graph where gradients are on."""
        if torch.is_grad_enabled():
            output: Tensor = _Dense.apply(self.flat, features, self)  # type: ignore[no-untyped-call]
            return output
        rows = len(features)
        return torch.from_numpy(self.forward(features.numpy(), self._space(rows)))

    def forward(self, features: Any, work: Any) -> Any:
        """The output of a contiguous array (N, D); `work` gets what the way back reads."""
        output = np.empty((len(features), self.sizes[-1]), np.float32)
        kernels().forward(self.parameters, self.sizes, features, work, output)
        return output

    @property
    def parameters(self) -> Any:
        """All of them, (P,)."""
        return self.flat.detach().numpy()

    def _space(self, rows: int) -> Any:
        """Room for a pass of so many rows, which the next one takes too."""
        if len(self.work) < rows * self.per_row:
            self.work = np.empty(rows * self.per_row, np.float32)
        return self.work

    def sarsa(
        self,
        features: Tensor,
        rollout: Rollout,
        lanes: Tensor | None,
        by: tuple[float, float, bool, bool],
        epsilon: float,
    ) -> tuple[float, float, int]:
        """Deep SARSA's loss on some lanes of a rollout; its gradient is put in its place.

        Args:
            features: (T+1, B, D) of the whole rollout.
            rollout: of B lanes.
            lanes: (L,) of these; None: all.
            by: discount, lambda, whether the target is an expectation, and the loss Huber's.
            epsilon: of the policy.

        Returns:
            The loss and the chosen values, summed over valid steps, and how many these are.
        """
        gradient, mask = self.flat.grad, rollout.inputs.mask
        assert gradient is not None
        played = (rollout.reward, rollout.terminated, rollout.truncated, rollout.valid)
        some = np.arange(features.shape[1]) if lanes is None else lanes.numpy()
        discount, decay, *switches = by
        found: tuple[float, float, int] = kernels().sarsa(
            self.parameters,
            self.sizes,
            features.numpy(),
            some,
            ANY if mask is None else mask.reshape(-1, mask.shape[-1]).numpy(),
            (rollout.action.numpy(), *(part.numpy() for part in played)),
            rollout.final_value.numpy(),
            (np.float32(discount), np.float32(decay), *switches),
            np.float32(epsilon),
            self._space(len(features) * len(some)),
            gradient.numpy(),
        )
        return found


class _Dense(torch.autograd.Function):
    """A pass with its way back: the gradient of all parameters as one vector."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, features: Tensor, network: CompiledNetwork) -> Tensor:
        del flat
        work = np.empty(len(features) * network.per_row, np.float32)
        ctx.parts = network, features.numpy(), work
        return torch.from_numpy(network.forward(features.numpy(), work))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_output: Tensor) -> tuple[Tensor, None, None]:
        network, features, work = ctx.parts
        found = np.empty(len(network.flat), np.float32)
        given = d_output.contiguous().numpy()
        kernels().backward(
            network.parameters, network.sizes, features, len(features), work, given, found
        )
        return torch.from_numpy(found), None, None
