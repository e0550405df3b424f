"""RNN, LSTM and GRU with resets inside the batch, rows of any length, and gates to look at."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from . import cells, normalised
from .cells import GRUStep, LSTMStep, Nonlinearity, RNNStep
from .convert import copy_weights, torch_options
from .recurrence import gru_recurrence, lstm_recurrence, rnn_recurrence
from .recurrent import Recurrent
from .unroll import Parts, Weights

NONLINEARITIES = ("tanh", "relu")


class RNN(Recurrent):
    """Elman's RNN over (T, B, input_size), h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size: D, features of x.
        hidden_size: H, features of the state.
        num_layers: layers, each reading the one below.
        nonlinearity: "tanh" or "relu".
        device: of the parameters; on "meta" they have no numbers until `to_empty` and
            `reset_parameters`.
        dtype: of the parameters, floating.
        **options: `bias`, `bidirectional`, `dropout` (between layers, in [0, 1)), `layer_norm`
            (see `normalised`; runs at the speed of a loop over cells), `init` ("orthogonal" or
            "torch", see `initialise`), `generator`.

    The state is a tensor (num_layers * directions, B, H). Parameters have torch.nn.RNN's names, so
    its `state_dict` loads.

    Source: Elman (1990), Finding structure in time.
    """

    gates = 1
    part_names = ("h",)
    record = RNNStep

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: Nonlinearity = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        """Check the options and make the parameters."""
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(
                f"expected nonlinearity to be one of {NONLINEARITIES}, got {nonlinearity!r}"
            )
        super().__init__(input_size, hidden_size, num_layers, device=device, dtype=dtype, **options)
        self.nonlinearity: Nonlinearity = nonlinearity

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> RNNStep:
        """One step by the specification."""
        if self.layer_norm:
            return normalised.rnn_step(x, parts[0], weights, self.nonlinearity)
        return cells.rnn_step(x, parts[0], *weights[:4], nonlinearity=self.nonlinearity)

    def fast_step(self, x: Tensor, parts: Parts, weights: Any) -> Parts:
        """One step by torch's cell."""
        cell = torch.rnn_tanh_cell if self.nonlinearity == "tanh" else torch.rnn_relu_cell
        return (cell(x, parts[0], *weights),)

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps by the masked recurrence."""
        return (rnn_recurrence(x, parts[0], *weights[:4], reset, self.nonlinearity),)

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by cuDNN; torch's loop on a CPU is slower than the masked recurrence."""
        if x.is_cpu:
            return None
        run = torch.rnn_tanh if self.nonlinearity == "tanh" else torch.rnn_relu
        y, h = run(x, parts[0], flat, *self.fused_options())
        return y, (h,)

    @classmethod
    def from_torch(cls, module: nn.RNN) -> "RNN":
        """A layer with the weights of `module`, frozen where they are; it computes the same.

        Raises:
            TypeError: `module` is another layer.
            ValueError: `module` is batch_first.
        """
        layer = cls(nonlinearity=module.nonlinearity, **torch_options(module, nn.RNN))
        return copy_weights(module, layer)

    def to_torch(self) -> nn.RNN:
        """A torch.nn.RNN with these weights; it computes the same.

        Raises:
            ValueError: the layer has layer normalisation.
        """
        return copy_weights(
            self, nn.RNN(nonlinearity=self.nonlinearity, **torch_options(self, RNN))
        )


class LSTM(Recurrent):
    """The LSTM over (T, B, input_size): c' = f * c + i * g and h' = o * tanh(c').

    Args:
        input_size: D, features of x.
        hidden_size: H, features of the state.
        num_layers: layers, each reading the one below.
        device: as for `RNN`.
        dtype: as for `RNN`.
        **options: as for `RNN`; "orthogonal" starts with a forget bias of 1.

    The state is a pair (h, c) of tensors (num_layers * directions, B, H). Parameters have
    torch.nn.LSTM's names, so its `state_dict` loads; there is no projection (`proj_size`).

    Source: Hochreiter & Schmidhuber (1997); Gers et al. (2000) for the forget gate.
    """

    gates = 4
    part_names = ("h", "c")
    record = LSTMStep
    forget_gate = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        """Check the options and make the parameters."""
        super().__init__(input_size, hidden_size, num_layers, device=device, dtype=dtype, **options)

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> LSTMStep:
        """One step by the specification."""
        if self.layer_norm:
            return normalised.lstm_step(x, parts[0], parts[1], weights)
        return cells.lstm_step(x, parts[0], parts[1], *weights[:4])

    def fast_step(self, x: Tensor, parts: Parts, weights: Any) -> Parts:
        """One step by torch's cell."""
        return torch.lstm_cell(x, parts, *weights)

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps by the masked recurrence."""
        return lstm_recurrence(x, parts[0], parts[1], *weights[:4], reset)

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by oneDNN or cuDNN."""
        y, h, c = torch.lstm(x, parts, flat, *self.fused_options())
        return y, (h, c)

    @classmethod
    def from_torch(cls, module: nn.LSTM) -> "LSTM":
        """A layer with the weights of `module`, frozen where they are; it computes the same.

        Raises:
            TypeError: `module` is another layer.
            ValueError: `module` is batch_first or has a projection.
        """
        return copy_weights(module, cls(**torch_options(module, nn.LSTM)))

    def to_torch(self) -> nn.LSTM:
        """A torch.nn.LSTM with these weights; it computes the same.

        Raises:
            ValueError: the layer has layer normalisation.
        """
        return copy_weights(self, nn.LSTM(**torch_options(self, LSTM)))


class GRU(Recurrent):
    """The GRU over (T, B, input_size): h' = (1 - z) * n + z * h.

    Args:
        input_size: D, features of x.
        hidden_size: H, features of the state.
        num_layers: layers, each reading the one below.
        reset_after: where the reset gate acts in the candidate n: after the product with h (torch,
            cuDNN, Keras' default) or before it (Cho et al., Chung et al., ONNX' default). Two
            different functions; weights of one do not serve the other.
        device: as for `RNN`.
        dtype: as for `RNN`.
        **options: as for `RNN`.

    z weighs the past, as in torch; weights of the other convention convert with `flip_update_gate`.
    The state is a tensor (num_layers * directions, B, H). Parameters have torch.nn.GRU's names, so
    its `state_dict` loads where `reset_after` is True.

    Source: Cho et al. (2014), arXiv 1406.1078; Chung et al. (2014), arXiv 1412.3555.
    """

    gates = 3
    part_names = ("h",)
    record = GRUStep

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        reset_after: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        """Check the options and make the parameters."""
        super().__init__(input_size, hidden_size, num_layers, device=device, dtype=dtype, **options)
        self.reset_after = reset_after

    def cell_step(self, x: Tensor, parts: Parts, weights: Weights) -> GRUStep:
        """One step by the specification."""
        if self.layer_norm:
            return normalised.gru_step(x, parts[0], weights, self.reset_after)
        return cells.gru_step(x, parts[0], *weights[:4], reset_after=self.reset_after)

    def fast_step(self, x: Tensor, parts: Parts, weights: Any) -> Parts:
        """One step by torch's cell where it has one."""
        if self.reset_after:
            return (torch.gru_cell(x, parts[0], *weights),)
        return (_step_before(x, parts[0], weights),)

    def run_direction(
        self, x: Tensor, parts: Parts, weights: Weights, reset: Tensor | None
    ) -> Parts:
        """All steps by the masked recurrence."""
        return (gru_recurrence(x, parts[0], *weights[:4], reset, self.reset_after),)

    def run_fused(self, x: Tensor, parts: Parts, flat: list[Tensor]) -> tuple[Tensor, Parts] | None:
        """All layers by cuDNN, for its own convention; see `RNN.run_fused` for the CPU."""
        if x.is_cpu or not self.reset_after:
            return None
        y, h = torch.gru(x, parts[0], flat, *self.fused_options())
        return y, (h,)

    @classmethod
    def from_torch(cls, module: nn.GRU) -> "GRU":
        """A layer with the weights of `module`, frozen where they are; it computes the same.

        Raises:
            TypeError: `module` is another layer.
            ValueError: `module` is batch_first.
        """
        return copy_weights(module, cls(**torch_options(module, nn.GRU)))

    def to_torch(self) -> nn.GRU:
        """A torch.nn.GRU with these weights; it computes the same.

        Raises:
            ValueError: the layer resets before the product, or has layer normalisation.
        """
        if not self.reset_after:
            raise ValueError(
                "expected reset_after=True: torch.nn.GRU cannot compute the GRU that resets before "
                "the product"
            )
        return copy_weights(self, nn.GRU(**torch_options(self, GRU)))


def _step_before(x: Tensor, h: Tensor, weights: Any) -> Tensor:
    """`cells.gru_step` with reset_after=False in fewer operations: x (B, D), h (B, H)."""
    split = 2 * h.shape[1]
    w_ih, w_hh, b_ih, b_hh = weights[:4]
    from_x = linear(x, w_ih, b_ih)  # (B, 3H)
    b_rz, b_n = (None, None) if b_hh is None else (b_hh[:split], b_hh[split:])
    rz = torch.sigmoid(from_x[:, :split] + linear(h, w_hh[:split], b_rz))  # (B, 2H)
    r, z = rz.chunk(2, dim=1)
    n = torch.tanh(from_x[:, split:] + linear(r * h, w_hh[split:], b_n))
    return torch.lerp(n, h, z)  # (1 - z) * n + z * h
