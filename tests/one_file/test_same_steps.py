"""The algorithms of docs/one_file/ play the package's ticks and take its optimizer steps."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.agents import Collector, DeepSarsaConfig, EnvConfig, evaluate, make_vector

from .agreement import (
    ENTROPY,
    EPSILON,
    GRU,
    LANES,
    LIMIT,
    SARSA,
    WORLD,
    Careless,
    assert_same_parameters,
    episodes_of,
    gru_config,
    in_double,
    make_agent,
    network_like,
    optimizer_of,
    rollout_of,
    sarsa_config,
    scattered,
)


def assert_same_rollouts(one: Any, other: Any) -> None:
    for name, x, y in zip(one._fields, one, other, strict=True):
        assert torch.equal(x, y), name


def test_sarsa_plays_what_the_package_plays() -> None:
    agent = make_agent(DeepSarsaConfig(epsilon_start=0.0, epsilon_end=0.0))
    network, env = network_like(agent), Careless()
    collector = Collector(make_vector(WORLD, LANES), agent, peek=agent.peek)
    collector.begin(11)
    first = torch.tensor(env.reset(seed=11)[0])
    nobody = torch.zeros(LANES, dtype=torch.bool)
    lanes = SARSA.Lanes(first, SARSA.choose(network, first, 0.0), nobody)
    seen = torch.zeros(3, dtype=torch.bool)
    for steps in (1, 7, 2, 6):  # cut at any place: the chosen action is carried over it
        rollout, lanes = SARSA.play(env, network, lanes, steps, 0.0)
        assert_same_rollouts(rollout, rollout_of(collector.rollout(steps)))
        seen |= torch.stack([x.any() for x in (rollout[3], rollout[4], ~rollout[5])])
        with torch.no_grad():  # another policy, which would open with other actions
            agent.network.head.weight.neg_()
            network.head.weight.neg_()
    assert seen.all()  # the task's ends, cuts and restarts


def test_a_short_greedy_training_is_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make_agent(
        DeepSarsaConfig(epsilon_start=0.0, epsilon_end=0.0, final_learning_rate=None, minibatches=1)
    )
    network, total = network_like(agent), 2000
    monkeypatch.setattr(SARSA, "QNetwork", lambda *sizes: network)
    options: dict[str, Any] = {"epsilon_start": 0.0, "epsilon_end": 0.0, "minibatches": 1}
    SARSA.train(
        SARSA.Settings(
            seed=11,
            num_envs=LANES,
            max_episode_steps=LIMIT,
            total_steps=total,
            final_learning_rate=3e-3,
            evaluation_episodes=1,
            **options,
        )
    )
    collector = Collector(make_vector(WORLD, LANES), agent, peek=agent.peek)
    collector.begin(11)
    while agent.steps < total:
        rollout = agent.collect(collector)
        agent.update(rollout)
        agent.steps += int(rollout.valid.sum())
    assert_same_parameters(network, agent, 1e-4)  # some 16 updates in single precision


def test_reinforce_plays_what_the_package_plays() -> None:
    agent = make_agent(gru_config())
    with torch.no_grad():
        agent.network.head.weight.mul_(1e9)  # drawing from this policy is taking its best action
    network, env = network_like(agent), Careless()
    collector = Collector(make_vector(WORLD, LANES), agent, peek=agent.peek)
    collector.begin(11)
    env.reset(seed=11)
    for _ in range(3):  # fresh episodes each time
        theirs, ours = GRU.play(env, network), episodes_of(agent.collect(collector))
        valid = ours.valid
        assert torch.equal(theirs.valid, valid) and not valid.all()
        assert torch.equal(theirs.terminated, ours.terminated) and ours.terminated.any()
        assert torch.equal(theirs.truncated, ours.truncated) and ours.truncated.any()
        for name in ("action", "reward"):  # what follows an end is padding
            assert torch.equal(getattr(theirs, name)[valid], getattr(ours, name)[valid]), name
        seen = torch.cat([torch.ones(1, LANES, dtype=torch.bool), valid])
        assert torch.equal(theirs.obs[seen], ours.obs[seen])


# The same update.


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0])
@pytest.mark.parametrize("target", ["expected", "sarsa"])
@pytest.mark.parametrize("where", ["world", "anywhere"])
def test_sarsa_updates_as_the_package_does(target: str, decay: float, where: str) -> None:
    config = sarsa_config(target=target, trace_decay=decay)
    actor, agent = make_agent(config), make_agent(config, torch.float64)
    network = network_like(agent)
    settings = SARSA.Settings(target=target, trace_decay=decay, minibatches=1)
    optimizer = optimizer_of(network, settings)
    collector = Collector(make_vector(WORLD, LANES), actor, peek=actor.peek)
    collector.begin(5)
    for number in range(3):
        rollout = collector.rollout(7)
        if where == "anywhere":
            rollout = scattered(rollout, number)
        rollout = in_double(rollout, agent)
        assert rollout.terminated.any() and rollout.truncated.any() and not rollout.valid.all()
        agent.update(rollout)
        SARSA.learn(network, optimizer, rollout_of(rollout), EPSILON, settings)
        assert_same_parameters(network, agent, 1e-7)


@pytest.mark.parametrize("where", ["world", "noise", "swapped"])
def test_reinforce_updates_as_the_package_does(where: str) -> None:
    config = gru_config()
    actor, agent = make_agent(config), make_agent(config, torch.float64)
    network, settings = network_like(agent), GRU.Settings()
    optimizer = optimizer_of(network, settings)
    collector = Collector(make_vector(WORLD, LANES), actor, peek=actor.peek)
    collector.begin(5)
    for number in range(3):
        rollout = actor.collect(collector)
        if where != "world":  # rewards in the padding too
            random = torch.Generator().manual_seed(number)
            rollout = rollout._replace(reward=torch.randn(rollout.reward.shape, generator=random))
        if where == "swapped":  # cuts before the others' ends
            ends = {"terminated": rollout.truncated, "truncated": rollout.terminated}
            rollout = rollout._replace(**ends)
        rollout = in_double(rollout, agent)
        assert rollout.terminated.any() and rollout.truncated.any() and not rollout.valid.all()
        assert rollout.inputs.reset[1:].any()  # lanes that restarted, in the padding
        agent.update(rollout)
        GRU.learn(network, optimizer, episodes_of(rollout), ENTROPY, settings)
        assert_same_parameters(network, agent, 1e-7)


def test_the_first_update_with_default_settings_and_in_single_precision() -> None:
    """From the rollouts that each learner collects for itself, final values and all."""
    sarsa = make_agent(sarsa_config())
    network, settings = network_like(sarsa), SARSA.Settings(minibatches=1)
    collector = Collector(make_vector(WORLD, 256), sarsa, peek=sarsa.peek)
    collector.begin(1)
    collector.rollout(LIMIT - 2)
    rollout = sarsa.collect(collector)
    sarsa.update(rollout)
    SARSA.learn(network, optimizer_of(network, settings), rollout_of(rollout), EPSILON, settings)
    assert rollout.truncated.any()
    assert_same_parameters(network, sarsa, 1e-6)

    reinforce = make_agent(gru_config())
    network, settings = network_like(reinforce), GRU.Settings()
    collector = Collector(make_vector(WORLD, 128), reinforce, peek=reinforce.peek)
    collector.begin(1)
    rollout = reinforce.collect(collector)
    reinforce.update(rollout)
    GRU.learn(network, optimizer_of(network, settings), episodes_of(rollout), ENTROPY, settings)
    assert_same_parameters(network, reinforce, 1e-6)


def test_a_minibatch_is_some_lanes_and_all_of_them_are_learned_from() -> None:
    agent = make_agent(sarsa_config())
    network, settings = network_like(agent), SARSA.Settings(minibatches=3)
    collector = Collector(make_vector(WORLD, LANES), agent, peek=agent.peek)
    collector.begin(2)
    rollout = rollout_of(collector.rollout(4))
    seen: list[Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    SARSA.learn(network, optimizer_of(network, settings), rollout, EPSILON, settings)
    assert [x.shape[:2] for x in seen] == [(5, 13), (5, 13), (5, 11)]
    learned = torch.cat(seen, 1).flatten(0).view(5, LANES, -1)
    order = [tuple(x) for x in learned[0].tolist()]
    assert sorted(order) == sorted(tuple(x) for x in rollout.obs[0].tolist())


@pytest.mark.parametrize("which", ["sarsa", "gru"])
def test_greedy_episodes_are_those_of_the_packages_evaluation(which: str) -> None:
    module: Any = SARSA if which == "sarsa" else GRU
    agent = make_agent(sarsa_config() if which == "sarsa" else gru_config())
    for seed in range(3):
        with torch.no_grad():
            agent.network.head.weight.normal_(generator=torch.Generator().manual_seed(seed))
        env = make_vector(EnvConfig(), 200)
        result = evaluate(agent, env, 200, module.EVALUATION_SEED + seed)
        mean, success = module.evaluate(network_like(agent), module.Settings(seed=seed), 200)
        assert result.success is not None
        assert mean == pytest.approx(result.returns.mean())
        assert success == pytest.approx(result.success.mean())
