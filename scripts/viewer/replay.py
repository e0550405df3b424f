"""Replay files: who did what in which world, small enough to pass on, checked before it is shown.

A file is JSON: the world's id, keywords and time limit; then for each episode its seed, its map,
its actions, and what they brought. Reading plays every episode again and refuses what does not come
out as it is written: a file of another version of the rules, or one that was changed.

A replay comes from anybody, so it holds nothing that would run or read something else: an id of
this package without a module, maps as text and no paths, and no more of all than can be played
again in some seconds.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import gymnasium as gym

from sidestep.agents import EnvConfig, make_single
from sidestep.agents.environments import OWN, making
from sidestep.envs import MovingObstaclesEnv
from sidestep.envs.files import read_regular
from sidestep.envs.levels.pool import LevelPool
from sidestep.envs.levels.shipped import find_level, names_file
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.records import check_entry, parse_json, shown

FORMAT, VERSION = "sidestep replay", 1
ACTIONS = range(5)
LARGEST = 4 * 2**20
"""Bytes of a file that is read."""
MOST_EPISODES, MOST_TICKS, MOST_CELLS, MOST_LEVELS = 10_000, 500_000, 100_000, 10_000
"""Of one file: episodes, ticks of all together, cells of all the maps that it holds, and levels of
a pool of Crossing's size, of which so many are made in about a second."""
OURS = "sidestep/"


@dataclass(frozen=True)
class ReplayEpisode:
    """One episode, from its first tick to its end."""

    seed: int
    level: str
    """The map that it was played on, as text."""
    actions: tuple[int, ...]
    total: float
    """The sum of its rewards."""
    success: bool


@dataclass(frozen=True)
class Replay:
    """Episodes of one world."""

    env: EnvConfig
    player: str
    """Who played, in words."""
    episodes: tuple[ReplayEpisode, ...]

    def save(self, path: Path) -> None:
        """Write the file, completely or not at all.

        Raises:
            OSError: no such folder, a full or read-only disk.
        """
        env = {"id": self.env.id, "kwargs": list(self.env.kwargs)}
        record = {
            "format": FORMAT,
            "version": VERSION,
            "env": {**env, "max_episode_steps": self.env.max_episode_steps},
            "player": self.player,
            "episodes": [asdict(episode) for episode in self.episodes],
        }
        write_atomically(path, (json.dumps(record, separators=(",", ":")) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> "Replay":
        """Read a file, and play it again to see that it is true.

        Raises:
            OSError: it cannot be read.
            ValueError: no replay, one of another version, or one that does not play as it says;
                the message names the file, what was expected and what came.
        """
        try:
            data = read_regular(path, LARGEST)
        except ValueError as error:
            raise ValueError(f"replay {path}: {error}") from None
        record = parse_json(data, f"replay {path}")
        try:
            replay = _parse(record)
            with making("env"):
                replay.make_env().close()
            replay.verify()
        except (TypeError, ValueError, gym.error.Error) as error:
            raise ValueError(f"replay {path}: {error}") from None
        return replay

    def make_env(self, render_mode: str | None = None) -> gym.Env[Any, Any]:
        """The world that was played in.

        Raises:
            ValueError: none of this package.
        """
        if not is_ours(self.env.id):
            raise ValueError(f"env: expected a world of this package, got {self.env.id!r}")
        env = make_single(self.env, render_mode=render_mode)
        if not isinstance(env.unwrapped, MovingObstaclesEnv):
            env.close()
            raise ValueError(f"env: expected a world of this package, got {self.env.id!r}")
        return env

    def verify(self) -> None:
        """Play every episode again.

        Raises:
            ValueError: one has another map, goes on after its end, is not over at the last action,
                or brings another return.
        """
        env = self.make_env()
        try:
            for number, episode in enumerate(self.episodes):
                _verify(env, episode, f"episode {number} (seed {episode.seed})")
        finally:
            env.close()


class ReplayPolicy:
    """Does what a replay did, in an env whose episodes begin with the replay's seeds.

    Args:
        replay: what to do.
        env: of `replay.make_env`; the seed of its stream says which episode is played.

    Raises:
        KeyError: by `act`, in an episode of another seed.
    """

    def __init__(self, replay: Replay, env: gym.Env[Any, Any]) -> None:
        """Look the episodes up by their seeds."""
        self.episodes = {episode.seed: episode for episode in replay.episodes}
        self.env, self.tick, self.seed = env, 0, -1

    def act(self, obs: Any, episode_start: bool, reward: float, info: dict[str, Any]) -> int:
        """The action of this tick; nothing of what is passed but `episode_start` is looked at."""
        if episode_start:
            self.seed, self.tick = int(self.env.unwrapped.np_random_seed), 0
        action = self.episodes[self.seed].actions[self.tick]
        self.tick += 1
        return action

    def get_state(self) -> tuple[int, int]:
        """Which episode and tick."""
        return self.seed, self.tick

    def set_state(self, state: tuple[int, int]) -> None:
        """Go back to a `get_state()`."""
        self.seed, self.tick = state


def is_ours(env_id: str) -> bool:
    """Whether an id is one of this package's, and names no module to import."""
    return env_id.startswith(OURS) and ":" not in env_id


def portable(config: EnvConfig) -> EnvConfig:
    """The same world for a replay: maps as text where `config` names files.

    Raises:
        ValueError: an id that a replay cannot have, or a level's file that cannot be read.
    """
    env_id = config.id.removeprefix(f"{OWN}:")
    if not is_ours(env_id):
        raise ValueError(f"env: expected a plain {OURS} id for a replay, got {config.id!r}")
    words, keywords = [], config.keywords()
    for word in config.kwargs:
        name, _, _ = word.partition("=")
        value = keywords[name]
        if any(names_file(text) for text in _texts(value)):
            many = isinstance(value, list | tuple)
            value = [str(find_level(v)) for v in value] if many else str(find_level(value))
            word = f"{name}={value!r}"
        words.append(word)
    return replace(config, id=env_id, kwargs=tuple(words))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a keyword's value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from _texts(part)


def _check_keywords(config: EnvConfig) -> None:
    """Refuse keywords that name files, or more maps than can be made in some seconds."""
    keywords, cells = config.keywords(), 0
    for text in _texts(keywords):
        if names_file(text):
            raise ValueError(f"env kwargs: expected maps as text, got a path, {shown(text)}")
        cells += len(text)
    if cells > MOST_CELLS:
        raise ValueError(f"env kwargs: expected at most {MOST_CELLS:,} cells of maps, got more")
    pool = keywords.get("pool")
    if isinstance(pool, dict):
        _check_pool(pool)


def _check_pool(pool: dict[str, Any]) -> None:
    """Refuse a pool that takes long to make: a level costs as much as its cells and its side."""
    known = {f.name: pool.get(f.name, f.default) for f in fields(LevelPool)}
    sizes = [known[name] for name in ("count", "width", "height")]
    if not all(isinstance(size, int) for size in sizes):
        return  # the env says what it expects
    count, width, height = sizes
    if count * width * height * max(width, height) > MOST_LEVELS * 12**3:
        raise ValueError(
            f"env kwargs: expected a pool of at most {MOST_LEVELS:,} levels of 12x12 cells or as "
            f"much work, got {count:,} of {width}x{height}"
        )


def level_in(env: gym.Env[Any, Any]) -> str:
    """The map of the episode that an env is in."""
    world = env.unwrapped
    assert isinstance(world, MovingObstaclesEnv)
    return str(world.level)


def _verify(env: gym.Env[Any, Any], episode: ReplayEpisode, name: str) -> None:
    env.reset(seed=episode.seed)
    if level_in(env) != episode.level:
        raise ValueError(f"{name}: expected the map that is written there, got another by its seed")
    total, over, info = 0.0, False, dict[str, Any]()
    for tick, action in enumerate(episode.actions):
        if over:
            got = len(episode.actions)
            raise ValueError(f"{name}: expected {tick} actions, after which it is over, got {got}")
        _, reward, terminated, truncated, info = env.step(action)
        total, over = total + float(reward), terminated or truncated
    if not over:
        got = len(episode.actions)
        raise ValueError(f"{name}: expected actions to its end, got {got} and it goes on")
    if not abs(total - episode.total) <= 1e-9 or info["is_success"] != episode.success:
        written = f"return {episode.total:g}{' at the goal' * episode.success}"
        played = f"return {total:g}{' at the goal' * info['is_success']}"
        raise ValueError(f"{name}: expected {written}, got {played} when it was played again")


def _parse(record: Any) -> Replay:
    """The record of a file as a `Replay`.

    Raises:
        TypeError, ValueError: anything that `save` would not write.
    """
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"expected a file with format {FORMAT!r}, got another")
    if record.get("version") != VERSION:
        raise ValueError(f"version: expected {VERSION}, got {record.get('version')!r}")
    found = _fields(record, "file", format=str, version=int, env=dict, player=str, episodes=list)
    env = _fields(found["env"], "env", id=str, kwargs=list, max_episode_steps=(int, type(None)))
    if not all(isinstance(word, str) for word in env["kwargs"]):
        raise TypeError("env kwargs: expected words of name=value, got something else")
    episodes = found["episodes"]
    if not episodes:
        raise ValueError("episodes: expected at least one, got none")
    if len(episodes) > MOST_EPISODES:
        raise ValueError(f"episodes: expected at most {MOST_EPISODES:,}, got {len(episodes):,}")
    check_entry(env["max_episode_steps"], int | None, "env max_episode_steps")
    config = EnvConfig(env["id"], tuple(env["kwargs"]), env["max_episode_steps"])
    if not is_ours(config.id):
        raise ValueError(f"env: expected a world of this package, got {shown(config.id)}")
    _check_keywords(config)
    parsed = tuple(_episode(one, f"episode {number}") for number, one in enumerate(episodes))
    ticks = sum(len(episode.actions) for episode in parsed)
    if ticks > MOST_TICKS:
        raise ValueError(f"actions: expected at most {MOST_TICKS:,} in all, got {ticks:,}")
    seeds = [episode.seed for episode in parsed]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: expected each once, got {shown(seeds)}")
    return Replay(config, found["player"], parsed)


def _episode(record: Any, name: str) -> ReplayEpisode:
    kinds = {"seed": int, "level": str, "actions": list, "total": (int, float), "success": bool}
    found = _fields(record, name, **kinds)
    if isinstance(found["seed"], bool) or not 0 <= found["seed"] < 2**64:
        raise ValueError(f"{name} seed: expected 0 to 2^64 - 1, got {found['seed']!r}")
    if isinstance(found["total"], bool) or not abs(found["total"]) < 1e300:
        raise ValueError(f"{name} total: expected a number, got {shown(found['total'])}")
    for tick, action in enumerate(found["actions"]):
        if not isinstance(action, int) or isinstance(action, bool) or action not in ACTIONS:
            last = ACTIONS[-1]
            raise ValueError(f"{name}, action {tick}: expected 0 to {last}, got {action!r}")
    if not found["actions"]:
        raise ValueError(f"{name} actions: expected at least one, got none")
    return ReplayEpisode(**{**found, "actions": tuple(found["actions"])})


def _fields(record: Any, name: str, **kinds: Any) -> Mapping[str, Any]:
    """A record that has exactly these fields, of these types."""
    if not isinstance(record, dict) or record.keys() != kinds.keys():
        got = ", ".join(sorted(map(str, record))) if isinstance(record, dict) else repr(record)[:60]
        raise ValueError(f"{name}: expected {', '.join(sorted(kinds))}, got {got}")
    for field, kind in kinds.items():
        if not isinstance(record[field], kind):
            allowed: Sequence[type] = kind if isinstance(kind, tuple) else (kind,)
            expected = " or ".join(one.__name__ for one in allowed)
            got = type(record[field]).__name__
            raise TypeError(f"{name} {field}: expected {expected}, got {got}")
    return record
