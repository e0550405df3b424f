"""The presets at a smaller size on tasks that everybody tries, each above a line with a margin."""

from dataclasses import replace

import pytest

from sidestep.agents import EnvConfig, RunConfig, Trainer, evaluate, make_vector
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.runs import build_agent

pytestmark = pytest.mark.slow

CUE, MAZE = "sidestep/Cue-v0", "sidestep/TMaze-v0"
CASES = [
    # learner, env, memory, ticks, and what the mean greedy return must reach
    ("reinforce", EnvConfig("Acrobot-v1"), "none", 300_000, -110.0),
    ("reinforce", EnvConfig("Taxi-v4"), "none", 300_000, 6.0),
    ("deep-sarsa", EnvConfig("FrozenLake-v1"), "none", 400_000, 0.6),
    ("deep-sarsa", EnvConfig("CliffWalking-v1", max_episode_steps=500), "none", 200_000, -20.0),
    ("deep-sarsa", EnvConfig(CUE, ("delay=30",)), "gru", 300_000, 0.95),
    ("reinforce", EnvConfig(CUE, ("delay=10",)), "lstm", 200_000, 0.95),
    ("reinforce", EnvConfig(MAZE, ("length=10",)), "gru", 300_000, 3.9),
]


@pytest.mark.parametrize(
    ("learner", "env", "memory", "steps", "least"),
    CASES,
    ids=[f"{case[0]} {case[1].id.split('/')[-1]} {case[2]}" for case in CASES],
)
def test_a_preset_learns(
    learner: str, env: EnvConfig, memory: str, steps: int, least: float
) -> None:
    agent_config, training = preset(learner, env, memory)
    training = replace(training, total_steps=steps, evaluate_every=0)
    worlds = make_vector(env, training.num_envs)
    config = RunConfig(learner, env, agent_config, training)
    agent = build_agent(config, training.seed, env=worlds)
    Trainer(agent, worlds, training).run()
    assert evaluate(agent, make_vector(env, 16), 400, seed=99).returns.mean() >= least
