"""`sidestep gradients`: what the figure of the chain shows."""

from pathlib import Path
from typing import Any

import matplotlib
import pytest

from sidestep.scripts import gradients


def test_the_chain_shows_both_factors_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tanh stays in its middle the product lay on the powers of w_hh and hid them."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn: list[Any] = []

    def keep(path: Path) -> Path:
        drawn.extend(plt.gcf().axes)
        plt.close()
        return path

    monkeypatch.setattr(gradients, "_save", keep)
    gradients.draw_chain(tmp_path)
    middle, saturated = drawn
    for axis in drawn:
        powers, _, product, _ = axis.get_lines()
        assert list(powers.get_ydata()) == [3.0**k for k in range(8)]
        assert powers.get_linewidth() > 3 * product.get_linewidth()  # seen on both sides of it
    words = [text.get_text() for text in middle.texts]
    assert words == ["3", "9", "27", "81", "243", "729", "2187", "1"]
    words = [text.get_text() for text in saturated.texts]
    assert words[:3] == ["1.26", "0.0211", "9e-5"] and words[-1] == "2187"
