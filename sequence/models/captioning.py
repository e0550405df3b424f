"""From a picture to a sentence: a convolution in place of a `Seq2Seq`'s encoder.

Axis letters: B pictures, R rows and C columns of cells, T = R * C cells in reading order, P numbers
of a cell's pixels, E embedding, H hidden units, L layers.
"""

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from sidestep.sequence.layers.initialisation import draw, linear_layer
from sidestep.sequence.memory.table import layer_of
from sidestep.sequence.state import State

from .seq2seq import Encoded, Seq2Seq
from .seq2seq_config import Seq2SeqConfig

LEAST_SPREAD = 1e-3
"""Added to the spread of a picture's pixels, which may be none."""


def cells_of(pictures: Tensor, rows: int, columns: int) -> Tensor:
    """Cut pictures into cells.

    Args:
        pictures: (B, height, width, 3) uint8, height and width multiples of rows and columns.
        rows: R.
        columns: C.

    Returns:
        (R * C, B, P) numbers in [0, 1], cells in reading order.

    Raises:
        ValueError: a wrong shape.
    """
    if (
        pictures.ndim != 4
        or pictures.shape[-1] != 3
        or pictures.shape[1] % rows
        or pictures.shape[2] % columns
    ):
        raise ValueError(
            f"expected pictures of shape (B, height, width, 3) with {rows} rows and {columns} "
            f"columns of cells, got {tuple(pictures.shape)}"
        )
    batch, height, width, colours = pictures.shape
    high, wide = height // rows, width // columns
    parted = pictures.view(batch, rows, high, columns, wide, colours)
    cells = parted.permute(1, 3, 0, 2, 4, 5).reshape(rows * columns, batch, -1)
    return cells.float() / 255  # (T, B, P)


def _unbiased(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """A linear layer without bias, so that an empty cell stays zero.

    Its weights are U(-1/sqrt(inputs), 1/sqrt(inputs)): larger ones would saturate the score.
    """
    layer = nn.Linear(inputs, outputs, bias=False)
    bound = inputs**-0.5
    draw(layer.weight, generator, lambda w: w.uniform_(-bound, bound, generator=generator))
    return layer


class CellEmbedding(nn.Module):
    """Each cell by its pixels alone: relu(W x), x counted from the picture's usual cell.

    The usual cell is the median over the picture, so an empty one is zero, or close to it, and what
    stands out is far from it.

    Args:
        numbers: P.
        size: E.
        generator: draws the weights; None takes torch's global one.
    """

    def __init__(self, numbers: int, size: int, generator: torch.Generator | None = None) -> None:
        """Make the layer."""
        super().__init__()
        self.pixels = _unbiased(numbers, size, generator)

    def forward(self, cells: Tensor) -> Tensor:
        """Cells (T, B, P) to (T, B, E)."""
        apart = cells - cells.median(0).values
        spread = apart.square().mean((0, 2), keepdim=True).sqrt()  # (1, B, 1)
        return torch.relu(self.pixels(apart / (spread + LEAST_SPREAD)))


class CellEncoder(nn.Module):
    """What is attended over, and a first state for the decoder.

        k_s = relu(W_k x_s)                                    what a cell shows: its key
        e_s = 3x3 convolution of x about s + k_s * (row_s + column_s)             its value
        h_0 = tanh(W_h [sum of k / C, max of k] + b_h)         for each layer

    The first state knows what there is and how often, but not where. A place is in a value alone:
    the decoder must say by what a cell shows, which one it wants, and is then told where it is and
    what is around it.

    Args:
        rows: R.
        columns: C.
        config: gives E, H, the kind of cell and its layers.
        generator: draws the weights; None takes torch's global one.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        config: Seq2SeqConfig,
        generator: torch.Generator | None = None,
    ) -> None:
        """Make the layers."""
        super().__init__()
        self.rows, self.columns, self.layers = rows, columns, config.num_layers
        size, hidden = config.embedding_size, config.hidden_size
        self.around = _unbiased(9 * size, hidden, generator)
        self.shown = _unbiased(size, hidden, generator)
        self.row = nn.Parameter(torch.empty(rows, 1, hidden))
        self.column = nn.Parameter(torch.empty(columns, hidden))
        for place in (self.row, self.column):  # as large as what they multiply, or none is seen
            draw(place, generator, lambda w: w.normal_(generator=generator))
        self.first = linear_layer(2 * hidden, config.num_layers * hidden, generator)
        self.with_cell = isinstance(layer_of(config.cell)(1, 1).initial_state(1), tuple)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, State]:
        """Cells (T, B, E) to keys and values, (T, B, H) each, and the decoder's first state."""
        grid = x.permute(1, 2, 0).view(x.shape[1], x.shape[2], self.rows, -1)  # (B, E, R, C)
        kernel = self.around.weight.view(-1, x.shape[2], 3, 3)
        around = conv2d(grid, kernel, padding=1).flatten(2).permute(2, 0, 1)  # (T, B, H)
        shown = torch.relu(self.shown(x))  # (T, B, H)
        place = self.row + self.column  # (R, C, H)
        pooled = torch.cat([shown.sum(0) / self.columns, shown.amax(0)], dim=-1)
        h = torch.tanh(self.first(pooled)).view(len(pooled), self.layers, -1).transpose(0, 1)
        h = h.contiguous()  # (L, B, H)
        values = around + shown * place.flatten(0, 1).unsqueeze(1)
        return shown, values, ((h, torch.zeros_like(h)) if self.with_cell else h)


class Captioner(Seq2Seq):
    """A `Seq2Seq` that reads the cells of a picture where others read symbols.

    `encode` takes cells (T, B, P) from `cells_of` and lengths that are all T; the decoder, and
    attention, now over cells, are those of `Seq2Seq`. The additive score v^T tanh(W d + U k_s)
    begins with no negative number in v and U, so that cells that show something are looked at
    first: otherwise every second training learns to look at all cells but the one that it is about,
    which tells as much, and stays there.

    Args:
        rows: R.
        columns: C.
        numbers: P of a cell.
        target_size: V, number of target symbols, the special ones of `pairs` counted.
        config: sizes and kinds; its `bidirectional` and `max_source` do not matter.
        generator: draws the weights; None takes torch's global one.

    Source: Xu et al. (2015), arXiv 1502.03044, whose decoder begins with the mean of what the
    places show; here a maximum stands beside it.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        numbers: int,
        target_size: int,
        config: Seq2SeqConfig,
        generator: torch.Generator | None = None,
    ) -> None:
        """Make the layers."""
        config = replace(config, bidirectional=False, max_source=rows * columns)
        super().__init__(2, target_size, config, generator)
        self.rows, self.columns = rows, columns
        self.source_embedding = CellEmbedding(numbers, config.embedding_size, generator)
        self.encoder = CellEncoder(rows, columns, config, generator)
        if self.attention is not None and config.attention == "additive":
            with torch.no_grad():
                for name in ("score_weight", "memory_weight"):
                    self.attention.get_parameter(name).abs_()

    def look(self, pictures: Tensor) -> Encoded:
        """Read pictures (B, height, width, 3), uint8."""
        return self.encode(*self._source(pictures))

    def encode(self, source: Tensor, lengths: Tensor) -> Encoded:
        """Read cells (T, B, P) from `cells_of`; `lengths` are all T: a picture has no padding."""
        del lengths
        keys, values, state = self.encoder(self.dropout(self.source_embedding(source)))
        if self.attention is None:
            return Encoded(state, None)
        return Encoded(state, self.attention.project(keys)._replace(values=values.transpose(0, 1)))

    def describe(self, pictures: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Predict each symbol of the pictures' sentences from those before it.

        Args:
            pictures: (B, height, width, 3) uint8.
            target: (S + 1, B) BEGIN, symbols, END; all but the last are read.

        Returns:
            Logits (S, B, V) of target[1:], and weights (S, B, T), None without attention.
        """
        return cast(tuple[Tensor, Tensor | None], self(*self._source(pictures), target))

    def _source(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (T, B, P) and their number (B,)."""
        cells = cells_of(pictures, self.rows, self.columns)
        return cells, torch.full((len(pictures),), len(cells), device=pictures.device)
