"""`sidestep gradients`: draw how gradients fade and grow through recurrent cells."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from sidestep.scripts.flows.chain import Numbers, chain_figure, chain_table, chain_words
from sidestep.scripts.flows.trained import flows_figure, flows_of, flows_table, flows_words
from sidestep.scripts.shared.console import command, console, say
from sidestep.scripts.shared.curves import (
    BLUE,
    COLOURS,
    FORMATS,
    GREEN,
    ORANGE,
    plain_axes,
    save_figure,
)
from sidestep.scripts.shared.modules import import_noted
from sidestep.sequence import GRU, LSTM, RNN, gradient_flow, toy_chain
from sidestep.sequence.layers.steps import Nonlinearity
from sidestep.sequence.limits import at_least, between, check_fields

Kind = type[RNN] | type[LSTM] | type[GRU]

CHAINS = ((-0.5, "x = -0.5: tanh stays in its middle"), (0.0, "x = 0: tanh saturates"))
RADII = (0.5, 1.0, 1.5, 2.5)


EXAMPLES = """\
  sidestep gradients
  sidestep gradients --out figures --hidden-size 128
  sidestep gradients --w-hh 3 --w-xh 2 --b 1 --x -0.5 --steps 3 --nonlinearity relu
  sidestep gradients --w-hh 1.5 --x 0.1 -0.3 0.2 0.4
  sidestep gradients runs/glimpse"""

LAGS, UNITS, CHAIN_STEPS, MOST = 60, 64, 8, 100_000
"""Where nothing else is said."""
CHAIN = ("w_hh", "w_xh", "b", "x", "h_1", "nonlinearity")
"""The flags that speak of a chain of one's own."""


@dataclass(frozen=True)
class Config:
    """Draw the toy chain (exact against autograd) and gradient norms over lag for each cell.

    Or a chain of your own numbers, factor by factor; or a run's network before and after training.
    """

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """A run of `sidestep lm` or `sidestep train`: how far gradients reach in its network, as it
    began and as it was trained."""
    out: Path = Path("runs/gradients")
    """Folder that gets gradients-chain.png and gradients-cells.png; of a chain of your own
    gradients-own.png, of a run gradients-NAME.png. Of these two it may be the picture itself, a
    .png, .svg or .pdf."""
    steps: int | None = None
    """Lags of the second figure and of a run, 60 if left out; of a chain of your own its steps T,
    as many as there are numbers x, or 8."""
    hidden_size: int | None = None
    """Units of each cell, 64 if left out."""
    seed: int = 0
    """Seed of weights and inputs."""
    w_hh: float | None = None
    """Of a chain h_t = f(w_xh x_t + w_hh h_(t-1) + b): the recurrent weight, 3 if left out."""
    w_xh: float | None = None
    """The input weight, 2 if left out."""
    b: float | None = None
    """The bias, 1 if left out."""
    x: tuple[float, ...] = ()
    """The inputs x_1 to x_T, or one for all steps; -0.5 if left out. As h_1 is given, x_1 is not
    used."""
    h_1: float | None = None
    """The first state, 0 if left out."""
    nonlinearity: Nonlinearity | None = None
    """f, tanh if left out."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of a run's env whose id is `module:id`, or that register what the
    run is made of."""

    def __post_init__(self) -> None:
        """Check the sizes, and that each flag is for what is shown."""
        check_fields(self, {"steps": between(2, MOST), "hidden_size": at_least(2)})
        told = [name for name in CHAIN if getattr(self, name) not in (None, ())]
        if self.run is not None and told:
            flag = told[0].replace("_", "-")
            raise ValueError(f"{flag}: expected none beside a run, got {getattr(self, told[0])}")
        if self.hidden_size is not None and (told or self.run is not None):
            beside = "a chain of one unit" if told else "a run"
            raise ValueError(f"hidden-size: expected none beside {beside}, got {self.hidden_size}")
        if self.out.suffix in FORMATS and not told and self.run is None:
            raise ValueError(f"out: expected a folder for two pictures, got {self.out}")
        numbers = [getattr(self, name) for name in ("w_hh", "w_xh", "b", "h_1")]
        for number in (*self.x, *(n for n in numbers if n is not None)):
            if not math.isfinite(number):
                raise ValueError(f"expected finite numbers of the chain, got {number}")
        if self.steps is not None and len(self.x) > 1 and len(self.x) != self.steps:
            got = f"{len(self.x)} of them"
            raise ValueError(
                f"x: expected one number, or one for each of {self.steps} steps, got {got}"
            )

    def picture(self, name: str) -> Path:
        """Where a single picture goes: to `out` where that is one, else into that folder."""
        return self.out if self.out.suffix in FORMATS else self.out / f"gradients-{name}.png"

    def numbers(self) -> Numbers | None:
        """The chain of one's own; None where none was asked for."""
        if all(getattr(self, name) in (None, ()) for name in CHAIN):
            return None
        x = self.x or (-0.5,)
        x = x if len(x) > 1 else x * (self.steps or CHAIN_STEPS)
        given = {"w_xh": self.w_xh, "w_hh": self.w_hh, "b": self.b, "h_1": self.h_1}
        usual = {"w_xh": 2.0, "w_hh": 3.0, "b": 1.0, "h_1": 0.0}
        known = {name: usual[name] if n is None else n for name, n in given.items()}
        return Numbers(x, **known, nonlinearity=self.nonlinearity or "tanh")


def autograd_chain(x: float, length: int) -> float:
    """dh_T/dh_1 of the toy chain by autograd, h_1 = 0, the same x at every step."""
    h = first = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for _ in range(length - 1):
        h = torch.tanh(2 * x + 3 * h + 1)
    if length == 1:
        return 1.0
    return float(torch.autograd.grad(h, first)[0])


def chains_figure() -> Figure:
    """The two factors of dh_T/dh_1 apart, their product, and autograd's value over it."""
    figure = Figure(figsize=(9, 3.8), dpi=130, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    lengths = range(1, 9)
    for axis, (x, title) in zip(axes, CHAINS, strict=True):
        chains = [toy_chain([x] * length, h_1=0.0) for length in lengths]
        steps = [length - 1 for length in lengths]
        exact = [chain.gradient for chain in chains]
        powers = [c.power for c in chains]  # wide, since the product may lie on it
        axis.plot(steps, powers, color=ORANGE, linewidth=7, alpha=0.4, label="$w_{hh}^{k}$")
        slopes = [c.slopes for c in chains]
        label = r"$\prod (1 - h_t^2)$"
        axis.plot(steps, slopes, "--", color=BLUE, label=label)
        axis.plot(steps, exact, color="black", label="product, exact")
        dots = [autograd_chain(x, length) for length in lengths]
        axis.plot(steps, dots, "o", color=GREEN, markersize=5, label="autograd")
        plain_axes(axis, "steps back, k", "")
        axis.set(yscale="log", xlim=(-0.4, 7.9), ylim=(1e-18, 3e5))
        axis.set_title(title, loc="left", fontsize=11)
        _number(axis, steps[1:], exact[1:])
        _number(axis, steps[-1:], powers[-1:] if exact[-1] < 1 else slopes[-1:])
    axes[0].set_ylabel(r"$\partial h_{k+1} / \partial h_1$", parse_math=True)
    axes[1].legend(frameon=False, loc="lower left")
    return figure


def _number(axis: Axes, steps: Sequence[int], values: Sequence[float]) -> None:
    """Write values above their points; small ones to the right, clear of a line that falls."""
    for step, value in zip(steps, values, strict=True):
        words = f"{value:.0f}" if value >= 3 else f"{value:.3g}" if value > 0.01 else f"{value:.0e}"
        axis.annotate(
            words.replace("e-0", "e-"),
            (step, value),
            (0, 9) if value >= 1 else (7, 3),
            textcoords="offset points",
            ha="center" if value >= 1 else "left",
            fontsize=8,
            color="#444444",
        )


def scaled(
    kind: type[RNN] | type[LSTM] | type[GRU], hidden: int, radius: float
) -> RNN | LSTM | GRU:
    """A layer whose recurrent matrices, gate by gate, are orthogonal times `radius`."""
    layer = kind(hidden, hidden)
    with torch.no_grad():
        layer.get_parameter("weight_hh_l0").mul_(radius)
    return layer


def norms_over_lag(layer: RNN | LSTM | GRU, x: Tensor) -> dict[str, Tensor]:
    """|dL/dh_t| for lag 0, 1, ... of a loss on the last output: median over rows, (T,) each."""
    direction = torch.randn(layer.hidden_size)
    direction /= direction.norm()
    flow = gradient_flow(layer, x, lambda y: (y[-1] @ direction).sum())
    return {name: norms.median(dim=1).values.flip(0) for name, norms in flow.items()}


def cells_figure(config: Config) -> Figure:
    """Gradient norm over lag for RNN, LSTM and GRU at several spectral radii."""
    torch.manual_seed(config.seed)
    figure = Figure(figsize=(11, 4), dpi=130, layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    hidden = config.hidden_size or UNITS
    x = 0.5 * torch.randn((config.steps or LAGS) + 1, 32, hidden)
    kinds: tuple[Kind, ...] = (RNN, LSTM, GRU)
    for axis, kind in zip(axes, kinds, strict=True):
        for radius, color in zip(RADII, COLOURS, strict=False):
            layer = scaled(kind, hidden, radius)
            for name, norms in norms_over_lag(layer, x).items():
                _draw_norms(axis, name, norms, color, f"{radius:g}")
        plain_axes(axis, "lag, steps before the loss", "")
        axis.set_yscale("log")
        axis.set_title(kind.__name__, loc="left", fontsize=11)
    axes[0].set_ylabel(r"$|\partial L / \partial h_t|$, median of 32 rows", parse_math=True)
    axes[0].set_ylim(1e-10, 1e6)
    axes[0].legend(frameon=False, title="spectral radius of $W_{hh}$", ncols=2, loc="upper left")
    axes[1].plot([], [], color="0.3", label="$h_t$")
    axes[1].plot([], [], "--", color="0.3", label="$c_t$, the additive path")
    axes[1].legend(handles=axes[1].lines[-2:], frameon=False, loc="upper left")
    return figure


def _draw_norms(axis: Axes, name: str, norms: Tensor, color: str, label: str) -> None:
    """One line; the state c, which the loss reaches a step later, is dashed."""
    first = 0 if name == "h" else 1
    lags = range(first, len(norms))
    style = "-" if name == "h" else "--"
    axis.plot(lags, norms[first:].tolist(), style, color=color, label=label, linewidth=1.6)


def _keep(figure: Figure, path: Path) -> None:
    """Write a figure and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, path)
    say(f"wrote {path}")


def draw(config: Config) -> None:
    """Draw what is asked for, and say where it is."""
    numbers = config.numbers()
    if config.run is not None:
        import_noted(config.run)
        flows = flows_of(config.run, config.steps or LAGS, config.modules)
        console.print(flows_table(flows))
        say(flows_words(flows))
        _keep(flows_figure(flows), config.picture(config.run.resolve().name))
        return
    if numbers is not None:
        console.print(chain_table(numbers))
        for words in chain_words(numbers):
            say(words)
        _keep(chain_figure(numbers), config.picture("own"))
        return
    _keep(chains_figure(), config.out / "gradients-chain.png")
    _keep(cells_figure(config), config.out / "gradients-cells.png")


main = command("gradients", Config, draw, EXAMPLES)

if __name__ == "__main__":
    main()
