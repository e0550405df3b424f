"""How far gradients reach back in a run's network, as it began and as it was trained.

A gradient of norm 1 is given to the last state, in a direction drawn at random; what of it arrives
at the states before is measured, over pieces of text or over episodes. The same direction, text and
episodes serve both networks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.table import Table
from torch import Tensor

from sidestep.agents import load_agent, make_single
from sidestep.agents.acting.batch import Inputs
from sidestep.agents.networks import Network
from sidestep.agents.player import Player
from sidestep.agents.runs import build_agent
from sidestep.scripts.flows.chain import short
from sidestep.scripts.sequences.lm_task import (
    configs_of,
    load_language_model,
    split_text,
    text_of,
)
from sidestep.scripts.shared.console import add_row, table
from sidestep.scripts.shared.curves import BLUE, GREY, draw_title, plain_axes
from sidestep.sequence import Recurrent, gradient_flow
from sidestep.sequence.fitting.fitted import read_run
from sidestep.sequence.fitting.fitter import FittingConfig, seeded
from sidestep.sequence.fitting.folder import read_settings
from sidestep.sequence.fitting.records import build_config
from sidestep.sequence.models.language import LanguageModel

ROWS, LONGEST = 32, 2000
"""Pieces of text, or episodes; and ticks of an episode that are looked at."""
LAGS = (0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 100, 200, 500, 1000)
"""Rows of the table, as far as they are there."""

Lags = Mapping[str, NDArray[np.float64]]
"""By the state's name (lags,): the median over the rows that reach so far back."""


class Flows(NamedTuple):
    """A run's gradients over lag."""

    name: str
    over: str
    """What they were measured over, in words."""
    before: Lags
    after: Lags


def flows_of(folder: Path, steps: int, modules: tuple[str, ...] = ()) -> Flows:
    """Measure a run.

    Args:
        folder: of a run of `sidestep lm` or `sidestep train`.
        steps: the longest lag.
        modules: that may be imported for a run's env.

    Raises:
        FileNotFoundError, ValueError: no such run, one of another command, or one without a
            recurrent layer.
    """
    kind = read_settings(folder).get("kind")
    if kind == "lm":
        return _of_language(folder, steps)
    if kind is None:
        return _of_agent(folder, steps, modules)
    raise ValueError(f"run: expected one of `sidestep lm` or `sidestep train`, got one of {kind!r}")


def _of_language(folder: Path, steps: int) -> Flows:
    record = read_run(folder, "lm")
    vocabulary, config, stream = configs_of(folder, record)
    trained, _ = load_language_model(folder)
    source = f"{folder}/config.json"
    with seeded(build_config(FittingConfig, record["fitting"], source).seed):
        initial = LanguageModel(len(vocabulary), config).eval()
    symbols, held_out = split_text(vocabulary.encode(text_of(folder, record)), stream)
    text = held_out if len(held_out) > steps else symbols
    length = min(steps + 1, len(text))
    begins = np.unique(np.linspace(0, len(text) - length, ROWS).astype(int))
    pieces = torch.stack([text[begin : begin + length] for begin in begins], dim=1)  # (T, B)
    before, after = (
        lags_of(model.recurrent, [model.inputs(pieces).detach()], steps)
        for model in (initial, trained)
    )
    name = f"{folder.name}: {config.cell.upper()} of {config.hidden_size} units"
    return Flows(name, f"{pieces.shape[1]} pieces of {length} characters", before, after)


def _of_agent(folder: Path, steps: int, modules: tuple[str, ...]) -> Flows:
    agent, run = load_agent(folder, modules=modules)
    memory: object = agent.network.memory
    if not isinstance(memory, Recurrent):
        got = f"memory={agent.config.network.memory!r}"
        raise ValueError(f"run: expected one with a recurrent memory (rnn, lstm, gru), got {got}")
    env = make_single(run.env)
    try:
        episodes = [_inputs_of(env, Player(agent), seed) for seed in range(ROWS)]
    finally:
        env.close()
    initial = build_agent(run, run.training.seed)
    before, after = (
        lags_of(network.memory, [_encoded(network, inputs) for inputs in episodes], steps)
        for network in (initial.network, agent.network)
    )
    name = f"{folder.name}: {type(memory).__name__} of {memory.hidden_size} units"
    return Flows(name, f"{ROWS} episodes of the trained agent", before, after)


def _inputs_of(env: Any, player: Player, seed: int) -> list[Inputs]:
    """All that an agent is shown in an episode."""
    obs, info = env.reset(seed=seed)
    seen, reward = list[Inputs](), 0.0
    while len(seen) < LONGEST:
        action = player.act(obs, not seen, reward, info)
        assert player.impression is not None
        seen.append(player.impression.inputs)
        obs, gained, terminated, truncated, info = env.step(action)
        reward = float(gained)
        if terminated or truncated:
            break
    return seen


@torch.no_grad()
def _encoded(network: Network, inputs: list[Inputs]) -> Tensor:
    """What the memory is given in an episode, (T, 1, D)."""
    return torch.stack([network.encode(one) for one in inputs])


def lags_of(layer: Recurrent, rows: list[Tensor], steps: int) -> Lags:
    """What of a gradient of norm 1 at the last state arrives before it.

    Args:
        layer: of one direction; of several layers the last is measured.
        rows: inputs (T, B, D), each from a cleared state to where the gradient begins.
        steps: the longest lag.
    """
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(layer.hidden_size, generator=generator)
    direction /= direction.norm()
    found: dict[str, list[list[float]]] = {name: [] for name in layer.part_names}
    for x in rows:
        flow = gradient_flow(layer, x, lambda y: (y[-1] @ direction).sum())
        for name, norms in flow.items():
            for lag, values in enumerate(norms.flip(0)[: steps + 1].tolist()):
                if lag == len(found[name]):
                    found[name].append([])
                found[name][lag] += values
    most = max(len(values) for values in found["h"])
    return {
        name: np.array([np.median(v) for v in lags if 2 * len(v) >= most], dtype=np.float64)
        for name, lags in found.items()
    }


def flows_table(flows: Flows) -> Table:
    """A row for some lags; an LSTM's c is reached a step before its h."""
    names = list(flows.before)
    columns = ["lag", *(f"|{n}| {when}" for n in names for when in ("before", "after"))]
    result = table(f"{flows.name}; median over {flows.over}", columns, [])
    lags = len(flows.before["h"])
    for lag in sorted({*(k for k in LAGS if k < lags), lags - 1}):
        pairs = [(flows.before[n][lag], flows.after[n][lag]) for n in names]
        add_row(result, [str(lag), *(short(float(v)) for pair in pairs for v in pair)])
    return result


def flows_words(flows: Flows) -> str:
    """What training changed at the longest lag."""
    before, after = float(flows.before["h"][-1]), float(flows.after["h"][-1])
    lag = len(flows.before["h"]) - 1
    if before == 0 or after == 0:
        return f"{lag} steps back {short(before)} of the gradient arrives before training, " \
            f"{short(after)} after it."  # fmt: skip
    times = after / before
    change = f"{short(times)} times as much" if times >= 1 else f"1/{short(1 / times)} as much"
    return (
        f"{lag} steps back {short(after)} of the gradient arrives in the trained network, "
        f"{change} as in the one that it began as ({short(before)})."
    )


def flows_figure(flows: Flows) -> Figure:
    """Norm over lag on a scale of powers of ten: grey before, blue after; an LSTM's c dashed."""
    figure = Figure(figsize=(6.4, 4), dpi=130, layout="constrained")
    draw_title(figure, flows.name)
    axes = figure.subplots()
    for when, lags, colour in (
        ("before training", flows.before, GREY),
        ("after training", flows.after, BLUE),
    ):
        for name, norms in lags.items():
            first = 0 if name == "h" else 1  # the loss reaches c a step later
            shown = [(k, v) for k, v in enumerate(norms.tolist()) if k >= first and v > 0]
            style = "-" if name == "h" else "--"
            label = f"{name}, {when}" if len(lags) > 1 else when
            axes.plot(*zip(*shown, strict=True), style, color=colour, label=label, linewidth=1.7)
    axes.set_yscale("log")
    plain_axes(axes, "lag, steps before the last", "norm of the gradient that arrives")
    axes.legend(frameon=False, fontsize=8)
    return figure
