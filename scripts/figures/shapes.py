"""The four shapes of sequence tasks as a picture: what is read, what is carried, what is told.

`python -m sidestep.scripts.figures.shapes --out docs/figures` draws the one of the docs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from sidestep.scripts.shared.console import command, say
from sidestep.scripts.shared.curves import BLUE, GREEN, ORANGE, save_figure

EXAMPLES = "  python -m sidestep.scripts.figures.shapes --out docs/figures"


@dataclass(frozen=True)
class Options:
    """Draw the four shapes of sequence tasks."""

    out: Path = Path("runs/shapes")
    """Folder that gets shapes.png."""


@dataclass(frozen=True)
class Shape:
    """One panel.

    Attributes:
        title: its name.
        example: what stands below.
        inputs: by step; None where nothing is read.
        outputs: by step; None where nothing is told.
        fed: whether what was told is read at the next step.
    """

    title: str
    example: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    fed: bool = False


SHAPES = (
    Shape("one to one", "a value from a value:\nno memory", ("x",), ("y",)),
    Shape("one to many", "a text from its first\ncharacter", ("h", None, None, None),
          ("e", "l", "l", "o"), fed=True),
    Shape("many to one", "a verdict on a whole\nsequence", ("1", "0", "1", "1"),
          (None, None, None, "odd")),
    Shape("many to many, in step", "the next character,\nan action at every tick",
          ("h", "e", "l", "l"), ("e", "l", "l", "o")),
    Shape("many to many, after reading", "a sequence from a sequence:\nlengths are free",
          ("3", "1", "7", None, None, None), (None, None, None, "7", "1", "3"), fed=True),
)  # fmt: skip
ROWS = (0.0, 1.5, 3.0)
"""Heights of what is read, of the state and of what is told."""


def shapes_figure() -> Figure:
    """All panels beside each other."""
    widths = [len(shape.inputs) + 0.6 for shape in SHAPES]
    figure = Figure(figsize=(sum(widths) * 0.62, 3.3), dpi=140, layout="constrained")
    grid = figure.add_gridspec(1, len(SHAPES), width_ratios=widths)
    for number, shape in enumerate(SHAPES):
        _draw(figure.add_subplot(grid[number]), shape)
    return figure


def _draw(axes: Any, shape: Shape) -> None:
    for step, (read, told) in enumerate(zip(shape.inputs, shape.outputs, strict=True)):
        _box(axes, step, ROWS[1], "", GREEN)
        if read is not None:
            _box(axes, step, ROWS[0], read, ORANGE)
            _arrow(axes, (step, ROWS[0] + 0.36), (step, ROWS[1] - 0.38))
        if told is not None:
            _box(axes, step, ROWS[2], told, BLUE)
            _arrow(axes, (step, ROWS[1] + 0.36), (step, ROWS[2] - 0.38))
        if step:
            _arrow(axes, (step - 0.64, ROWS[1]), (step - 0.36, ROWS[1]))
        if step and shape.fed and shape.outputs[step - 1] is not None:
            _arrow(axes, (step - 0.76, ROWS[2] - 0.36), (step - 0.22, ROWS[1] + 0.4), dashed=True)
    middle = (len(shape.inputs) - 1) / 2
    axes.text(middle, 3.85, shape.title, ha="center", fontsize=9.5, weight="bold")
    axes.text(middle, -1.3, shape.example, ha="center", va="center", fontsize=8, color="#444444")
    axes.set(xlim=(-0.75, len(shape.inputs) - 0.25), ylim=(-1.9, 4.2), aspect="equal")
    axes.axis("off")


def _box(axes: Any, x: float, y: float, word: str, colour: str) -> None:
    box = FancyBboxPatch((x - 0.26, y - 0.26), 0.52, 0.52, boxstyle="round,pad=0.08",
                         facecolor=colour, edgecolor="none", alpha=0.9)  # fmt: skip
    axes.add_patch(box)
    axes.text(x, y, word, ha="center", va="center_baseline", color="white", fontsize=9)


def _arrow(
    axes: Any, begin: tuple[float, float], end: tuple[float, float], dashed: bool = False
) -> None:
    style = {"arrowstyle": "-|>", "color": "#555555", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.0}
    if dashed:
        style |= {"linestyle": (0, (3, 2)), "color": "#9A9A9A"}
    axes.annotate("", xy=end, xytext=begin, arrowprops=style)


def run(options: Options) -> None:
    """Draw the picture."""
    options.out.mkdir(parents=True, exist_ok=True)
    save_figure(shapes_figure(), options.out / "shapes.png")
    say(f"Figure: {options.out / 'shapes.png'}")


main = command("shapes", Options, run, EXAMPLES)

if __name__ == "__main__":
    main()
