"""`sidestep gradients`: what the figure of the chain shows."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from sidestep.scripts import gradients, lm, train
from sidestep.scripts.flows.chain import Numbers, chain_figure, chain_words, products, short
from sidestep.scripts.flows.trained import flows_of, lags_of
from sidestep.scripts.gradients import Config
from sidestep.sequence import RNN


def test_the_chain_shows_both_factors_and_numbers() -> None:
    """Where tanh stays in its middle the product lay on the powers of w_hh and hid them."""
    drawn: list[Any] = gradients.chains_figure().axes
    middle, saturated = drawn
    for axis in drawn:
        powers, _, product, _ = axis.get_lines()
        assert list(powers.get_ydata()) == [3.0**k for k in range(8)]
        assert powers.get_linewidth() > 3 * product.get_linewidth()  # seen on both sides of it
    words = [text.get_text() for text in middle.texts]
    assert words == ["3", "9", "27", "81", "243", "729", "2187", "1"]
    words = [text.get_text() for text in saturated.texts]
    assert words[:3] == ["1.26", "0.0211", "9e-5"] and words[-1] == "2187"


def rows_of(output: str) -> list[list[str]]:
    """The cells of a table's rows."""
    found = [line for line in output.splitlines() if line.startswith("\u2502")]
    return [[cell.strip() for cell in line.strip("\u2502").split("\u2502")] for line in found]


def test_a_chain_of_ones_own_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The course's chain: h_3 = 0.9972 and dh_3/dh_1 = 9 * 0.42 * 0.0056 = 0.0211."""
    words = "--w-hh 3 --w-xh 2 --b 1 --x 0 --steps 3 --out".split()
    gradients.main([*words, str(tmp_path)])
    told = capsys.readouterr().out
    assert "h_t = tanh(2 x_t + 3 h_(t-1) + 1)" in told
    assert rows_of(told) == [
        ["1", "", "", "0", "", "", "1"],
        ["2", "0", "1", "0.7616", "0.42", "1.2599", "1.2599"],
        ["3", "0", "3.2848", "0.9972", "0.0056", "0.0168", "0.0211"],
    ]
    assert "dh_3/dh_1 = 3^2 * slopes = 9 * 0.0023 = 0.0211; autograd: 0.0211." in told
    assert "Of 2 factors 1 is larger than 1 in size; over all steps the gradient fades." in told
    assert (tmp_path / "gradients-own.png").read_bytes()[1:4] == b"PNG"
    assert not (tmp_path / "gradients-cells.png").exists()


def test_a_chain_of_relu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path)]
    gradients.main(["--x", "-0.5", "--steps", "3", "--nonlinearity", "relu", *out])
    told = capsys.readouterr().out
    assert "= 9 * 0 = 0; autograd: 0." in told and "ReLU has no slope" in told
    gradients.main(["--x", "9", "0", "0", "--nonlinearity", "relu", *out])  # h_1 is given
    told = capsys.readouterr().out
    assert "= 9 * 1 = 9; autograd: 9." in told and "the gradient grows" in told


def test_products_and_the_figure_of_a_negative_weight() -> None:
    numbers = Numbers((0.0, -0.2, 0.4, 0.1), 0.5, -1.5, 0.2, 0.3, "tanh")
    found = products(numbers)
    assert found[-1] == pytest.approx(numbers.chain().gradient, rel=1e-12)
    assert found[-1] == pytest.approx(numbers.by_autograd(), rel=1e-12) and found[-1] < 0
    left, right = chain_figure(numbers).axes
    bars = [bar.get_height() for bar in left.patches]
    assert bars == pytest.approx([b / a for a, b in pairwise(found)])
    drawn = {line.get_label(): list(line.get_ydata()) for line in right.get_lines()}
    assert drawn["product |dh/dh_1|"] == pytest.approx([abs(g) for g in found[1:]])
    assert drawn["power |w_hh|^k"] == [1.5, 2.25, 3.375]
    assert chain_words(numbers)[0].startswith("dh_4/dh_1 = -1.5^3 * slopes = -3.375 * ")
    assert [short(n) for n in (0, 9, 0.02114, 1e-6, 123456)] == [
        *("0", "9", "0.0211", "1.000e-06", "1.235e+05"),
    ]


def test_lags_of_a_chain_by_hand() -> None:
    """A linear unit of weight 0.5 halves a gradient at every step; rows may end sooner."""
    layer = RNN(1, 1, nonlinearity="relu")
    with torch.no_grad():
        layer.weight_hh_l0.fill_(0.5)
        layer.weight_ih_l0.fill_(1)
        for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
            bias.zero_()
    rows = [torch.ones(length, 1, 1) for length in (2, 5, 5)]
    assert lags_of(layer, rows, 3)["h"].tolist() == [1, 0.5, 0.25, 0.125]
    assert len(lags_of(layer, [torch.ones(9, 1, 1), *[torch.ones(2, 1, 1)] * 3], 8)["h"]) == 2


def test_runs_before_and_after_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that learned next to nothing are what they began as; others are not."""
    text = tmp_path / "text.txt"
    text.write_text("so long, and so on. " * 30)
    flags = "--cell lstm --hidden-size 7 --updates 3 --rows 2 --seed 4 --out"
    for name, rate in (("still", "1e-12"), ("moved", "0.5")):
        folder = str(tmp_path / name)
        lm.main(["train", str(text), "--learning-rate", rate, *flags.split(), folder])
    still, moved = (flows_of(tmp_path / name, 20) for name in ("still", "moved"))
    assert len(still.before["h"]) == 21 and still.before["h"][0] == pytest.approx(1)
    assert still.after["h"] == pytest.approx(still.before["h"], rel=1e-4)
    assert moved.before["h"] == pytest.approx(still.before["h"], rel=1e-6)
    assert moved.after["c"][5] != pytest.approx(moved.before["c"][5], rel=0.1)
    flags = "--total-steps 64 --num-envs 4 --episodes 1 --gif-episodes 0 --evaluate-every 0"
    rates = "--learning-rate 1e-12 --final-learning-rate 1e-12 --seed 3".split()
    words = ["deep-sarsa", "--memory", "gru", *rates, *flags.split()]
    train.main([*words, "--out", str(tmp_path / "gru")])
    agent = flows_of(tmp_path / "gru", 5)
    assert agent.after["h"] == pytest.approx(agent.before["h"], rel=1e-4)
    capsys.readouterr()
    gradients.main([str(tmp_path / "moved"), "--steps", "10", "--out", str(tmp_path)])
    told = capsys.readouterr().out
    assert "moved: LSTM of 7 units" in told and re.search(r"10 steps back \S+ of the grad", told)
    assert (tmp_path / "gradients-moved.png").exists()
    with pytest.raises(SystemExit) as stop:
        gradients.main(["--example", "obstacles", "--out", str(tmp_path)])
    line = capsys.readouterr().err
    assert stop.value.code == 2 and "(rnn, lstm, gru), got memory='none'" in line


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--x", "1", "2", "--steps", "3"], "or one for each of 3 steps, got 2 of them"),
        (["--nonlinearity", "sigmoid"], "expected one of relu, tanh or None, got 'sigmoid'"),
        (["--steps", "1"], "steps: expected 2 to 100000, got 1"),
        (["runs/x", "--w-hh", "3"], "w-hh: expected none beside a run, got 3.0"),
        (["--w-hh", "3", "--hidden-size", "9"], "hidden-size: expected none beside a chain"),
        (["--w-hh", "nan"], "expected finite numbers of the chain, got nan"),
        (["no-such-run"], "no-such-run"),
    ],
)
def test_wrong_input(args: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        gradients.main(args)
    line = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and words in line and "\n" not in line


def test_the_picture_of_a_chain_may_be_an_svg(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.svg"
    gradients.main(f"--w-hh 2 --steps 3 --out {path}".split())
    assert path.read_text().startswith("<?xml") and f"wrote {path}" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        gradients.main(["--out", str(path)])
    assert stop.value.code == 2
    assert "out: expected a folder for two pictures, got" in capsys.readouterr().err


def test_formulas_on_axes_are_set_as_formulas() -> None:
    """Once `plain_axes` had gone over them they stood there as $\\partial$."""
    for figure in (
        gradients.chains_figure(),
        gradients.cells_figure(Config(steps=3, hidden_size=4)),
    ):
        label = figure.axes[0].yaxis.label
        assert label.get_text().startswith("$") and label.get_parse_math()
