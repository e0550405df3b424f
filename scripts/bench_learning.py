"""`sidestep bench learning`: how long the default settings train to 95 and 99 % greedy success.

Every learner and memory, seed by seed and one after the other in one run, on one thread; beside
them Stable-Baselines3's PPO with 16 envs (and sb3-contrib's RecurrentPPO) where installed.
Evaluation is not counted as training time, for anybody.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from sidestep.agents import (
    EnvConfig,
    Progress,
    RunConfig,
    Trainer,
    TrainingConfig,
    evaluate,
    make_vector,
)
from sidestep.agents.environments import qualified
from sidestep.agents.presets import preset
from sidestep.agents.runs import build_agent
from sidestep.agents.training import FINAL, stream_seed
from sidestep.scripts.console import console, guarded, parse, progress, table
from sidestep.scripts.optimum import optimum_of
from sidestep.scripts.report import markdown_table, write_result

EXAMPLES = """\
  sidestep bench learning
  sidestep bench learning --seeds 3 --memories none gru --learners deep-sarsa"""

ENV = "sidestep/MovingObstacles-v0"
LEVELS = (0.95, 0.99)
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
EVERY, EPISODES, FINAL_EPISODES = 20_000, 500, 10_000


@dataclass(frozen=True)
class Options:
    """Measure seconds of training to 95 and 99 % greedy success on the default world."""

    seeds: int = 10
    """Runs of each contestant."""
    learners: tuple[str, ...] = ("deep-sarsa", "reinforce")
    """Ours."""
    memories: tuple[str, ...] = ("none", "gru")
    """Of ours."""
    peers: bool = True
    """Measure what is installed of Stable-Baselines3 and sb3-contrib beside ours."""
    peer_seconds: float = 30.0
    """Give a peer up after so many seconds of training."""
    total_steps: int | None = None
    """Of ours; the defaults' if left out."""
    out: Path = Path("docs")
    """The folder of results.md and results/."""


class Trial(NamedTuple):
    """One run of one contestant."""

    reached: dict[str, float | None]
    """Seconds of training to each success, None where it was not reached."""
    seconds: float
    """All its training."""
    steps: int
    final: float | None
    """Greedy success over fresh episodes at the end; None where training stopped at 95 %."""
    regret: float | None = None
    """The exact optimum minus the mean return of these episodes."""


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    guarded("bench learning", lambda: run(parse(Options, "bench learning", args, EXAMPLES)))


def run(options: Options) -> None:
    """Measure everybody, interleaved over seeds; write the result."""
    torch.set_num_threads(1)
    contestants = _contestants(options)
    trials: dict[str, list[Trial]] = {name: [] for name in contestants}
    with progress("{task.fields[now]}") as bar:
        task = bar.add_task("learning", total=options.seeds * len(contestants), now="")
        for seed in range(options.seeds):
            for name, contestant in contestants.items():
                bar.update(task, now=f"seed {seed}, {name}")
                trials[name].append(contestant(seed))
                bar.advance(task)
    rates = throughput(options)
    columns, rows = _rows(trials)
    rate_columns, rate_rows = _rate_rows(rates)
    console.print(table("Seconds of training, median over seeds", columns, rows))
    console.print(table("Training throughput", rate_columns, rate_rows))
    record = {
        "env": ENV,
        "seeds": options.seeds,
        "trials": {name: [t._asdict() for t in ts] for name, ts in trials.items()},
        "throughput": rates,
    }
    command = "sidestep bench learning"
    write_result(options.out, "learning", command, record, _markdown(options, trials, rates))


def _contestants(options: Options) -> dict[str, Callable[[int], Trial]]:
    contestants: dict[str, Callable[[int], Trial]] = {}
    for learner in options.learners:
        for memory in options.memories:
            name = learner if memory == "none" else f"{learner}, {memory}"
            contestants[name] = _ours(learner, memory, options.total_steps)
    if options.peers and find_spec("stable_baselines3"):
        for name in PPO:
            contestants[f"SB3 {name}, 16 envs"] = partial(
                peer_trial, name, limit=options.peer_seconds
            )
    return contestants


def _ours(learner: str, memory: str, total_steps: int | None) -> Callable[[int], Trial]:
    def trial(seed: int) -> Trial:
        agent_config, base = preset(learner, ENV, memory)
        training = TrainingConfig(
            total_steps=total_steps or base.total_steps,
            num_envs=base.num_envs,
            seed=seed,
            evaluate_every=EVERY,
            evaluation_episodes=EPISODES,
        )
        config = RunConfig(learner, EnvConfig(ENV), agent_config, training)
        env, test = make_vector(config.env, training.num_envs), make_vector(config.env, EPISODES)
        reached: dict[str, float | None] = {str(level): None for level in LEVELS}

        def report(state: Progress) -> bool:
            if state.evaluation is not None:
                note(reached, state.evaluation["success"][0], state.seconds)
            return True

        trainer = Trainer(build_agent(config, seed), env, training, test)
        trainer.run(report)
        result = evaluate(trainer.agent, test, FINAL_EPISODES, stream_seed(seed, FINAL))
        final = result.summary(optimum_of(config.env))
        regret = final["regret"][0] if "regret" in final else None
        return Trial(reached, trainer.seconds, trainer.agent.steps, final["success"][0], regret)

    return trial


def note(reached: dict[str, float | None], success: float, seconds: float) -> None:
    """Write down the first time that each level of success was seen."""
    for level in LEVELS:
        if reached[str(level)] is None and success >= level:
            reached[str(level)] = seconds


def peer_trial(name: str, seed: int, limit: float) -> Trial:
    """Train a peer with its own defaults until 95 % greedy success, or for `limit` seconds."""
    from stable_baselines3.common.callbacks import BaseCallback

    reached: dict[str, float | None] = {str(level): None for level in LEVELS}
    model = make_peer(name, seed)
    test = make_vector(EnvConfig(ENV), EPISODES)
    clock = {"begin": time.perf_counter(), "apart": 0.0, "next": float(EVERY), "end": 0.0}

    class Watch(BaseCallback):  # type: ignore[misc]  # untyped base
        def _on_step(self) -> bool:
            now = time.perf_counter()
            seconds = now - clock["begin"] - clock["apart"]
            clock["end"] = seconds
            if self.num_timesteps >= clock["next"]:
                clock["next"] += EVERY
                note(reached, peer_success(model, test, seed), seconds)
                clock["apart"] += time.perf_counter() - now
            return reached[str(LEVELS[0])] is None and seconds < limit

    model.learn(100_000_000, callback=Watch())
    return Trial(reached, clock["end"], int(model.num_timesteps), None)


def make_peer(name: str, seed: int, num_envs: int = 16) -> Any:
    """A peer's model on the default world, with its own defaults."""
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env(qualified(ENV), num_envs, seed=stream_seed(seed, 0))
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


def throughput(options: Options) -> dict[str, float]:
    """Env steps per second while training: ours at 1024 lanes, the peers with 16 envs."""
    rates: dict[str, list[float]] = {}
    for _ in range(3):
        for learner in options.learners:
            for memory in options.memories:
                name = f"{learner}, {memory}, 1024 lanes"
                rates.setdefault(name, []).append(_our_rate(learner, memory))
        if options.peers and find_spec("stable_baselines3"):
            for peer in PPO:
                name = f"SB3 {peer}, 16 envs"
                rates.setdefault(name, []).append(_peer_rate(peer, 32_768))
        if options.peers and find_spec("sb3_contrib"):
            name = "sb3-contrib RecurrentPPO, LSTM(64), 16 envs"
            rates.setdefault(name, []).append(_peer_rate("RecurrentPPO", 4_096))
    return {name: statistics.median(values) for name, values in rates.items()}


def _our_rate(learner: str, memory: str) -> float:
    agent_config, _ = preset(learner, ENV, memory)
    training = TrainingConfig(total_steps=400_000, num_envs=1024, evaluate_every=0)
    config = RunConfig(learner, EnvConfig(ENV), agent_config, training)
    trainer = Trainer(build_agent(config, 0), make_vector(config.env, 1024), training)
    trainer.run()
    return trainer.agent.steps / trainer.seconds


def _peer_rate(name: str, steps: int) -> float:
    model = make_peer(name, 0)
    begin = time.perf_counter()
    model.learn(steps)
    return float(model.num_timesteps) / (time.perf_counter() - begin)


def _median(values: list[float | None]) -> str:
    """The median, where a run that never got there counts as infinitely long."""
    middle = statistics.median([float("inf") if v is None else v for v in values])
    return "never" if middle == float("inf") else f"{middle:.2f}"


def _rows(trials: dict[str, list[Trial]]) -> tuple[list[str], list[list[str]]]:
    columns = ["contestant", "s to 95 %", "s to 99 %", "steps/s", "worst final success"]
    columns.append("median final regret")
    rows = []
    for name, runs in trials.items():
        finals = [t.final for t in runs if t.final is not None]
        regrets = [t.regret for t in runs if t.regret is not None]
        rows.append(
            [
                name,
                *(_median([t.reached[str(level)] for t in runs]) for level in LEVELS),
                f"{statistics.median(t.steps / t.seconds for t in runs):,.0f}",
                f"{min(finals):.2%}" if finals else "stopped at 95 %",
                f"{statistics.median(regrets):.4f}" if regrets else "-",
            ]
        )
    return columns, rows


def _rate_rows(rates: dict[str, float]) -> tuple[list[str], list[list[str]]]:
    peers = [v for k, v in rates.items() if k.startswith("SB3")]
    base = max(peers, default=None)
    rows = [[n, f"{v:,.0f}", f"{v / base:.1f}" if base else "-"] for n, v in rates.items()]
    return ["contestant", "steps/s", "of the faster PPO's"], rows


def _markdown(options: Options, trials: dict[str, list[Trial]], rates: dict[str, float]) -> str:
    columns, rows = _rows(trials)
    rate_columns, rate_rows = _rate_rows(rates)
    return f"""## Learning

Seconds of training on `{ENV}` until greedy episodes reach the goal, median over {options.seeds}
seeds, one thread, default settings; evaluation ({EPISODES} episodes every {EVERY:,} steps) is not
counted. The last columns are the worst seed's greedy success, and the median over seeds of the
regret (the exact optimum of `sidestep solve` minus the mean return), over {FINAL_EPISODES:,} fresh
episodes at the end of training. A peer is stopped at 95 %, and given up after
{options.peer_seconds:.0f} s of training: "never" means not by then.

{markdown_table(columns, rows)}

Training throughput (collecting and learning), median of three:

{markdown_table(rate_columns, rate_rows)}"""
