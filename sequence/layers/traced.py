"""What a recurrent layer computed, named, and as a picture."""

from typing import Any, NamedTuple

from torch import Tensor

from sidestep.sequence.pictures import Kind, heat, rows_of, softly
from sidestep.sequence.state import State

GATES = {"i": "lets in", "f": "keeps", "o": "shows", "r": "uses the past", "z": "keeps"}
"""Fields that are shares in [0, 1], and what each does when it is open."""
STATES = {"h": "output", "c": "cell", "g": "candidate", "n": "candidate"}


class Trace(NamedTuple):
    """All that a layer computed, named; a notebook shows it as pictures, a row for each unit.

    Attributes:
        y: (T, B, output_size), as `forward` returns it.
        state: as `forward` returns it.
        cells: one record for each layer and direction (forward first), with every state and gate
            (T, B, H) by name; in a reverse direction too, index t is the time of the input.
    """

    y: Tensor
    state: State
    cells: tuple[Any, ...]

    @softly
    def _repr_html_(self) -> str | None:
        """States and gates of the batch's first row: units downwards, time to the right."""
        steps, batch, _ = self.y.shape
        pictures = {}
        for number, record in enumerate(self.cells):
            for name, values in record._asdict().items():
                table = values[:, 0].detach().float().cpu().numpy().T  # (H, T)
                kind: Kind = "share" if name in GATES else "signed"
                most = 1.0 if name in GATES or name == "h" else max(1.0, float(abs(table).max()))
                words = {**GATES, **STATES}.get(name, "")
                label = f"{name} {words}".strip() + f", layer {number}" * (len(self.cells) > 1)
                pictures[label] = heat(table, f"{label}: {table.shape[0]} units", kind, most)
        others = f", row 0 of {batch}" if batch > 1 else ""
        return rows_of(pictures, f"{steps} steps, time to the right, a line each unit{others}")
