"""What every memory offers, and the memory of an agent that has none."""

from typing import Protocol

from torch import Tensor, nn

from sidestep.sequence.arguments import check_input, check_reset
from sidestep.sequence.layers.lengths import check_lengths, padding
from sidestep.sequence.state import State, describe


class Memory(Protocol):
    """What every memory offers; all are `nn.Module`.

    What a call returns has memory of its own: the output can be changed in place, and neither the
    new state, nor the one before, nor x changes with it.

    Attributes:
        input_size: D, features of x.
        output_size: features of y.
    """

    input_size: int
    output_size: int

    def initial_state(self, batch: int) -> State:
        """The state before anything was seen: all zeros, the batch in dimension 1 of each leaf."""

    def step(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """One tick.

        Args:
            x: (B, D) input.
            state: from `initial_state` or the last call; left as it is.
            reset: (B,) boolean, True: the row's state is cleared before x is consumed.

        Returns:
            y (B, output_size) and the new state.
        """

    def __call__(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """A whole sequence; agrees with `step` after `step` to 1e-5.

        Args:
            x: (T, B, D) input.
            state: where it starts; None is `initial_state`.
            reset: (T, B) boolean, True where an episode starts at t: the state is cleared before
                x[t] is consumed.
            lengths: (B,) integers in 0..T; what stands at t >= lengths[b] is padding, its output 0.

        Returns:
            y (T, B, output_size) and the state after each row's last step.
        """


class NoMemory(nn.Module):
    """Passes x through: the memory of an agent that has none. Its state is ()."""

    def __init__(self, input_size: int) -> None:
        """Take the size of x, which is the size of y."""
        super().__init__()
        if input_size < 1:
            raise ValueError(f"expected input_size >= 1, got {input_size}")
        self.input_size = self.output_size = input_size

    def initial_state(self, batch: int) -> State:
        """The empty state."""
        return ()

    def step(
        self, x: Tensor, state: State = (), reset: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return a copy of x; see `Memory.step`."""
        self._check(x, "B", state, reset)
        return x.clone(), ()

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Return a copy of x, zero at padding; see `Memory`."""
        self._check(x, "T, B", () if state is None else state, reset)
        if lengths is None:
            return x.clone(), ()
        lengths = check_lengths(lengths, x.shape[0], x.shape[1], x.device)
        return x.masked_fill(padding(lengths, x.shape[0]).unsqueeze(-1), 0), ()

    def _check(self, x: Tensor, axes: str, state: State, reset: Tensor | None) -> None:
        check_input(x, axes, self.input_size, x)
        if isinstance(state, Tensor) or state:
            raise TypeError(f"expected the state to be (), got {describe(state)}")
        if reset is not None:
            check_reset(reset, tuple(x.shape[:-1]), x.device)
