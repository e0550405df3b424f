"""Characters: a vocabulary, a recurrent language model, streams for training, generated text.

Axis letters: T time, B batch, V vocabulary, H hidden units. Symbols are int64 indices 0..V-1.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from sidestep.sequence.layers.recurrent import Recurrent
from sidestep.sequence.limits import LAYERS, MANY, PART, at_least, check_fields, one_of
from sidestep.sequence.memory.table import CELLS as CELLS
from sidestep.sequence.memory.table import layer_of
from sidestep.sequence.state import State, detach_state

from .sampling import check_sampling, sample_logits


def name_of(symbol: str) -> str:
    """What Unicode calls a character, so that two which look the same are told apart."""
    return unicodedata.name(symbol, f"U+{ord(symbol):04X}")


@dataclass(frozen=True)
class Vocabulary:
    """The characters that a model knows, in the order of their indices.

    Raises:
        ValueError: none at all, or one twice.
    """

    symbols: str

    def __post_init__(self) -> None:
        """Check that every symbol is there once."""
        if not self.symbols:
            raise ValueError("text: expected at least one character, got none")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("vocabulary: expected every symbol once, got one twice")

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """The characters of `text`, sorted."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        """V."""
        return len(self.symbols)

    def encode(self, text: str) -> Tensor:
        """(T,) indices of the characters of `text`.

        Raises:
            ValueError: a character that is not in the vocabulary; the first one is told, with its
                line and column.
        """
        index = {symbol: number for number, symbol in enumerate(self.symbols)}
        unknown = next((k for k, symbol in enumerate(text) if symbol not in index), None)
        if unknown is not None:
            before = text[:unknown]
            line, column = before.count("\n") + 1, unknown - (before.rfind("\n") + 1) + 1
            raise ValueError(
                f"line {line}, column {column}: expected one of the {len(self)} characters that "
                f"the model was trained on, got {text[unknown]!r} ({name_of(text[unknown])})"
            )
        return torch.tensor([index[symbol] for symbol in text], dtype=torch.int64)

    def decode(self, symbols: Tensor) -> str:
        """The text of (T,) indices."""
        return "".join(self.symbols[number] for number in symbols.tolist())


@dataclass(frozen=True)
class LanguageConfig:
    """The architecture of a `LanguageModel`."""

    choices: ClassVar[dict[str, Sequence[str]]] = {"cell": CELLS}
    """What a command line may offer for a field."""
    cell: str = "lstm"
    """rnn, lstm, gru, or one that was registered."""
    hidden_size: int = 192
    """H, units of each layer."""
    num_layers: int = 1
    """Layers, each reading the one below."""
    embedding_size: int = 64
    """Learned features of a character; 0: one-hot."""
    dropout: float = 0.0
    """Share of features dropped in training: of embeddings, between layers, and of the output."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {
            "cell": one_of(*CELLS),
            "hidden_size": at_least(1, MANY),
            "num_layers": at_least(1, LAYERS),
            "embedding_size": at_least(0, MANY),
            "dropout": PART,
        }
        check_fields(self, limits)


class LanguageModel(nn.Module):
    """p(x_t | x_{t-1}, x_{t-2}, ...) over characters, by an RNN, LSTM or GRU.

        h_t = g(h_{t-1}, e(x_{t-1}))        logits_t = W_hy h_t + b

    e is a one-hot vector or a learned embedding. The logits that `forward` gives at index t are for
    the character *after* x[t]; they have seen x[0] .. x[t] and nothing else.

    Args:
        symbols: V, size of the vocabulary.
        config: the architecture.

    Source: Mikolov et al. (2010), Recurrent neural network based language model; Karpathy (2015),
    The unreasonable effectiveness of recurrent neural networks.
    """

    def __init__(self, symbols: int, config: LanguageConfig) -> None:
        """Make the layers; weights come from torch's global generator."""
        super().__init__()
        if symbols < 1:
            raise ValueError(f"symbols: expected at least 1, got {symbols}")
        self.symbols, self.config = symbols, config
        size = config.embedding_size
        self.embedding = nn.Embedding(symbols, size) if size else None
        self.recurrent: Recurrent = layer_of(config.cell)(
            size or symbols,
            config.hidden_size,
            config.num_layers,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, symbols)

    def initial_state(self, batch: int) -> State:
        """The state before anything was read."""
        return self.recurrent.initial_state(batch)

    def inputs(self, x: Tensor) -> Tensor:
        """Symbols (...) as features (..., D): embedded, or one-hot."""
        if self.embedding is None:
            return one_hot(x, self.symbols).to(self.head.weight.dtype)
        features: Tensor = self.dropout(self.embedding(x))
        return features

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        reset: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Logits of every next character.

        Args:
            x: (T, B) symbols.
            state: where it starts; None is `initial_state`.
            reset: (T, B) boolean, True where a new text starts at t.
            lengths: (B,) integers in 0..T; what stands behind is padding.

        Returns:
            (T, B, V) logits, and the state after the last character.
        """
        y, state = self.recurrent(self.inputs(x), state, reset, lengths)  # (T, B, H)
        return self.head(self.dropout(y)), state

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One character: x (B,); logits (B, V) of the next one, and the new state."""
        y, state = self.recurrent.step(self.inputs(x), state)
        return self.head(self.dropout(y)), state


class Chunk(NamedTuple):
    """A piece of a stream: what is read and what is to be foreseen."""

    x: Tensor  # (T, B) symbols
    y: Tensor  # (T, B) the symbol after each
    first: bool  # whether the rows begin here: the state of before does not belong to it


class Stream:
    """A text in B rows side by side, cut into chunks: truncated back-propagation through time.

    Row b holds the b-th B-th of the text, contiguous; the chunks of a row follow each other, so the
    state after one is the state before the next (detached: gradients stop at the border). The last
    chunk of a row may be shorter. Then the rows begin again, with a cleared state. Up to B - 1
    characters at the text's end are left out.

    Args:
        symbols: (N,) the text.
        rows: B.
        steps: T, characters between updates; gradients reach back so far.

    Raises:
        ValueError: rows or steps below 1, or a text too short to give every row two characters.
    """

    def __init__(self, symbols: Tensor, rows: int, steps: int) -> None:
        """Lay the rows side by side."""
        if rows < 1 or steps < 1:
            raise ValueError(f"expected at least 1 row and 1 step, got {rows} and {steps}")
        length = (len(symbols) - 1) // rows
        if length < 1:
            raise ValueError(
                f"expected a text of at least {rows + 1} characters for {rows} rows, "
                f"got {len(symbols)}"
            )
        self.x = symbols[: rows * length].view(rows, length).t()  # (N / B, B)
        self.y = symbols[1 : rows * length + 1].view(rows, length).t()
        self.steps, self.position = steps, 0

    def next(self) -> Chunk:
        """The next chunk; after the last the first."""
        begin = self.position
        end = min(begin + self.steps, len(self.x))
        self.position = end if end < len(self.x) else 0
        return Chunk(self.x[begin:end], self.y[begin:end], begin == 0)

    def once(self) -> Iterator[Chunk]:
        """Every chunk from the beginning; the position is left as it is."""
        for begin in range(0, len(self.x), self.steps):
            part = slice(begin, begin + self.steps)
            yield Chunk(self.x[part], self.y[part], begin == 0)


def chunk_loss(model: LanguageModel, chunk: Chunk, state: State | None) -> tuple[Tensor, State]:
    """The summed cross-entropy of a chunk in nats, and the state to carry on, detached.

    Args:
        model: what foresees.
        chunk: from a `Stream`.
        state: after the chunk before; not used where the chunk is the first of its rows.
    """
    logits, after = model(chunk.x, None if chunk.first else state)
    total = cross_entropy(logits.flatten(0, 1), chunk.y.flatten(), reduction="sum")
    return total, detach_state(after)


@torch.no_grad()
def nats_per_character(
    model: LanguageModel, symbols: Tensor, rows: int = 16, steps: int = 256
) -> float:
    """The mean cross-entropy over a text, in nats; divide by ln 2 for bits.

    The text is read in `rows` pieces side by side, each from a cleared state: the first characters
    of each are foreseen with little context, so the value is, by a hair, too high.

    Args:
        model: left in the mode (training or evaluation) in which it is.
        symbols: (N,) the text, N >= 2.
        rows: pieces; fewer where the text is short.
        steps: characters at a time; changes nothing but memory and speed.

    Raises:
        ValueError: fewer than two characters.
    """
    if len(symbols) < 2:
        raise ValueError(f"expected a text of at least 2 characters, got {len(symbols)}")
    stream, total, count = Stream(symbols, min(rows, len(symbols) - 1), steps), 0.0, 0
    state: State | None = None
    for chunk in stream.once():
        loss, state = chunk_loss(model, chunk, state)
        total, count = total + float(loss), count + chunk.y.numel()
    return total / count


@torch.no_grad()
def generate(
    model: LanguageModel,
    prompt: Tensor,
    length: int,
    *,
    rows: int = 1,
    temperature: float = 1.0,
    top_k: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue a prompt, several times at once.

    Args:
        model: set to evaluation first, or dropout takes part.
        prompt: (P,) symbols, P >= 1 and of any length: all of it is read, nothing is cut off.
        length: characters to draw.
        rows: B, how many continuations.
        temperature: 0 takes the most probable character; see `sampling`.
        top_k: only so many most probable characters; 0: all.
        generator: the source of randomness; None takes torch's global one.

    Returns:
        (length, B) symbols, without the prompt.

    Raises:
        ValueError: an empty prompt, or a number out of range.
    """
    check_sampling(temperature, top_k)
    if not len(prompt) or rows < 1 or length < 0:
        raise ValueError(
            "expected a prompt of at least 1 character, at least 1 row and a length of at least "
            f"0, got {len(prompt)}, {rows} and {length}"
        )
    logits, state = model(prompt.unsqueeze(-1).expand(-1, rows))
    ahead, drawn = logits[-1], []
    for _ in range(length):
        drawn.append(sample_logits(ahead, temperature, top_k, generator))
        ahead, state = model.step(drawn[-1], state)
    return torch.stack(drawn) if drawn else prompt.new_empty(0, rows)
