"""The peers of `sidestep bench learning`: Stable-Baselines3's PPO, sb3-contrib's RecurrentPPO."""

import time
from typing import Any

import numpy as np

from sidestep.agents import EnvConfig
from sidestep.agents.environments import make_vector, qualified
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.benches.trials import EPISODES, EVERY, Point, Trial

PPO: dict[str, dict[str, Any]] = {
    "PPO": {},
    "PPO, shorter rollouts": {
        "n_steps": 64,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "ent_coef": 0.01,
    },
}
"""The peer with its defaults, and with settings that get it more updates a second."""


def peer_trial(name: str, env_id: str, seed: int, enough: float, limit: float) -> Trial:
    """Train a peer until `enough` greedy success, or for `limit` seconds."""
    from stable_baselines3.common.callbacks import BaseCallback

    curve: list[Point] = []
    model = make_peer(name, env_id, seed)
    test = make_vector(EnvConfig(env_id), EPISODES)
    clock = {"begin": time.perf_counter(), "apart": 0.0, "next": float(EVERY), "end": 0.0}

    class Watch(BaseCallback):  # type: ignore[misc]  # untyped base
        def _on_step(self) -> bool:
            now = time.perf_counter()
            seconds = now - clock["begin"] - clock["apart"]
            clock["end"] = seconds
            if self.num_timesteps >= clock["next"]:
                clock["next"] += EVERY
                success = peer_success(model, test, seed)
                curve.append(Point(self.num_timesteps, seconds, success))
                clock["apart"] += time.perf_counter() - now
            return (not curve or curve[-1].success < enough) and seconds < limit

    model.learn(100_000_000, callback=Watch())
    return Trial(curve, clock["end"], int(model.num_timesteps), [])


def make_peer(name: str, env_id: str, seed: int, num_envs: int = 16) -> Any:
    """A peer's model on a world, with its own defaults."""
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env(qualified(env_id), num_envs, seed=stream_seed(seed, 0))
    if name in PPO:
        from stable_baselines3 import PPO as Peer

        return Peer("MlpPolicy", env, seed=seed, device="cpu", **PPO[name])
    from sb3_contrib import RecurrentPPO

    keywords = {"lstm_hidden_size": 64}
    return RecurrentPPO("MlpLstmPolicy", env, seed=seed, device="cpu", policy_kwargs=keywords)


def peer_success(model: Any, env: Any, seed: int) -> float:
    """Greedy success of a memoryless peer over one episode a lane."""
    obs, _ = env.reset(seed=stream_seed(seed, FINAL))
    lanes = env.num_envs
    over, success = np.zeros(lanes, dtype=np.bool_), np.zeros(lanes, dtype=np.bool_)
    while not over.all():
        action, _ = model.predict(obs, deterministic=True)
        obs, _, terminated, truncated, info = env.step(action)
        success |= info["is_success"] & ~over
        over |= terminated | truncated
    return float(success.mean())


def peer_rate(name: str, env_id: str, steps: int) -> float:
    """Env steps per second while training."""
    model = make_peer(name, env_id, 0)
    begin = time.perf_counter()
    model.learn(steps)
    return float(model.num_timesteps) / (time.perf_counter() - begin)
