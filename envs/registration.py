"""The ids of this package's worlds, registered with Gymnasium on import."""

from typing import Any

import gymnasium as gym

from .config import BOOK_LEVEL

BOOK: dict[str, Any] = {
    "level": BOOK_LEVEL,
    "observation": "book",
    "random_starts": False,
    "swap_hits": False,
    "hit_ends": False,
    "step_reward": 0.0,
}
"""The course's original: obstacles first, swaps are free, a hit costs 1 and the episode goes on."""

GLIMPSE: dict[str, Any] = {"hide": ["headings"], "visible_every": 8}
"""Obstacles seen now and then, without headings: where they are must be remembered."""

CROSSING: dict[str, Any] = {"observation": "window", "radius": 3, "pool": {}}
"""Random levels, 12x12 with sixteen patrols, of which the agent sees 7x7 cells around it:
`split="test"` has others than `split="train"`."""

ENVS: dict[str, tuple[int | None, dict[str, Any]]] = {
    "sidestep/MovingObstacles-v0": (100, {}),
    "sidestep/Book-v0": (None, BOOK),
    "sidestep/Glimpse-v0": (100, GLIMPSE),
    "sidestep/Crossing-v0": (100, CROSSING),
}
"""For each id the time limit in ticks and what differs from the defaults of `WorldConfig`."""

ENV_IDS = tuple(ENVS)
"""The ids of the grid worlds."""

RECALL: dict[str, tuple[int | None, str]] = {
    "sidestep/Cue-v0": (1000, "sidestep.envs.recall.cue:CueEnv"),
    "sidestep/TMaze-v0": (1000, "sidestep.envs.recall.t_maze:TMazeEnv"),
}
"""For each task of remembering the time limit in ticks and its class; they are no grid worlds."""

RECALL_IDS = tuple(RECALL)
"""The ids of the tasks of remembering."""


def register() -> None:
    """Register every id that is not registered yet."""
    for env_id, (limit, entry_point) in RECALL.items():
        if env_id not in gym.registry:
            gym.register(env_id, entry_point=entry_point, max_episode_steps=limit)
    for env_id, (limit, kwargs) in ENVS.items():
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point="sidestep.envs.env:MovingObstaclesEnv",
                vector_entry_point="sidestep.envs.vector_env:MovingObstaclesVectorEnv",
                max_episode_steps=limit,
                kwargs=kwargs,
            )
