"""Sizes and kinds of a sequence-to-sequence model, and the schedule of its teacher forcing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from sidestep.sequence.limits import LAYERS, MANY, PART, at_least, check_fields, one_of
from sidestep.sequence.memory.table import CELLS

from .attention import SCORES, WINDOWS

ATTENTIONS = ("none", *SCORES)


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes and kinds of encoder, attention and decoder."""

    choices: ClassVar[dict[str, Sequence[str]]] = {"cell": CELLS}
    """What a command line may offer for a field."""
    cell: str = "gru"
    """Of the encoder and the decoder."""
    hidden_size: int = 128
    """H, units of the decoder; each direction of a bidirectional encoder has half of them."""
    embedding_size: int = 64
    """E, numbers for a symbol, in the encoder and the decoder."""
    num_layers: int = 1
    """Layers of the encoder and of the decoder."""
    bidirectional: bool = True
    """Whether the encoder reads from both ends."""
    attention: Literal["none", "dot", "scaled_dot", "general", "additive", "location"] = "additive"
    """How the decoder scores what the encoder wrote; none: it has the encoder's last state only."""
    window: Literal["global", "monotonic", "predictive"] = "global"
    """Which source positions attention sees; see `Attention`."""
    half_width: int = 10
    """D, positions on each side in a local window."""
    input_feeding: bool = False
    """Whether each step reads, beside the symbol, what the step before attended to; its training
    goes step by step."""
    dropout: float = 0.0
    """Share of embeddings, and of units between layers and before the output, left out."""
    max_source: int = 64
    """Longest source, in symbols."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {
            "cell": one_of(*CELLS),
            "attention": one_of(*ATTENTIONS),
            "window": one_of(*WINDOWS),
            "hidden_size": at_least(1, MANY),
            "embedding_size": at_least(1, MANY),
            "half_width": at_least(1, MANY),
            "max_source": at_least(1, MANY),
            "num_layers": at_least(1, LAYERS),
            "dropout": PART,
        }
        check_fields(self, limits)
        if self.bidirectional and self.hidden_size % 2:
            raise ValueError(
                f"hidden_size: expected an even number for two directions, got {self.hidden_size}"
            )
        if self.attention == "none" and (self.input_feeding or self.window != "global"):
            raise ValueError("attention: expected a score for input feeding or a window, got none")


def teacher_forcing_at(update: int, updates: int, first: float, last: float) -> float:
    """The share of forced steps at an update, falling linearly from `first` to `last`.

    Args:
        update: 0 at the start of training.
        updates: how many there are; from the last one on the share is `last`.
        first: at the start, in [0, 1].
        last: at the end, in [0, 1].
    """
    done = min(update / max(updates - 1, 1), 1.0)
    return first + (last - first) * done
