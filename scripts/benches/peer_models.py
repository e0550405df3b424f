"""The peers: learners of Stable-Baselines3 and sb3-contrib, trained and measured as ours are.

Each with its own defaults and with settings that suit the default world; `sidestep bench peers`
looks for better ones. All have 16 envs, which are lanes of one array: a tick takes a fraction of
the processor time that DummyVecEnv takes over single envs, and peers get more steps a second.
"""

import importlib
import math
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidestep.agents import EnvConfig
from sidestep.agents.environments import make_vector, qualified
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.benches.records import known_result
from sidestep.scripts.benches.trials import (
    EPISODES,
    EVERY,
    FINAL_EPISODES,
    Outcome,
    Point,
    Trial,
    rounded,
)
from sidestep.scripts.shared.optimum import optimum_of

Settings = dict[str, Any]
NUM_ENVS = 16
NO_END = 100_000_000
"""Steps that `learn` is asked for; the clock ends it."""
DEFAULTS, SEARCHED = "defaults", "searched"
"""How a contestant's settings are called."""
ON_POLICY: dict[str, tuple[Any, ...]] = {
    "learning_rate": (3e-4, 1e-3, 3e-3),
    "ent_coef": (0.0, 0.005, 0.01, 0.02, 0.05),
    "gamma": (0.9, 0.95, 0.98, 0.99),
    "gae_lambda": (0.8, 0.9, 0.95),
}
EPOCHS: dict[str, tuple[Any, ...]] = {
    "n_steps": (16, 32, 64, 128, 256),
    "batch_size": (128, 256, 512, 1024),
    "n_epochs": (2, 4, 8),
    **ON_POLICY,
}


class Peer(NamedTuple):
    """A learner of theirs."""

    package: str
    policy: str
    space: dict[str, tuple[Any, ...]]
    """Of each setting the values that are drawn from."""
    known: tuple[Settings, ...]
    """Settings that are good here; the first stands where no search was made."""
    always: Settings = {}  # noqa: RUF012  # read only
    """Settings that its defaults have too."""


PEERS = {
    "PPO": Peer(
        "stable_baselines3",
        "MlpPolicy",
        EPOCHS,
        (
            {"n_steps": 32, "batch_size": 512, "n_epochs": 4, "learning_rate": 3e-3,
             "ent_coef": 0.02, "gamma": 0.95},
            {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 1e-3,
             "ent_coef": 0.01, "gamma": 0.95},
        ),
    ),
    "A2C": Peer(
        "stable_baselines3",
        "MlpPolicy",
        {
            "n_steps": (5, 8, 16, 32, 64),
            "use_rms_prop": (True, False),
            "normalize_advantage": (True, False),
            **ON_POLICY,
            "learning_rate": (7e-4, 1e-3, 2e-3, 4e-3),
            "gae_lambda": (0.9, 0.95, 1.0),
        },
        ({"n_steps": 16, "learning_rate": 2e-3, "ent_coef": 0.02, "gamma": 0.95,
          "gae_lambda": 0.95, "use_rms_prop": False, "normalize_advantage": True},),
    ),
    "DQN": Peer(
        "stable_baselines3",
        "MlpPolicy",
        {
            "learning_rate": (3e-4, 1e-3, 3e-3),
            "batch_size": (64, 128, 256, 512),
            "train_freq": (1, 2, 4, 8),
            "gradient_steps": (1, 2, 4),
            "gamma": (0.9, 0.95, 0.98, 0.99),
            "target_update_interval": (500, 2000, 10_000),
            "exploration_steps": (20_000, 50_000, 100_000),
            "exploration_final_eps": (0.01, 0.05),
            "buffer_size": (50_000, 200_000),
            "learning_starts": (1000,),
        },
        ({"learning_rate": 1e-3, "batch_size": 512, "train_freq": 4, "gradient_steps": 1,
          "gamma": 0.98, "target_update_interval": 500, "exploration_steps": 20_000,
          "exploration_final_eps": 0.05, "buffer_size": 50_000, "learning_starts": 1000},),
        {"exploration_steps": 50_000},  # a tenth of a run of 500,000
    ),
    "RecurrentPPO": Peer(
        "sb3_contrib",
        "MlpLstmPolicy",
        {**EPOCHS, "n_steps": (32, 64, 128), "batch_size": (256, 512, 1024)},
        ({"n_steps": 64, "batch_size": 512, "n_epochs": 4, "learning_rate": 3e-3,
          "ent_coef": 0.02, "gamma": 0.95},),
        {"lstm_hidden_size": 64},
    ),
}  # fmt: skip
"""Every peer by the name of its class."""
RECURRENT = "RecurrentPPO"


def there(memories: bool = True) -> list[str]:
    """Name the peers that are installed, those with a memory only where one is asked for."""
    return [
        name
        for name, peer in PEERS.items()
        if find_spec(peer.package) and (memories or name != RECURRENT)
    ]


def contestants(out: Path, memories: bool) -> dict[str, tuple[str, Settings]]:
    """Every peer twice: with its defaults, and with the best that is known.

    Args:
        out: where results/peers.json of `sidestep bench peers` may be.
        memories: those with a memory too.

    Returns:
        By the contestant's name the peer's, and its settings.
    """
    return {
        f"SB3 {name}, {how}": (name, settings)
        for name in there(memories)
        for how, settings in ((DEFAULTS, {}), (SEARCHED, best_settings(out, name)))
    }


def best_settings(out: Path, name: str) -> Settings:
    """What a search found, or where none was made what is known to be good."""
    searched = known_result(out, "peers").get("peers", {})
    found: Settings = searched[name]["best"] if name in searched else PEERS[name].known[0]
    return found


def told(settings: Settings) -> str:
    """Settings as one writes them in a call."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "none"


def make_peer(
    name: str, settings: Settings, env_id: str, seed: int, num_envs: int = NUM_ENVS
) -> Any:
    """A peer's model on a world.

    Args:
        name: of PEERS.
        settings: of its constructor that are not its defaults; DQN's `exploration_steps` say over
            how many its exploration falls, whatever `learn` is asked for.
        env_id: of one of this package's worlds.
        seed: of parameters, actions and episodes.
        num_envs: lanes.
    """
    from sidestep.scripts.benches.peer_env import NativeVecEnv

    peer = PEERS[name]
    words = {**peer.always, **settings}
    if "exploration_steps" in words:
        words["exploration_fraction"] = words.pop("exploration_steps") / NO_END
    if "lstm_hidden_size" in words:
        words["policy_kwargs"] = {"lstm_hidden_size": words.pop("lstm_hidden_size")}
    env = NativeVecEnv(qualified(env_id), num_envs, stream_seed(seed, 0))
    kind = getattr(importlib.import_module(peer.package), name)
    return kind(peer.policy, env, seed=seed, device="cpu", **words)


def peer_trial(
    name: str,
    settings: Settings,
    env: EnvConfig,
    seed: int,
    limit: float = math.inf,
    enough: float | None = None,
    steps: int = NO_END,
    tests: tuple[EnvConfig, ...] = (),
    every: int = EVERY,
) -> Trial:
    """Train a peer for `limit` seconds or so many steps, and evaluate.

    Args:
        name: of PEERS.
        settings: as of `make_peer`.
        env: trained in.
        seed: of everything.
        limit: seconds of training; evaluation on the way is apart.
        enough: greedy success at which it ends before; then nothing is measured at its end.
        steps: of training; a rollout that has begun is ended.
        tests: where the trained peer is measured; none given: in `env`.
        every: env steps between evaluations; 0: none.
    """
    from stable_baselines3.common.callbacks import BaseCallback

    curve: list[Point] = []
    model = make_peer(name, settings, env.id, seed)
    test = make_vector(env, EPISODES)
    clock = {"begin": time.perf_counter(), "apart": 0.0, "next": every or math.inf, "end": 0.0}

    class Watch(BaseCallback):  # type: ignore[misc]  # untyped base
        def _on_step(self) -> bool:
            now = time.perf_counter()
            seconds = now - clock["begin"] - clock["apart"]
            clock["end"] = seconds
            if self.num_timesteps >= clock["next"]:
                clock["next"] += every
                success, _ = peer_episodes(model, test, stream_seed(seed, FINAL))
                curve.append(Point(self.num_timesteps, seconds, float(success.mean())))
                clock["apart"] += time.perf_counter() - now
                if enough is not None and curve[-1].success >= enough:
                    return False
            return seconds < limit

    model.learn(steps, callback=Watch())
    outcomes = [] if enough is not None else [_outcome(model, w, seed) for w in tests or (env,)]
    if not curve and every:  # too slow for a single evaluation
        success, _ = peer_episodes(model, test, stream_seed(seed, FINAL))
        curve.append(Point(int(model.num_timesteps), clock["end"], float(success.mean())))
    test.close()
    model.get_env().close()
    return Trial(curve, clock["end"], int(model.num_timesteps), outcomes)


def _outcome(model: Any, env: EnvConfig, seed: int) -> Outcome:
    """Greedy play over FINAL_EPISODES fresh episodes."""
    test = make_vector(env, EPISODES)
    rounds = range(max(1, FINAL_EPISODES // test.num_envs))
    played = [peer_episodes(model, test, stream_seed(seed, FINAL, number)) for number in rounds]
    test.close()
    success, returns = (np.concatenate(parts) for parts in zip(*played, strict=True))
    return rounded(Outcome(float(success.mean()), float(returns.mean()), optimum_of(env)))


def peer_episodes(model: Any, env: Any, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Play one greedy episode a lane: which reached the goal (lanes,), and returns (lanes,)."""
    obs, _ = env.reset(seed=seed)
    lanes = env.num_envs
    over, success = np.zeros(lanes, dtype=np.bool_), np.zeros(lanes, dtype=np.bool_)
    returns, state, start = np.zeros(lanes), None, np.ones(lanes, dtype=np.bool_)
    while not over.all():
        action, state = model.predict(obs, state, episode_start=start, deterministic=True)
        obs, reward, terminated, truncated, info = env.step(action)
        returns += reward * ~over
        success |= info["is_success"] & ~over
        start = terminated | truncated
        over |= start
    return success, returns


def peer_rate(name: str, settings: Settings, env_id: str, steps: int) -> float:
    """Env steps per second while training."""
    model = make_peer(name, settings, env_id, 0)
    begin = time.perf_counter()
    model.learn(steps)
    seconds = time.perf_counter() - begin
    model.get_env().close()
    return float(model.num_timesteps) / seconds
