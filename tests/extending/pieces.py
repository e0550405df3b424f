"""Pieces of somebody else, in a module of theirs: what `register_*` is given in the tests.

A fresh process imports this file by its name, so it uses nothing but the public interface.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pygame
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn.functional import linear

from sidestep.agents import Agent, Learner, LearnerConfig, Network, register_learner
from sidestep.envs import Lanes, Level, Observation, Shown, View, register_observation
from sidestep.scripts.viewer.panels import Moment, Panel, Pen, register_panel
from sidestep.sequence import Look, MemoryKind, Recurrent, register_memory


def radar_space(levels: Sequence[Level], view: View) -> spaces.Box:
    """Offsets of the goal and of the nearest obstacle, in cells; the ticks until obstacles move."""
    far = max(max(level.width, level.height) for level in levels)
    low = np.array([-far, -far, -far, -far, 0], np.float32)
    return spaces.Box(low, np.array([far, far, far, far, view.period], np.float32))


def radar(lanes: Lanes) -> Any:
    """(N, 5)."""
    obstacles = lanes.obstacles[:, :, :2].astype(np.int64) - lanes.agent[:, None]  # (N, K, 2)
    nearest = np.abs(obstacles).sum(2).argmin(1)  # (N,)
    near = obstacles[np.arange(len(nearest)), nearest]
    near[lanes.tick % lanes.view.every != 0] = 0
    phase = lanes.phase * (not lanes.view.hide_phase)
    return np.column_stack([lanes.goal - lanes.agent, near, phase]).astype(np.float32)


RADAR = Observation(
    space=radar_space,
    function=radar,
    hides=True,
    shows=Shown(headings=False, near=True),
)
register_observation("radar", RADAR)


class Leaky(nn.Module):
    """A memory y_t = (1 - k) y_{t-1} + k W x_t, one number k a unit: an exponential average."""

    def __init__(self, input_size: int, hidden_size: int, generator: Any = None) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, hidden_size
        weight = torch.empty(hidden_size, input_size)
        self.weight = nn.Parameter(weight.normal_(0, input_size**-0.5, generator=generator))
        self.rate = nn.Parameter(torch.zeros(hidden_size))

    def initial_state(self, batch: int) -> Tensor:
        return self.weight.new_zeros(1, batch, self.output_size)

    def step(self, x: Tensor, state: Any, reset: Tensor | None = None) -> tuple[Tensor, Tensor]:
        before = state[0]
        if reset is not None:
            before = before.masked_fill(reset.unsqueeze(-1), 0)
        y = torch.lerp(before, x @ self.weight.t(), self.rate.sigmoid())
        return y.clone(), y.unsqueeze(0)

    def forward(
        self, x: Tensor, state: Any = None, reset: Tensor | None = None, lengths: Any = None
    ) -> tuple[Tensor, Tensor]:
        state, rows = self.initial_state(x.shape[1]) if state is None else state, []
        for t, x_t in enumerate(x):
            y, state = self.step(x_t, state, None if reset is None else reset[t])
            rows.append(y)
        return torch.stack(rows), state


def leaky(input_size: int, hidden_size: int, num_layers: int, window: int, **options: Any) -> Any:
    if num_layers != 1:
        raise ValueError(f"expected num_layers=1 for leaky, got {num_layers}")
    return Leaky(input_size, hidden_size, **options)


def look_at_leaky(memory: Any, x: Tensor, state: Any, reset: Tensor | None) -> Look:
    y, _ = memory.step(x, state, reset)
    return Look(units=y, gates={"k": memory.rate.sigmoid().expand_as(y)})


LEAKY = MemoryKind(leaky, look_at_leaky, {"k": "lets in"})
register_memory("leaky", LEAKY)


class MinimalStep(NamedTuple):
    """The state and the only gate of a minimal gated unit, each (B, H)."""

    h: Tensor
    f: Tensor


class MinimalUnit(Recurrent):
    """Zhou et al. (2016), arXiv 1603.09420: one gate that forgets, and lets in."""

    gates = 2
    part_names = ("h",)
    record = MinimalStep
    gate_words = MappingProxyType({"f": "renews"})

    def cell_step(self, x: Tensor, parts: Any, weights: Any) -> MinimalStep:
        (h,) = parts
        from_x = linear(x, weights.w_ih, weights.b_ih).chunk(2, -1)
        w_f, w_n = weights.w_hh.chunk(2)
        b_f, b_n = weights.b_hh.chunk(2)
        f = (from_x[0] + linear(h, w_f, b_f)).sigmoid()
        new = (from_x[1] + linear(f * h, w_n, b_n)).tanh()
        return MinimalStep(torch.lerp(h, new, f), f)


MINIMAL = MemoryKind.of_layer(MinimalUnit)
register_memory("minimal", MINIMAL)


def has_scene(moment: Moment) -> bool:
    return moment.scene is not None


def draw_distance(surface: pygame.Surface, moment: Moment, pen: Pen) -> None:
    """Fill as much of the surface, in red, as the agent is far from the goal."""
    scene = moment.scene
    assert scene is not None
    far = abs(scene.agent.x - scene.level.goal.x) + abs(scene.agent.y - scene.level.goal.y)
    most = scene.level.width + scene.level.height - 2
    surface.fill((0, 0, 0))
    width, height = surface.get_size()
    pygame.draw.rect(surface, (255, 0, 0), (0, 0, round(width * far / most), height))


DISTANCE = Panel("distance", "way to the goal", has_scene, weight=0.5, draw=draw_distance)
register_panel(DISTANCE)


def mark(surface: pygame.Surface, layout: Any, moment: Moment, pen: Pen) -> None:
    """Fill the goal's cell in a colour that nothing else has."""
    assert moment.scene is not None
    left, top = layout.corner(*moment.scene.level.goal)
    pygame.draw.rect(surface, (1, 254, 3), (left, top, layout.cell, layout.cell))


MARK = Panel("mark", "the goal", has_scene, over=mark, in_all_lanes=True, key="m")
register_panel(MARK)


@dataclass(frozen=True)
class TinyConfig(LearnerConfig):
    """Settings of one-step Q-learning with a softmax over the action values."""

    temperature: float = 0.1
    """Of the softmax."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise ValueError(f"temperature: expected a positive number, got {self.temperature}")


class Tiny(Agent):
    """One-step Q-learning: q_t[a_t] is drawn to r_{t+1} + discount * max q_{t+1}."""

    name = "tiny"
    config: TinyConfig

    def make_network(self) -> Network:
        return Network(self.encoder.shape, self.num_actions, self.num_actions, self.config.network)

    def choose(self, output: Any, mask: Any, greedy: bool) -> Any:
        if greedy:
            return output.argmax(-1)
        noise = self.random.gumbel(*output.shape)
        return (output / self.config.temperature + noise).argmax(-1)

    def values(self, output: Tensor, mask: Any) -> Tensor:
        return output.amax(-1)

    def scores(self, output: Tensor, mask: Any) -> tuple[Tensor, bool]:
        return (output / self.config.temperature).softmax(-1), True

    def value(self, output: Tensor, mask: Any) -> Tensor:
        return output.amax(-1)

    def update(self, rollout: Any) -> dict[str, float]:
        q, _ = self.network(rollout.inputs, rollout.state)  # (T+1, B, A)
        best = q[1:].detach().amax(-1)
        best = torch.where(rollout.truncated, rollout.final_value, best)
        target = rollout.reward + self.config.discount * best * ~rollout.terminated
        played = q[:-1].gather(-1, rollout.action[:-1].unsqueeze(-1)).squeeze(-1)  # (T, B)
        error = ((played - target) ** 2 * rollout.valid).sum() / rollout.valid.sum().clamp(min=1)
        return {"loss": error.item(), "gradient_norm": self.descend(error)}


TINY = Learner(Tiny, TinyConfig, words="Train one-step Q-learning.")
register_learner("tiny", TINY)
