"""Sequence to sequence: an encoder reads, a decoder writes, and attention may look back.

Axis letters: T source positions, S target positions, B sentences, N rows of the decoder (B, or K
hypotheses of each, row k * B + b), E embedding, H hidden units, V target symbols.
"""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sidestep.sequence.layers.initialisation import embedding_layer, linear_layer
from sidestep.sequence.layers.lengths import bounds, padding
from sidestep.sequence.memory.table import layer_of
from sidestep.sequence.state import State, map_state, select_state
from sidestep.sequence.tasks.pairs import PAD

from .attention import Attention, ProjectedMemory
from .seq2seq_config import Seq2SeqConfig


class Encoded(NamedTuple):
    """What the decoder needs of B sources.

    Attributes:
        state: of the decoder before its first step.
        memory: what is attended over, its keys projected; None without attention.
    """

    state: State
    memory: ProjectedMemory | None

    @property
    def rows(self) -> int:
        """B."""
        return self._like.shape[1]

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self._like.device

    @property
    def _like(self) -> Tensor:
        return self.state if isinstance(self.state, Tensor) else cast(Tensor, self.state[0])

    def select(self, index: Tensor) -> "Encoded":
        """Some of the sources: index (N,) integers."""
        memory = self.memory and ProjectedMemory(*(part[index] for part in self.memory))
        return Encoded(select_state(self.state, index), memory)


class DecoderState(NamedTuple):
    """Between two steps.

    Attributes:
        cell: state of the recurrent layers.
        attended: (N, H) what the last step predicted from; None without input feeding.
        position: steps made.
    """

    cell: State
    attended: Tensor | None
    position: int

    def select(self, index: Tensor) -> "DecoderState":
        """Some of the rows: index (N,) integers."""
        attended = None if self.attended is None else self.attended[index]
        return DecoderState(select_state(self.cell, index), attended, self.position)


class Step(NamedTuple):
    """What one step gives: logits (N, V), the new state, weights (N, T) or None."""

    logits: Tensor
    state: DecoderState
    weights: Tensor | None


class Seq2Seq(nn.Module):
    """Encoder and decoder, without attention or with any of `attention.py`.

    The encoder reads the source and END. Its last state, both directions side by side, is the
    decoder's first. The decoder reads BEGIN, then each symbol that it wrote. From its top layer's
    output d_t it predicts softmax(W_o d_t); with attention, softmax(W_o a_t), where

        c_t = sum over s of weight_ts * e_s,    a_t = tanh(W_c [c_t, d_t] + b_c).

    With input feeding it reads a_{t-1} beside the symbol.

    Args:
        source_size: number of source symbols, the special ones of `pairs` counted.
        target_size: V, number of target symbols, likewise.
        config: sizes and kinds.
        generator: draws the weights; None takes torch's global one.

    Raises:
        ValueError: a size out of range, or options that do not fit one another.

    Source: Sutskever, Vinyals & Le (2014), arXiv 1409.3215, without attention; with it Luong, Pham
    & Manning (2015), arXiv 1508.04025, eq. 5 and section 3.3, whose additive score is that of
    Bahdanau, Cho & Bengio (2015), arXiv 1409.0473. Bahdanau's decoder attends before its recurrent
    step, this one after it.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        config: Seq2SeqConfig,
        generator: torch.Generator | None = None,
    ) -> None:
        """Make the layers."""
        super().__init__()
        self.config, self.source_size, self.target_size = config, source_size, target_size
        hidden, embedding = config.hidden_size, config.embedding_size
        layer, layers = layer_of(config.cell), config.num_layers
        options: dict[str, Any] = {
            "generator": generator,
            "dropout": config.dropout if layers > 1 else 0.0,
        }
        directions = 2 if config.bidirectional else 1
        self.source_embedding: nn.Module = embedding_layer(source_size, embedding, generator)
        self.target_embedding = embedding_layer(target_size, embedding, generator)
        self.encoder: nn.Module = layer(
            embedding,
            hidden // directions,
            layers,
            bidirectional=config.bidirectional,
            **options,
        )
        fed = hidden if config.input_feeding else 0
        self.decoder = layer(embedding + fed, hidden, layers, **options)
        self.attention: Attention | None = None
        if config.attention != "none":
            self.attention = Attention(
                hidden,
                hidden,
                config.attention,
                window=config.window,
                half_width=config.half_width,
                max_positions=config.max_source + 1 if config.attention == "location" else None,
                generator=generator,
            )
            self.combine = linear_layer(2 * hidden, hidden, generator)
        self.output = linear_layer(hidden, target_size, generator)
        self.dropout = nn.Dropout(config.dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> Encoded:
        """Read the sources.

        Args:
            source: (T, B) symbols; what stands at t >= lengths[b] does not matter.
            lengths: (B,) integers in 1..T.

        Raises:
            ValueError: a source longer than `max_source` and END, or an empty one.
        """
        longest = self.config.max_source
        if source.shape[0] > longest + 1:
            raise ValueError(
                f"expected sources of at most {longest} symbols, got {source.shape[0] - 1}"
            )
        known = bounds(lengths)
        if known is not None and known[0] < 1:
            raise ValueError("expected sources with at least one symbol, got an empty one")
        x = self.dropout(self.source_embedding(source))  # (T, B, E)
        y, last = self.encoder(x, lengths=lengths)
        if self.config.bidirectional:  # (L * 2, B, H / 2) to (L, B, H)
            last = map_state(lambda h: torch.cat([h[0::2], h[1::2]], dim=-1), last)
        memory = None
        if self.attention is not None:
            memory = self.attention.project(y, ~padding(lengths, source.shape[0]))
        return Encoded(last, memory)

    def start(self, encoded: Encoded) -> DecoderState:
        """The decoder's state before BEGIN is read, one row for each source."""
        attended = None
        if self.config.input_feeding and encoded.memory is not None:
            values = encoded.memory.values
            attended = values.new_zeros(values.shape[0], self.config.hidden_size)
        return DecoderState(encoded.state, attended, 0)

    def step(self, symbol: Tensor, state: DecoderState, encoded: Encoded) -> Step:
        """Write one symbol more in every row.

        Args:
            symbol: (N,) the last ones, BEGIN at first.
            state: from `start` or the last step; left as it is.
            encoded: of B sources, N a multiple of B.
        """
        x = self.dropout(self.target_embedding(symbol))  # (N, E)
        if state.attended is not None:
            x = torch.cat([x, state.attended], dim=-1)
        d, cell = self.decoder.step(x, state.cell)
        weights = None
        if encoded.memory is not None:
            sentences = encoded.memory.values.shape[0]
            query = d.view(-1, sentences, d.shape[-1])  # (K, B, H)
            d, weights = self._attend(query, encoded.memory, state.position)
            d, weights = d.flatten(0, 1), weights.flatten(0, 1)
        attended = d if state.attended is not None else None
        after = DecoderState(cell, attended, state.position + 1)
        return Step(self.output(self.dropout(d)), after, weights)

    def _attend(
        self, query: Tensor, memory: ProjectedMemory, position: Tensor | int
    ) -> tuple[Tensor, Tensor]:
        """Query (S, B, H) to a (S, B, H) and weights (S, B, T)."""
        attention = cast(Attention, self.attention)
        where = None
        if attention.window == "monotonic":
            where = torch.as_tensor(position, device=query.device).expand(query.shape[:2])
        context, weights = attention(query, memory, where, return_weights=True)
        a = torch.tanh(self.combine(torch.cat([context, query], dim=-1)))
        return a, cast(Tensor, weights)

    def forward(
        self,
        source: Tensor,
        lengths: Tensor,
        target: Tensor,
        teacher_forcing: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Predict each target symbol from those before it.

        Args:
            source: (T, B) symbols.
            lengths: (B,) of the sources.
            target: (S + 1, B) BEGIN, symbols, END; all but the last are read.
            teacher_forcing: share of steps, row by row, that read the target's symbol; the others
                read what the decoder itself thinks most likely. 1 reads the whole target at once.
            generator: decides which, on the CPU; None takes torch's global one.

        Returns:
            Logits (S, B, V) of target[1:], and weights (S, B, T), None without attention.

        Raises:
            ValueError: teacher_forcing outside [0, 1], or as for `encode`.

        Source: scheduled sampling: Bengio et al. (2015), arXiv 1506.03099.
        """
        if not 0 <= teacher_forcing <= 1:
            raise ValueError(f"expected teacher_forcing in [0, 1], got {teacher_forcing}")
        encoded = self.encode(source, lengths)
        read = target[:-1]
        if teacher_forcing < 1 or self.config.input_feeding:
            forced = torch.ones_like(read, dtype=torch.bool)
            if teacher_forcing < 1:  # only then are random numbers drawn
                drawn = torch.rand(read.shape, generator=generator)
                forced = (drawn < teacher_forcing).to(read.device)
            return self._step_by_step(encoded, read, forced)
        d, _ = self.decoder(self.dropout(self.target_embedding(read)), encoded.state)  # (S, B, H)
        weights = None
        if encoded.memory is not None:
            places = torch.arange(read.shape[0], device=read.device).unsqueeze(1)  # (S, 1)
            d, weights = self._attend(d, encoded.memory, places)
        return self.output(self.dropout(d)), weights

    def _step_by_step(
        self, encoded: Encoded, read: Tensor, forced: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        state, symbol = self.start(encoded), read[0]
        logits: list[Tensor] = []
        weights: list[Tensor] = []
        for number in range(read.shape[0]):
            if number:
                own = logits[-1].detach().argmax(-1)
                symbol = torch.where(forced[number], read[number], own)
            step = self.step(symbol, state, encoded)
            state = step.state
            logits.append(step.logits)
            if step.weights is not None:
                weights.append(step.weights)
        return torch.stack(logits), torch.stack(weights) if weights else None


def target_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of the symbols after BEGIN, END counted and padding not, in nats.

    Args:
        logits: (S, B, V).
        target: (S + 1, B).

    Returns:
        A scalar.
    """
    return cross_entropy(logits.flatten(0, 1), target[1:].flatten(), ignore_index=PAD)


def sequence_log_probability(logits: Tensor, target: Tensor) -> Tensor:
    """Log-probability of each whole target, END counted, in nats: (B,); see `target_loss`."""
    chosen = logits.log_softmax(-1).gather(-1, target[1:].unsqueeze(-1)).squeeze(-1)  # (S, B)
    return chosen.masked_fill(target[1:] == PAD, 0).sum(0)
