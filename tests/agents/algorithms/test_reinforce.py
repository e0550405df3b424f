"""The gradient of the surrogate against the exact policy gradient, by enumeration; no sampling.

Two ticks: in state 0 action a gives A0[a] and leads to the end for a = 2, else to state 1 + a,
where it gives A1[s][a] and the episode ends. Five states as one-hot, of which three are used.
"""

import itertools
from typing import Any, NamedTuple

import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from sidestep.agents import NetworkConfig, Reinforce, ReinforceConfig
from sidestep.agents.acting.batch import Inputs, Rollout
from sidestep.agents.algorithms.reinforce import BASELINES, Seen

A, STATES, DISCOUNT = 3, 5, 0.7
FIRST = [1.0, -2.0, 0.5]
SECOND = {1: [3.0, 0.0, -1.0], 2: [0.25, 2.0, 7.0]}


class Episode(NamedTuple):
    states: tuple[int, ...]
    actions: tuple[int, ...]
    rewards: tuple[float, ...]


EPISODES = [Episode((0,), (2,), (FIRST[2],))] + [
    Episode((0, 1 + a), (a, b), (FIRST[a], SECOND[1 + a][b])) for a in (0, 1) for b in range(A)
]


def make_agent(**options: Any) -> Reinforce:
    config = ReinforceConfig(
        network=NetworkConfig(hidden_sizes=()),
        discount=DISCOUNT,
        max_gradient_norm=1e9,
        entropy_start=0.0,
        entropy_end=0.0,
        value_coefficient=0.0,
        **options,
    )
    agent = Reinforce(spaces.Discrete(STATES), spaces.Discrete(A), config, seed=1)
    with torch.no_grad():  # far from uniform, and a value baseline that is quite wrong
        agent.network.head.weight.copy_(
            torch.randn(agent.network.head.weight.shape, generator=torch.Generator().manual_seed(2))
        )
    agent.optimizer = torch.optim.SGD([agent.flat], lr=0.0)  # type: ignore[assignment]
    return agent


def batch(episodes: tuple[Episode, ...]) -> Rollout:
    """Whole episodes, padded with nonsense."""
    steps, lanes = max(len(e.states) for e in episodes), len(episodes)
    obs = torch.zeros(steps + 1, lanes, STATES)
    obs[..., 4] = 1
    action = torch.full((steps + 1, lanes), 1)
    reward = torch.full((steps, lanes), 55.0)
    terminated = torch.zeros(steps, lanes, dtype=torch.bool)
    valid = torch.zeros(steps, lanes, dtype=torch.bool)
    for b, episode in enumerate(episodes):
        for t, (state, a, r) in enumerate(zip(*episode, strict=True)):
            obs[t, b] = torch.eye(STATES)[state]
            action[t, b], reward[t, b], valid[t, b] = a, r, True
        terminated[len(episode.states) - 1, b] = True
    reset = torch.zeros(steps + 1, lanes, dtype=torch.bool)
    reset[0] = True
    none = torch.zeros_like(terminated)
    inputs = Inputs(obs, reset, torch.zeros_like(action), torch.zeros(steps + 1, lanes))
    return Rollout(inputs, action, reward, terminated, none, valid, torch.zeros_like(reward), ())


def policy(agent: Reinforce) -> Tensor:
    """(STATES, A) probabilities, with gradient."""
    head = agent.network.head
    return torch.softmax(head.weight[:A].t() + head.bias[:A], -1)


def probability(agent: Reinforce, episode: Episode) -> Tensor:
    pi = policy(agent)
    steps = zip(episode.states, episode.actions, strict=True)
    return torch.stack([pi[s, a] for s, a in steps]).prod()


def exact(agent: Reinforce, weighted: bool) -> Tensor:
    """Minus the policy gradient: of the discounted return, or without discount^t in front of it.

    Unweighted: the sum over states, as the batch visits them, of the gradient of the action values'
    mean; each state's own returns are constants in it (Sutton & Barto 2018, section 13.2).
    """
    head, pi = agent.network.head, policy(agent)
    if weighted:
        objective = sum(
            probability(agent, e) * sum(DISCOUNT**t * r for t, r in enumerate(e.rewards))
            for e in EPISODES
        )
    else:
        inner = {s: (pi[s] * torch.tensor(r)).sum() for s, r in SECOND.items()}
        q = [FIRST[a] + (DISCOUNT * inner[1 + a].detach() if a < 2 else 0.0) for a in range(A)]
        objective = (pi[0] * torch.stack([torch.as_tensor(x) for x in q])).sum()
        for a in (0, 1):
            objective = objective + pi[0, a].detach() * inner[1 + a]
    gradients = torch.autograd.grad(objective, [head.weight, head.bias])  # type: ignore[arg-type]
    return -torch.cat([g[:A].flatten() for g in gradients])


def expectation(agent: Reinforce, lanes: int) -> Tensor:
    """The mean gradient of `update` over all batches of `lanes` episodes with their probability."""
    total, mass = torch.zeros(A * STATES + A), 0.0
    head, memory = agent.network.head, agent.time_mean
    for episodes in itertools.product(EPISODES, repeat=lanes):
        weight = torch.stack([probability(agent, e) for e in episodes]).prod().item()
        agent.time_mean = memory
        agent.update(batch(episodes))
        assert head.weight.grad is not None and head.bias.grad is not None
        total += weight * torch.cat([head.weight.grad[:A].flatten(), head.bias.grad[:A]])
        mass += weight
    assert mass == pytest.approx(1.0)
    return total


CASES = [*itertools.product(BASELINES, (1, 2)), ("mean", 3), ("leave-one-out", 3)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("baseline", "lanes"), CASES)
def test_every_baseline_leaves_the_exact_gradient(
    baseline: str, lanes: int, weighted: bool
) -> None:
    agent = make_agent(baseline=baseline, discount_weighting=weighted)
    agent.time_mean = torch.tensor([5.0, -3.0])  # of earlier batches
    want = exact(agent, weighted)
    assert want.norm() > 0.2
    torch.testing.assert_close(expectation(agent, lanes), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", ["mean", "time", "leave-one-out"])
def test_baselines_do_change_the_gradient_of_one_batch(baseline: str) -> None:
    gradients = []
    for name in ("none", baseline):
        agent = make_agent(baseline=name)
        agent.time_mean = torch.tensor([5.0, -3.0])
        agent.update(batch((EPISODES[0], EPISODES[6])))
        assert agent.network.head.weight.grad is not None
        gradients.append(agent.network.head.weight.grad[:A].clone())
    assert (gradients[0] - gradients[1]).norm() > 0.1


def seen(returns: Tensor, valid: Tensor) -> Seen:
    """A rollout of which only returns (T, B) and ends matter, with values of 0."""
    nothing: Any = torch.zeros(())
    rollout = Rollout._make([nothing] * 8)._replace(valid=valid)
    value = torch.zeros(len(returns) + 1, returns.shape[1])
    return Seen(rollout, nothing, value, returns)


def test_the_time_baseline_is_the_mean_of_earlier_batches() -> None:
    agent = make_agent(baseline="time")
    returns = torch.tensor([[2.0, 4.0], [6.0, 999.0]])
    valid = torch.tensor([[True, True], [True, False]])
    assert agent.advantages([seen(returns, valid)])[0][valid].tolist() == [2.0, 4.0, 6.0]
    assert agent.time_mean.tolist() == pytest.approx([3.0, 6.0])
    (got,) = agent.advantages([seen(returns[:1], valid[:1])])  # a shorter batch
    assert got.tolist() == [[-1.0, 1.0]]
    assert agent.time_mean.tolist() == pytest.approx([3.0, 6.0])
    agent.advantages([seen(returns + 10, valid)])
    assert agent.time_mean.tolist() == pytest.approx([0.9 * 3 + 1.3, 0.9 * 6 + 1.6])


def test_normalised_advantages_are_standardised_over_the_batch() -> None:
    agent = make_agent(baseline="none", normalize_advantages=True)
    returns = torch.tensor([[2.0, 4.0], [6.0, 999.0]])
    valid = torch.tensor([[True, True], [True, False]])
    (got,) = agent.advantages([seen(returns, valid)])
    assert got[valid].tolist() == pytest.approx([-1.224745, 0.0, 1.224745], abs=1e-5)


def test_entropy_falls_and_its_gradient_is_that_of_the_bonus() -> None:
    agent = make_agent(baseline="none")
    config = ReinforceConfig(network=agent.config.network, entropy_start=0.4, entropy_end=0.1,
                             entropy_steps=100, baseline="none", max_gradient_norm=1e9)  # fmt: skip
    agent.config = config
    agent.steps = 50
    assert agent.entropy_coefficient == pytest.approx(0.25)
    quiet = batch((EPISODES[0],))._replace(reward=torch.zeros(1, 1))  # nothing but the bonus
    metrics = agent.update(quiet)
    pi = policy(agent)[0]
    entropy = -(pi * pi.log()).sum()
    assert metrics["entropy"] == pytest.approx(entropy.item(), rel=1e-5)
    head = agent.network.head
    (want,) = torch.autograd.grad(-0.25 * entropy, head.bias)
    assert head.bias.grad is not None
    torch.testing.assert_close(head.bias.grad, want, rtol=1e-4, atol=1e-6)


def test_a_truncated_episode_goes_on_with_the_value_of_its_last_observation() -> None:
    rollout = batch((EPISODES[0], EPISODES[6]))
    rollout = rollout._replace(
        terminated=rollout.terminated & torch.tensor([True, False]),
        truncated=rollout.terminated & torch.tensor([False, True]),
        final_value=torch.tensor([[0.0, 0.0], [0.0, 40.0]]),
    )
    agent = make_agent(baseline="value")
    returns = agent.returns(rollout, torch.full((3, 2), 1e6))
    assert returns[0, 0].item() == FIRST[2]
    want = FIRST[1] + DISCOUNT * (7.0 + DISCOUNT * 40.0)
    assert returns[:, 1].tolist() == pytest.approx([want, 7.0 + DISCOUNT * 40.0])


def test_the_cut_of_a_rollout_goes_on_with_the_value_of_the_next_observation() -> None:
    rollout = batch((EPISODES[6],))
    rollout = rollout._replace(terminated=torch.zeros_like(rollout.terminated))
    agent = make_agent(baseline="value", batch="rollout", trace_decay=0.5)
    returns = agent.returns(rollout, torch.tensor([[1.0], [2.0], [3.0]]))
    last = 7.0 + DISCOUNT * 3.0
    want = [FIRST[1] + DISCOUNT * (0.5 * 2.0 + 0.5 * last), last]
    assert returns.flatten().tolist() == pytest.approx(want)
