"""The preset textbook, as it plays: each update is the textbook's, computed anew beside it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.agents import REINFORCE, Collector, DeepSARSA, EnvConfig
from sidestep.agents.acting.batch import map_inputs

STEP = 0.01


def learner_of(model: type[Any]) -> tuple[Any, Collector]:
    """An agent by the preset, which steps by plain gradient descent, and what collects for it."""
    env = EnvConfig("sidestep/MovingObstacles-v0", ("level='S.G\\n.>.'",))
    made = model(env, preset="textbook", seed=3, device="cpu")
    agent = made.agent
    agent.optimizer = torch.optim.SGD([agent.flat], lr=STEP)
    collector = Collector(made.env, agent)
    collector.begin(3)
    return agent, collector


def step_along(loss: Tensor, agent: Any) -> Tensor:
    """The parameters after a step down the gradient of a loss."""
    gradients = torch.autograd.grad(loss, list(agent.network.parameters()))
    return agent.flat.detach() - STEP * torch.cat([g.flatten() for g in gradients])


def test_deep_sarsa_learns_after_every_tick_from_the_action_that_it_plays_next() -> None:
    """w <- w + step (r + gamma Q(o', a') - Q(o, a)) dQ(o, a)/dw, one lane, one tick an update."""
    agent, collector = learner_of(DeepSARSA)
    gamma, played, ends = agent.config.discount, None, 0
    for _ in range(40):
        rollout = agent.collect(collector)
        assert rollout.reward.shape == (1, 1)
        now, then = rollout.action[:, 0].tolist()
        assert played in (None, now)
        played = then
        over, cut = bool(rollout.terminated), bool(rollout.truncated)
        played = None if cut else played
        ends += over
        q = agent.network.step(map_inputs(rollout.inputs, lambda x: x[0]), ())[0][0]
        following = agent.network.step(map_inputs(rollout.inputs, lambda x: x[1]), ())[0][0]
        target = rollout.reward[0, 0] + (0 if over else gamma * following[then].detach())
        expected = step_along((target - q[now]).square() / 2, agent)
        if not rollout.valid.item():  # the empty tick of an autoreset: nothing was played
            expected, played = agent.flat.detach().clone(), None
        agent.update(rollout)
        if not cut:
            assert torch.allclose(agent.flat, expected, atol=1e-6)
    assert ends > 0


def test_reinforce_learns_from_one_whole_episode_by_its_returns_alone() -> None:
    """w <- w + step sum over t of G_t d log pi(a_t)/dw: no baseline, no bonus."""
    agent, collector = learner_of(REINFORCE)
    gamma = agent.config.discount
    for _ in range(4):
        rollout = agent.collect(collector)
        length = len(rollout.reward)
        assert rollout.reward.shape[1] == 1
        assert bool(rollout.terminated[-1, 0]) or bool(rollout.truncated[-1, 0])
        assert not bool(rollout.terminated[:-1].any()) and not bool(rollout.truncated[:-1].any())
        total, loss = 0.0, torch.zeros(())
        for t in reversed(range(length)):
            total = float(rollout.reward[t, 0]) + gamma * total
            inputs = map_inputs(rollout.inputs, lambda x, t=t: x[t])
            chances = agent.network.step(inputs, ())[0][0, :5].log_softmax(0)
            loss = loss - total * chances[int(rollout.action[t, 0])]
        expected = step_along(loss, agent)
        agent.update(rollout)
        assert torch.allclose(agent.flat, expected, atol=1e-4)


@pytest.mark.parametrize("model", [DeepSARSA, REINFORCE])
def test_it_scales_and_bends_nothing(model: type[Any]) -> None:
    agent, _ = learner_of(model)
    config = agent.config
    assert config.final_learning_rate is None and config.max_gradient_norm == 1e9
    assert not config.normalize_rewards and not config.normalize_observations
    assert config.reward_limit is None and config.reward_scale == 1
