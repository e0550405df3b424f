"""Vector envs with one fault each, and the tools that plant it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.vector import VectorWrapper

from sidestep.envs import MovingObstaclesVectorEnv

NEXT, SAME, OFF = "NextStep", "SameStep", "Disabled"
LIMIT = 7
"""Ticks of an episode."""


class Planted(VectorWrapper):
    """A world with one fault in `returned` or `begun`, which see all that is returned."""

    def __init__(self, mode: str) -> None:
        super().__init__(MovingObstaclesVectorEnv(3, LIMIT, autoreset_mode=mode))
        self.calls = 0

    def begun(self, obs: Any, info: Any) -> Any:
        return obs, info

    def returned(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Any) -> Any:
        return obs, reward, terminated, truncated, info

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self.begun(*self.env.reset(seed=seed, options=options))

    def step(self, actions: Any) -> Any:
        self.calls += 1
        return self.returned(*self.env.step(actions))


def planted(**methods: Any) -> Callable[[str], Planted]:
    """A world with faulty methods."""
    return lambda mode: type("Fault", (Planted,), methods)(mode)


def after_step(change: Callable[..., Any]) -> Callable[[str], Planted]:
    """A world whose `step` returns what `change(env, obs, reward, ended, cut, info)` makes."""
    return planted(returned=lambda self, *values: change(self, *values))


def with_info(change: Callable[..., dict[str, Any]]) -> Callable[[str], Planted]:
    """A world whose `info` is `change(info, terminated | truncated)`."""
    return after_step(lambda env, o, r, e, c, info: (o, r, e, c, change(dict(info), e | c)))


class Counting(Planted):
    """In NEXT_STEP the step that resets a lane plays a tick as well."""

    over: Any = np.zeros(3, dtype=np.bool_)

    def step(self, actions: Any) -> Any:
        if self.over.any():
            self.env.reset(options={"reset_mask": self.over.copy()})
        obs, reward, terminated, truncated, info = self.env.step(actions)
        reward = np.where(self.over, 0.0, reward)
        terminated, truncated = terminated & ~self.over, truncated & ~self.over
        self.over = terminated | truncated
        return obs, reward, terminated, truncated, info

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.over = np.zeros(3, dtype=np.bool_)
        return self.env.reset(seed=seed, options=options)


class Kept(Planted):
    """Returns the array of rewards that it adds up next time."""

    total: Any = None

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        if not options:
            self.total = np.zeros(3)
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        obs, reward, *rest = self.env.step(actions)
        self.total = self.total + reward
        return obs, self.total, *rest


class Seeds(Planted):
    """What becomes of a seed: `change(seed)`."""

    @staticmethod
    def change(seed: Any) -> Any:
        return seed

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self.env.reset(seed=type(self).change(seed), options=options)


def seeds(change: Callable[[Any], Any]) -> Callable[[str], Planted]:
    return lambda mode: type("Fault", (Seeds,), {"change": staticmethod(change)})(mode)


def one_seed(seed: Any) -> Any:
    return [seed] * 3 if isinstance(seed, int) else seed


def sliced(seed: Any) -> Any:
    return seed[:3] if isinstance(seed, list) else seed


def sorted_seeds(seed: Any) -> Any:
    return sorted(seed) if isinstance(seed, list) and None not in seed else seed


class Options(Planted):
    """What becomes of `options`: `change(options)`, which may write into them."""

    @staticmethod
    def change(options: Any) -> Any:
        return options

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self.env.reset(seed=seed, options=type(self).change(options))


def options(change: Callable[[Any], Any]) -> Callable[[str], Planted]:
    return lambda mode: type("Fault", (Options,), {"change": staticmethod(change)})(mode)


def pop_mask(given: Any) -> Any:
    return {"reset_mask": given.pop("reset_mask")} if given else given


def overwrite_mask(given: Any) -> Any:
    own = {"reset_mask": np.array(given["reset_mask"])} if given else given
    if own and isinstance(given["reset_mask"], np.ndarray):
        given["reset_mask"][:] = False
    return own


def forgiving(given: Any) -> Any:
    """Masks of any kind are taken for some mask."""
    if not given:
        return given
    mask = np.asarray(given["reset_mask"]).astype(np.bool_)[:3]
    return {"reset_mask": mask if mask.any() else np.ones(3, np.bool_)}


def everywhere(given: Any) -> Any:
    """Every lane is reset, after a glance at the mask."""
    return {"reset_mask": given["reset_mask"] | True} if given else given


def write_actions(env: Any, actions: Any) -> Any:
    returned = env.env.step(actions)
    actions[:] = 0
    return returned


def half_precision(env: Any, obs: Any, *rest: Any) -> Any:
    return obs.astype(np.float64), *rest


def outside(env: Any, obs: Any, *rest: Any) -> Any:
    return obs + np.float32(3), *rest


def drift(env: Any, obs: Any, reward: Any, *rest: Any) -> Any:
    return obs, reward + 1e-9 * env.calls, *rest


def biased(env: Any, obs: Any, reward: Any, *rest: Any) -> Any:
    return obs, reward + 1e-6, *rest


def by_place(env: Any, obs: Any, reward: Any, e: Any, c: Any, info: Any) -> Any:
    return obs, np.where(reward == 0, 0, reward + 0.01 * np.arange(3)), e, c, info


def mixing(env: Any, obs: Any, reward: Any, e: Any, c: Any, info: Any) -> Any:
    return obs, np.where(reward == 0, 0, reward.mean()), e, c, info


def late_final(info: dict[str, Any], ended: Any) -> dict[str, Any]:
    return info | ({"_final_obs": np.roll(ended, 1)} if "final_obs" in info else {})


def batched_final(info: dict[str, Any], ended: Any) -> dict[str, Any]:
    if "final_obs" in info:
        shown = next(obs for obs in info["final_obs"] if obs is not None)
        info["final_obs"] = np.stack([shown] * 3)
    return info


def filled_final(info: dict[str, Any], ended: Any) -> dict[str, Any]:
    if "final_obs" in info:
        shown = next(obs for obs in info["final_obs"] if obs is not None)
        info["final_obs"] = np.array([None] * 4, dtype=object)[:3]
        info["final_obs"][:] = [shown] * 3
    return info


def rounded_final(info: dict[str, Any], ended: Any) -> dict[str, Any]:
    for lane in np.flatnonzero(ended):
        info["final_obs"][lane] = info["final_obs"][lane].astype(np.float64)
    return info


def less(name: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    return lambda info, ended: {k: v for k, v in info.items() if k != name}


def next_episode_first(env: Any, obs: Any, r: Any, e: Any, c: Any, info: Any) -> Any:
    """SAME_STEP: `final_obs` is the first observation of the next episode."""
    for lane in np.flatnonzero(e | c):
        info["final_obs"][lane] = obs[lane].copy()
    return obs, r, e, c, info


def restarting(env: Any, obs: Any, r: Any, e: Any, c: Any, info: Any) -> Any:
    """DISABLED: lanes that ended begin anew by themselves."""
    if (e | c).any():
        obs, _ = env.env.reset(options={"reset_mask": e | c})
    return obs, r, e, c, info
