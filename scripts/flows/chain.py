"""The gradient through a chain of one unit in one's own numbers, as a table and a figure."""

from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from rich.table import Table

from sidestep.scripts.shared.console import add_row, table
from sidestep.scripts.shared.curves import BLUE, GREEN, GREY, ORANGE, draw_title, plain_axes
from sidestep.sequence import toy_chain
from sidestep.sequence.layers.inspection import Chain
from sidestep.sequence.layers.steps import Nonlinearity

SHOWN = 24
"""Rows of a table."""


class Numbers(NamedTuple):
    """A chain h_t = f(w_xh x_t + w_hh h_{t-1} + b)."""

    x: tuple[float, ...]
    """(T,) inputs; the first is not used, as h_1 is given."""
    w_xh: float
    w_hh: float
    b: float
    h_1: float
    nonlinearity: Nonlinearity

    def chain(self, steps: int | None = None) -> Chain:
        """The chain, or its first steps."""
        return toy_chain(self.x[:steps], self.w_xh, self.w_hh, self.b, self.h_1, self.nonlinearity)

    def by_autograd(self) -> float:
        """dh_T/dh_1 as autograd has it."""
        h = first = torch.tensor(self.h_1, dtype=torch.float64, requires_grad=True)
        for x in self.x[1:]:
            a = self.w_xh * x + self.w_hh * h + self.b
            h = torch.tanh(a) if self.nonlinearity == "tanh" else torch.relu(a)
        return float(torch.autograd.grad(h, first)[0])

    def __str__(self) -> str:
        """The equation with its numbers."""
        inside = f"{self.w_xh:g} x_t + {self.w_hh:g} h_(t-1) + {self.b:g}".replace("+ -", "- ")
        return f"h_t = {self.nonlinearity}({inside})"


def products(numbers: Numbers) -> list[float]:
    """dh_t/dh_1 for t = 1..T."""
    slopes, found = numbers.chain().slope.tolist(), [1.0]
    for slope in slopes[1:]:
        found.append(found[-1] * numbers.w_hh * slope)
    return found


def chain_table(numbers: Numbers) -> Table:
    """A row for each step: its sum, its state, the slope there, its factor, and the product."""
    chain, gradients = numbers.chain(), products(numbers)
    rest = f"; the first {SHOWN} of {len(numbers.x)} steps" if len(numbers.x) > SHOWN else ""
    columns = ["t", "x_t", "a_t", "h_t", "f'(a_t)", "w_hh f'(a_t)", "dh_t/dh_1"]
    result = table(f"{numbers}{rest}", columns, [])
    add_row(result, ["1", "", "", f"{numbers.h_1:g}", "", "", "1"])
    for t in range(1, min(len(numbers.x), SHOWN)):
        slope = float(chain.slope[t])
        figures = (numbers.x[t], float(chain.sums[t]), float(chain.h[t]))
        factors = (slope, numbers.w_hh * slope, gradients[t])
        add_row(result, [str(t + 1), *map(short, figures), *map(short, factors)])
    return result


def short(number: float) -> str:
    """Four decimals, as far as they say something; powers of ten where they do not."""
    if number == 0 or 1e-4 <= abs(number) < 1e5:
        return f"{number:.4f}".rstrip("0").rstrip(".")
    return f"{number:.3e}"


def chain_words(numbers: Numbers) -> list[str]:
    """The two factors, their product beside autograd's, and which of them won."""
    chain, steps = numbers.chain(), len(numbers.x)
    factors = [abs(numbers.w_hh * float(slope)) for slope in chain.slope[1:]]
    large = sum(factor > 1 for factor in factors)
    fate = (
        "is exactly 0" if chain.gradient == 0 else "fades" if abs(chain.gradient) < 1 else "grows"
    )
    fate = "keeps its size" if abs(chain.gradient) == 1 else fate
    words = [
        f"dh_{steps}/dh_1 = {numbers.w_hh:g}^{steps - 1} * slopes = {short(chain.power)} * "
        f"{short(chain.slopes)} = {short(chain.gradient)}; autograd: "
        f"{short(numbers.by_autograd())}.",
        f"Of {steps - 1} factors {large} {'is' if large == 1 else 'are'} larger than 1 in size; "
        f"over all steps the gradient {fate}.",
    ]
    if numbers.nonlinearity == "relu" and bool((chain.sums[1:] == 0).any()):
        words.append("At a = 0 ReLU has no slope; it is counted as 0 there, as torch does.")
    return words


def chain_figure(numbers: Numbers) -> Figure:
    """The factor of every step; and the power, the slopes and their product over steps back."""
    chain, steps = numbers.chain(), range(1, len(numbers.x))
    figure = Figure(figsize=(9, 3.9), dpi=130, layout="constrained")
    draw_title(figure, str(numbers))
    left, right = figure.subplots(1, 2)
    factors = [numbers.w_hh * float(slope) for slope in chain.slope[1:]]
    bars = left.bar([t + 1 for t in steps], factors, color=BLUE, width=0.6)
    if len(factors) <= 9:
        left.bar_label(bars, [short(factor) for factor in factors], fontsize=8, color="#444444")
    left.axhline(1, color=GREY, linestyle=(0, (4, 3)), linewidth=1.2)
    left.axhline(0, color="black", linewidth=0.8)
    plain_axes(left, "step t", "factor of step t")
    left.xaxis.get_major_locator().set_params(integer=True)
    parts = [numbers.chain(t + 1) for t in steps]
    _line(right, steps, [abs(c.power) for c in parts], ORANGE, "-", "power |w_hh|^k", 6)
    _line(right, steps, [c.slopes for c in parts], GREEN, "--", "slopes", 1.6)
    _line(right, steps, [abs(c.gradient) for c in parts], "black", "-", "product |dh/dh_1|", 1.4)
    plain_axes(right, "steps back, k", "size")
    right.set_yscale("log")
    right.xaxis.get_major_locator().set_params(integer=True)
    right.legend(frameon=False, fontsize=8)
    return figure


def _line(
    axes: Any, steps: range, values: list[float], colour: str, style: str, label: str, width: float
) -> None:
    """A line over steps back; what is 0 has no place on a scale of powers of ten."""
    kept = [(k, value) for k, value in zip(steps, values, strict=True) if value > 0]
    if not kept:
        label += ": 0 throughout"
    faint = 0.4 if width > 3 else 1.0
    axes.plot(
        [k for k, _ in kept],
        [value for _, value in kept],
        style,
        color=colour,
        linewidth=width,
        alpha=faint,
        marker="o" if len(steps) <= SHOWN else None,
        markersize=width + 3,
        label=label,
    )
