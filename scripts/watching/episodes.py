"""A trained agent's episodes as frames."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidestep.agents import Agent, EnvConfig, make_single
from sidestep.agents.player import Player
from sidestep.scripts.console import console
from sidestep.scripts.watching.gif import write_gif
from sidestep.scripts.watching.stage import drawing_of, picture_size

FRAMES_PER_SECOND = 6
MOST_FRAMES = 400


def record_episodes(agent: Agent, env_config: EnvConfig, episodes: int, path: Path) -> None:
    """Play greedy episodes from seed 0 on, and write them to a GIF.

    An env that cannot render leaves a sentence and no file.
    """
    try:
        env = make_single(env_config, render_mode="rgb_array")
    except Exception as error:  # foreign envs fail in their own ways where a renderer is missing
        console.print(f"No {path.name}: this env does not render ({error}).")
        return
    try:
        frames, ends = play_frames(env, Player(agent), episodes)
    finally:
        env.close()
    write_gif(path, frames, FRAMES_PER_SECOND, hold=ends)


def play_frames(
    env: Any, player: Player, episodes: int
) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """The frames of some episodes, first and last ones included, and where episodes end."""
    draw, size = drawing_of(env), None
    frames: list[NDArray[np.uint8]] = []
    ends: list[int] = []
    for seed in range(episodes):
        obs, info = env.reset(seed=seed)
        size = size or picture_size(env)
        frames.append(draw(*size))
        start, reward, over = True, 0.0, False
        while not over and len(frames) < MOST_FRAMES:
            action = player.act(obs, start, reward, info)
            obs, reward, terminated, truncated, info = env.step(action)
            frames.append(draw(*size))
            start, over = False, terminated or truncated
        ends.append(len(frames) - 1)
    return frames, ends
