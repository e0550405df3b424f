"""A trained agent's episodes as a GIF."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym

from sidestep.agents import Agent, EnvConfig
from sidestep.agents.player import Player
from sidestep.envs.drawing import board as rendering
from sidestep.envs.drawing.screen_window import fitted
from sidestep.scripts.shared.console import say
from sidestep.scripts.viewer.env_pictures import drawing_of, make_drawn, off_screen, picture_size
from sidestep.scripts.viewer.recording import Film

FRAMES_PER_SECOND = 6
MOST_FRAMES = 400
LONGEST_SIDE = 800
"""Pixels; larger pictures are shrunk to it."""


def record_episodes(agent: Agent, env_config: EnvConfig, episodes: int, path: Path) -> None:
    """Play greedy episodes from seed 0 on, and write them to a GIF.

    Whatever fails here leaves a sentence and no file: training has been paid for.
    """
    try:
        with off_screen(), closing(make_drawn(env_config)) as env:
            film_of(env, Player(agent), episodes).write(path)
    except Exception as error:  # foreign envs fail in their own ways
        if os.environ.get("SIDESTEP_TRACEBACK"):
            raise
        say(f"No {path.name}: {error or type(error).__name__}")


def film_of(env: gym.Env[Any, Any], player: Player, episodes: int) -> Film:
    """Film some episodes, first and last pictures included.

    Args:
        env: with render_mode="rgb_array". Pictures of other sizes than the first are fitted to it.
        player: at the controls.
        episodes: how many; fewer where the film is full before.

    Raises:
        ValueError: the env gives no picture.
    """
    draw, size = drawing_of(env), None
    film, count = Film(FRAMES_PER_SECOND), 0
    for seed in range(episodes):
        obs, info = env.reset(seed=seed)
        if size is None:
            drawn = picture_size(env)
            share = min(1.0, LONGEST_SIDE / max(drawn))
            size = max(1, round(drawn[0] * share)), max(1, round(drawn[1] * share))
        start, reward, over = True, 0.0, False
        while True:
            picture, count = draw(*size), count + 1
            if picture.shape[1::-1] != size:
                picture = rendering.pixels(fitted(picture, *size))
            over = over or count >= MOST_FRAMES
            film.add(picture, hold=over)
            if over:
                break
            action = player.act(obs, start, reward, info)
            obs, gained, terminated, truncated, info = env.step(action)
            start, reward, over = False, float(gained), terminated or truncated
        if count >= MOST_FRAMES:
            break
    return film
