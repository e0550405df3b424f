"""The network of every agent: encoder -> memory -> one linear head; past the memory on request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sidestep.sequence import MEMORIES, State, make_memory, pack_episodes
from sidestep.sequence.layers.initialisation import remember_for
from sidestep.sequence.limits import COUNT, Limit, at_least, check_fields, one_of
from sidestep.sequence.memory.table import KINDS

from .acting.batch import Inputs, map_inputs
from .acting.encoding import CHANNELS_AXES, SMALL_MAP
from .settings import Partial


@dataclass(frozen=True)
class NetworkConfig(Partial):
    """Sizes of the network, and its memory.

    Raises:
        ValueError: at construction, naming what was expected and what came.
    """

    hidden_sizes: tuple[int, ...] = (64, 64)
    """Widths of the encoder's layers, each Linear -> LayerNorm -> ReLU."""
    choices: ClassVar[dict[str, Sequence[str]]] = {"memory": MEMORIES}
    """What a command line may offer for a field."""
    memory: str = "none"
    """What carries information from tick to tick: none, rnn, lstm, gru, attention, or one that was
    registered."""
    memory_size: int = 64
    """Width of the memory's state (of the attention's embeddings)."""
    memory_layers: int = 1
    """Stacked layers of the memory."""
    memory_window: int = 16
    """Ticks that the attention memory looks back."""
    last_action: bool = False
    """Give the network the last action, one-hot."""
    last_reward: bool = False
    """Give the network the last reward."""
    channels: tuple[int, ...] = (16, 32)
    """Of the 3x3 convolutions before the encoder, for planes; empty: it reads every cell."""
    channels_axis: Literal["auto", "first", "last", "bytes"] = "auto"
    """Where the channels of a picture are: first, last, or auto, by the env's word or the shape
    (bytes: as for runs of before there was this choice)."""
    codes: int | None = field(default=None, metadata={"before": 0})
    """How many codes Boxes of integers hold, each of them one-hot; 0: numbers. None: those whose
    bounds allow 3 to 16 values hold codes, and bytes are scaled by the largest that came so far."""
    memory_span: int | None = None
    """Ticks that units of a gated memory (lstm, gru) keep what they hold at first, 1 to so many;
    None: few (Tallec & Ollivier 2018)."""
    skip_connection: bool = False
    """Give the head what the encoder makes of this tick too, past the memory."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.memory not in MEMORIES:
            raise ValueError(
                f"memory: expected one of {', '.join(MEMORIES)}, got {self.memory!r}; of one that "
                "another module registers, import the module first (a command: --modules NAME)"
            )
        if any(size < 1 for size in self.hidden_sizes):
            raise ValueError(f"hidden_sizes: expected positive sizes, got {self.hidden_sizes}")
        if any(size < 1 for size in self.channels):
            raise ValueError(f"channels: expected positive numbers, got {self.channels}")
        limits = {
            "channels_axis": one_of(*CHANNELS_AXES),
            "codes": Limit(
                "0, or 3 to 256", lambda value: value in (0, *range(3, 257)), whole=True
            ),
            "memory_size": COUNT,
            "memory_layers": COUNT,
            "memory_window": COUNT,
            "memory_span": at_least(2),
        }
        check_fields(self, limits)
        if self.memory_span is not None and not self.is_gated:
            raise ValueError(
                "memory_span: expected a memory with a gate that keeps, such as lstm or gru, got "
                f"memory={self.memory!r}"
            )
        if self.skip_connection and not self.remembers:
            raise ValueError(
                f"skip_connection: expected a memory to pass by, got memory={self.memory!r}"
            )

    @property
    def remembers(self) -> bool:
        """Whether the network has anything of the past, as its memory's row says."""
        return KINDS[self.memory].remembers

    @property
    def is_gated(self) -> bool:
        """Whether the memory has a gate that decides how long a unit keeps what it holds."""
        layer = KINDS[self.memory].layer
        return layer is not None and bool(layer.span_gates)


class Network(nn.Module):
    """Encoder by the observation's shape, memory, and a linear head.

    Layer normalisation before the non-linearity is what keeps temporal differences stable without
    a target network (Gallici et al. 2024, arXiv 2407.04811).

    Args:
        shape: of one encoded observation; (D,) a vector, (C, H, W) planes; of any other rank it is
            read as a vector.
        num_actions: A, the width of the last action's one-hot.
        outputs: width of the head.
        config: sizes and memory.
        output_scale: factor on the head's initial weights (0.01 makes a nearly uniform policy).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        num_actions: int,
        outputs: int,
        config: NetworkConfig,
        output_scale: float = 1.0,
    ) -> None:
        """Make the layers; parameters are drawn from torch's global generator."""
        super().__init__()
        self.config, self.num_actions, self.rank = config, num_actions, len(shape)
        self.shape = shape
        self.remembers = config.remembers
        self.convolution = _convolution(shape, config.channels if self.rank == 3 else ())
        with torch.no_grad():
            width = self._features(torch.zeros(1, *shape)).shape[-1]
        extra = num_actions * config.last_action + config.last_reward
        self.encoder = Encoder(width + extra, config.hidden_sizes)
        self.memory = make_memory(
            config.memory,
            input_size=self.encoder.output_size,
            hidden_size=config.memory_size,
            num_layers=config.memory_layers,
            window=config.memory_window,
        )
        if config.memory_span is not None:
            layer: Any = self.memory
            remember_for(layer, layer.gates, layer.span_gates, config.memory_span)
        past = self.encoder.output_size if config.skip_connection else 0
        self.head = nn.Linear(self.memory.output_size + past, outputs)
        with torch.no_grad():
            self.head.weight.mul_(output_scale)
            self.head.bias.zero_()

    @property
    def products(self) -> int:
        """Multiply-adds of one tick of one lane."""
        dense = sum(p.numel() for p in self.parameters() if p.dim() == 2)
        height, width = self.shape[-2:] if self.rank == 3 else (1, 1)
        for layer in self.convolution.children():
            if isinstance(layer, nn.Conv2d):
                height, width = -(-height // layer.stride[0]), -(-width // layer.stride[1])
                dense += layer.weight.numel() * height * width
        return dense

    def initial_state(self, batch: int) -> State:
        """The memory's cleared state for `batch` lanes."""
        state: State = self.memory.initial_state(batch)
        return state

    def step(self, inputs: Inputs, state: State) -> tuple[Tensor, State]:
        """One tick: (B, ...) to (B, outputs) and the next state."""
        x = y = self.encode(inputs)
        if self.remembers:
            y, state = self.memory.step(x, state, inputs.reset)
        return F.linear(self._joined(x, y), self.head.weight, self.head.bias), state

    def forward(
        self, inputs: Inputs, state: State, needed: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """A sequence: (T, B, ...) to (T, B, outputs) and the state after it.

        Batches of whole episodes are mostly padding. With `needed` (T, B), True in the first ticks
        of a lane, of which each holds one episode from its reset on, only these are computed, the
        rest is 0, and the state comes back as it was given.
        """
        if needed is None:
            x = self.encode(inputs)
            y, state = self.memory(x, state, inputs.reset)
            return self.head(self._joined(x, y)), state
        if not self.remembers:
            rows = self.head(self.encode(map_inputs(inputs, lambda x: x[needed])))
            output = rows.new_zeros(*needed.shape, rows.shape[-1])
            return output.masked_scatter(needed.unsqueeze(-1), rows), state
        packing = pack_episodes(needed.sum(0))
        packed = map_inputs(inputs, packing.gather)
        output, _ = self(packed, self.initial_state(packed.reset.shape[1]))
        return packing.scatter(output, *needed.shape), state

    def encode(self, inputs: Inputs) -> Tensor:
        """What the memory is given, (..., D): observations, last actions and rewards encoded."""
        x: Tensor = self.encoder(self.features(inputs))
        return x

    def features(self, inputs: Inputs) -> Tensor:
        """What the encoder is given, (..., D): observations, last actions and rewards."""
        parts = [self._features(inputs.obs)]
        present = ~inputs.reset.unsqueeze(-1)
        if self.config.last_action:
            numbers = torch.arange(self.num_actions, device=inputs.last_action.device)
            one_hot = inputs.last_action.unsqueeze(-1) == numbers  # torch's own reads the numbers
            parts.append((one_hot & present).float())
        if self.config.last_reward:
            parts.append(inputs.last_reward.unsqueeze(-1) * present)
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def _joined(self, x: Tensor, y: Tensor) -> Tensor:
        """What the head reads, (..., H) or (..., H + D): the memory's y, and x past it."""
        return torch.cat((y, x), -1) if self.config.skip_connection else y

    def _features(self, obs: Tensor) -> Tensor:
        """(..., *shape) to (..., D): planes through the convolution, the rest as a vector."""
        if self.rank == 1:
            return obs
        if self.rank != 3:
            return obs.flatten(-self.rank)
        planes: Tensor = self.convolution(obs.reshape(-1, *obs.shape[-3:]))
        return planes.reshape(*obs.shape[:-3], -1)


def _convolution(shape: tuple[int, ...], channels: tuple[int, ...]) -> nn.Module:
    """3x3 layers; on larger maps the first takes every second cell, which costs a fifth."""
    stride = 1 if min(shape[-2:]) <= SMALL_MAP else 2
    layers: list[nn.Module] = []
    for before, after in zip((shape[0], *channels), channels, strict=False):
        layers += [nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.ReLU()]
        stride = 1
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    """Linear -> LayerNorm -> ReLU for every size; (..., D) to (..., output_size)."""

    def __init__(self, width: int, sizes: tuple[int, ...]) -> None:
        """Make the layers."""
        super().__init__()
        self.input_size, self.output_size = width, sizes[-1] if sizes else width
        widths = [width, *sizes]
        pairs = zip(widths, sizes, strict=False)
        self.linear = nn.ModuleList(nn.Linear(before, after) for before, after in pairs)
        self.norm = nn.ModuleList(nn.LayerNorm(size) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers; functions instead of modules, which cost as much as the small sums."""
        for layer, norm in zip(self.linear, self.norm, strict=True):
            assert isinstance(layer, nn.Linear) and isinstance(norm, nn.LayerNorm)
            x = F.linear(x, layer.weight, layer.bias)
            x = F.layer_norm(x, layer.bias.shape, norm.weight, norm.bias).relu_()
        return x
