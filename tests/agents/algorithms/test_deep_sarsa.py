"""Deep SARSA with one-hot observations and a linear network is the textbook's table."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from torch import Tensor, tensor

from sidestep.agents import Collector, DeepSarsa, DeepSarsaConfig, NetworkConfig
from sidestep.agents.acting.batch import Inputs, Rollout, select_lanes
from sidestep.agents.acting.draws import Draws
from sidestep.agents.acting.policy import undisturbed
from sidestep.agents.algorithms.parts import Part

from ..toys import LANES, MODES, Native

STATES, A, GAMMA, STEP, EPSILON = 5, 3, 0.5, 0.25, 0.3
TABLE = tensor([[1.0, 2.0, 3.0], [4.0, -1.0, 0.0], [0.5, 6.0, -2.0], [7.0, 7.0, 1.0], [9.0] * 3])


def make_agent(**options: Any) -> DeepSarsa:
    """Q is TABLE; one step of plain gradient descent with step size STEP."""
    settings: dict[str, Any] = {"target": "sarsa", "trace_decay": 0.0, "loss": "squared"}
    settings |= {"minibatches": 1, "epochs": 1, **options}
    config = DeepSarsaConfig(
        network=NetworkConfig(hidden_sizes=()),
        discount=GAMMA,
        max_gradient_norm=1e9,
        epsilon_start=EPSILON,
        epsilon_end=EPSILON,
        **settings,
    )
    agent = DeepSarsa(spaces.Discrete(STATES), spaces.Discrete(A), config)
    with torch.no_grad():
        agent.network.head.weight.copy_(TABLE.t())
    agent.optimizer = torch.optim.SGD([agent.flat], lr=STEP)  # type: ignore[assignment]
    return agent


def table(agent: DeepSarsa) -> Tensor:
    """Q without the bias, which all states share."""
    return agent.network.head.weight.detach().t().clone()


def rollout_of(*lanes: list[Any], final: dict[tuple[int, int], float] | None = None) -> Rollout:
    """Lanes as [s0, a0, r1, end, s1, a1, r2, end, ..., sT, aT]; end: "", "over", "cut", "bogus"."""
    steps = (len(lanes[0]) - 2) // 4
    states = tensor([lane[0::4] for lane in lanes]).t()
    action = tensor([lane[1::4] for lane in lanes]).t()
    reward = tensor([[float(x) for x in lane[2::4]] for lane in lanes]).t()
    ends = np.array([lane[3::4] for lane in lanes]).T
    value = torch.zeros(steps, len(lanes))
    for place, number in (final or {}).items():
        value[place] = number
    inputs = Inputs(
        torch.nn.functional.one_hot(states, STATES).float(),
        torch.zeros_like(states, dtype=torch.bool),
        torch.zeros_like(states),
        torch.zeros(states.shape),
    )
    flags = (torch.from_numpy(ends == name) for name in ("over", "cut"))
    return Rollout(inputs, action, reward, *flags, torch.from_numpy(ends != "bogus"), value, ())


def after(agent: DeepSarsa, errors: dict[tuple[int, int], float], count: int) -> Tensor:
    """TABLE after a step towards the targets: the mean over `count` steps of the errors."""
    want = TABLE.clone()
    for place, error in errors.items():
        want[place] += STEP * error / count
    return want


def test_one_step_of_sarsa_by_hand() -> None:
    agent = make_agent()
    agent.update(rollout_of([0, 1, 1.0, "", 2, 1]))
    # 1 + .5 Q(2, 1) - Q(0, 1) = 1 + 3 - 2
    assert table(agent).tolist() == after(agent, {(0, 1): 2.0}, 1).tolist()
    assert agent.network.head.bias.tolist() == [0.0, STEP * 2.0, 0.0]


def test_the_action_executed_next_counts_not_the_greedy_one() -> None:
    agent = make_agent()
    agent.update(rollout_of([0, 1, 1.0, "", 2, 2]))
    assert table(agent).tolist() == after(agent, {(0, 1): 1.0 - 1.0 - 2.0}, 1).tolist()


def test_one_step_of_expected_sarsa_by_hand() -> None:
    agent = make_agent(target="expected")
    agent.update(rollout_of([0, 1, 1.0, "", 2, 2]))
    expectation = 0.7 * 6.0 + 0.3 * 1.5
    want = after(agent, {(0, 1): 1.0 + GAMMA * expectation - 2.0}, 1)
    torch.testing.assert_close(table(agent), want)


@pytest.mark.parametrize("target", ["sarsa", "expected"])
def test_a_terminal_step_has_no_future_and_is_learned(target: str) -> None:
    agent = make_agent(target=target)
    agent.update(rollout_of([0, 2, 1.0, "over", 3, 0]))
    assert table(agent).tolist() == after(agent, {(0, 2): 1.0 - 3.0}, 1).tolist()


@pytest.mark.parametrize("target", ["sarsa", "expected"])
def test_a_truncated_step_goes_on_with_its_final_value(target: str) -> None:
    agent = make_agent(target=target)
    agent.update(rollout_of([0, 2, 1.0, "cut", 3, 0], final={(0, 0): 8.0}))
    assert table(agent).tolist() == after(agent, {(0, 2): 1.0 + 4.0 - 3.0}, 1).tolist()


def test_several_lanes_are_averaged_and_the_tick_of_a_restart_is_not_learned() -> None:
    agent = make_agent()
    rollout = rollout_of(
        [0, 0, 1.0, "over", 4, 2, 9.0, "bogus", 1, 0, 2.0, "", 2, 2],
        [1, 1, 0.0, "", 1, 0, 0.5, "over", 4, 1, 9.0, "bogus", 3, 1],
    )
    agent.update(rollout)
    errors = {(0, 0): 1.0 - 1.0, (1, 0): 2.0 - 1.0 - 4.0 + 0.5 - 4.0, (1, 1): 2.0 + 1.0}
    torch.testing.assert_close(table(agent), after(agent, errors, 4))
    assert table(agent)[4].tolist() == TABLE[4].tolist()


def test_lambda_targets_by_hand() -> None:
    agent = make_agent(trace_decay=0.5)
    rollout = rollout_of([0, 0, 1.0, "", 1, 2, 2.0, "", 2, 0, 3.0, "over", 3, 1])
    targets = agent.targets(rollout, TABLE[rollout.inputs.obs.argmax(-1)])
    g2 = 3.0
    g1 = 2.0 + GAMMA * (0.5 * 0.5 + 0.5 * g2)
    g0 = 1.0 + GAMMA * (0.5 * 0.0 + 0.5 * g1)
    assert targets.flatten().tolist() == [g0, g1, g2]
    agent.update(rollout)
    errors = {(0, 0): g0 - 1.0, (1, 2): g1 - 0.0, (2, 0): g2 - 0.5}
    torch.testing.assert_close(table(agent), after(agent, errors, 3))


def test_the_huber_loss_clips_the_error() -> None:
    agent = make_agent(loss="huber")
    agent.update(rollout_of([0, 1, 1.0, "", 2, 1]))
    assert table(agent).tolist() == after(agent, {(0, 1): 1.0}, 1).tolist()


def test_the_gradient_is_clipped_to_its_norm() -> None:
    agent = make_agent()
    assert agent.flat.grad is not None
    object.__setattr__(agent.config, "max_gradient_norm", 0.5)
    norm = agent.update(rollout_of([0, 1, 1.0, "", 2, 1]))["gradient_norm"]
    assert norm == pytest.approx(2.0 * 2**0.5)  # weight and bias
    assert float(agent.flat.grad.norm()) == pytest.approx(0.5)


def test_masked_actions_do_not_enter_the_expectation() -> None:
    agent = make_agent(target="expected")
    rollout = rollout_of([0, 1, 1.0, "", 2, 0])
    mask = tensor([[[True, True, True]], [[True, False, True]]])
    agent.update(rollout._replace(inputs=rollout.inputs._replace(mask=mask)))
    expectation = 0.7 * 0.5 + 0.3 * (0.5 - 2.0) / 2
    want = after(agent, {(0, 1): 1.0 + GAMMA * expectation - 2.0}, 1)
    torch.testing.assert_close(table(agent), want)


def test_minibatches_see_every_lane_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = [[k % 4, k % 3, float(k), "over", 4, 0] for k in range(7)]
    agent, parts = make_agent(minibatches=3, epochs=2), list[Rollout]()
    part_of = agent._part

    def noted(rollout: Rollout, features: Tensor | None, lanes: Tensor) -> Part:
        parts.append(select_lanes(rollout, lanes))
        return part_of(rollout, features, lanes)

    monkeypatch.setattr(agent, "_part", noted)
    agent.update(rollout_of(*lanes))
    orders = [torch.cat([part.reward[0] for part in parts[i : i + 3]]) for i in (0, 3)]
    assert [order.sort().values.tolist() for order in orders] == [[float(k) for k in range(7)]] * 2
    assert orders[0].tolist() != orders[1].tolist()  # another order each time
    for part in parts:
        assert part.inputs.obs[0].argmax(-1).tolist() == (part.reward[0] % 4).tolist()
        assert part.action[0].tolist() == (part.reward[0] % 3).tolist()


def test_epsilon_falls_with_the_steps_learned_from() -> None:
    agent = make_agent()
    config = DeepSarsaConfig(epsilon_start=1.0, epsilon_end=0.2, epsilon_steps=1000)
    agent.config = config
    for steps, want in ((0, 1.0), (500, 0.6), (1000, 0.2), (9999, 0.2)):
        agent.steps = steps
        assert agent.epsilon == pytest.approx(want)


def learner(target: str = "sarsa") -> DeepSarsa:
    config = DeepSarsaConfig(network=NetworkConfig((7,)), target=target, epsilon_start=0.4)
    space = Native(AutoresetMode.SAME_STEP).single_observation_space
    return DeepSarsa(space, spaces.Discrete(3), config, seed=2)


@pytest.mark.parametrize("mode", MODES)
def test_truncation_bootstraps_from_the_final_observation_with_the_expected_value(
    mode: AutoresetMode,
) -> None:
    agent = learner()
    env = Native(mode)
    collector = Collector(env, agent, peek=agent.peek)
    collector.begin(0)
    rollout = collector.rollout(30)
    assert rollout.truncated.sum() > 5
    for t, lane in rollout.truncated.nonzero().tolist():
        obs = rollout.inputs.obs[t, lane] + tensor([0.0, 0.0, 1.0])  # one tick later, same episode
        allowed = torch.ones(3, dtype=torch.bool)
        allowed[int((obs @ tensor([1.0, 2.0, 1.0])).item()) % 3] = False
        no = torch.zeros(1, dtype=torch.bool)
        tick = Inputs(obs[None], no, torch.zeros(1, dtype=torch.long), torch.zeros(1))
        with torch.no_grad():
            q = agent.network.step(tick, ())[0][0]
        want = 0.6 * q[allowed].max() + 0.4 * q[allowed].mean()
        assert rollout.final_value[t, lane].item() == pytest.approx(want.item(), abs=1e-5)
    assert (rollout.final_value[~rollout.truncated] == 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_after_a_reset_the_action_comes_from_the_observation_of_the_reset(mode: Any) -> None:
    """Every executed action is the one chosen for the observation that it is stored with."""
    agent = learner()
    agent.config = DeepSarsaConfig(network=agent.config.network, epsilon_start=0, epsilon_end=0)
    collector = Collector(Native(mode), agent)
    collector.begin(0)
    begins = 0
    for _ in range(5):
        rollout = collector.rollout(6)
        inputs = rollout.inputs
        with torch.no_grad():
            q, _ = agent.network(inputs, ())
        assert inputs.mask is not None
        best = q.masked_fill(~inputs.mask, -torch.inf).argmax(-1)
        assert torch.equal(best, rollout.action)  # at the seam too: o_T with a_T
        begins += int((inputs.reset[:-1] & rollout.valid).sum())
    assert begins > LANES


def test_bouts_are_stored_and_go_on_where_they_stood() -> None:
    """A copy that is restored in the midst of them plays the same actions."""
    config = DeepSarsaConfig(epsilon_start=0.5, epsilon_end=0.5, epsilon_repeat=0.75)
    agents = [DeepSarsa(spaces.Discrete(STATES), spaces.Discrete(A), config) for _ in range(2)]
    lanes = 64

    def play(agent: DeepSarsa, last: Any, reset: bool = False) -> Any:
        inputs = Inputs(
            torch.eye(STATES)[:1].expand(lanes, -1),
            torch.full((lanes,), reset),
            torch.from_numpy(last),
            torch.zeros(lanes),
        )
        return agent.act(inputs, ())[0]

    last = play(agents[0], np.zeros(lanes, np.int64), reset=True)
    for _ in range(3):
        last = play(agents[0], last)
    stored = agents[0].state_dict()
    assert 16 < stored["exploring"].sum() < 48  # about half of them
    with undisturbed(agents[0], Draws(9)):
        play(agents[0], last, reset=True)  # of somebody else's lanes
    assert torch.equal(agents[0].state_dict()["exploring"], stored["exploring"])
    agents[1].load_state_dict(stored)
    for _ in range(3):
        actions = [play(agent, last) for agent in agents]
        assert actions[0].tolist() == actions[1].tolist()
        last = actions[0]
    agents[1].random.exploring[:] = True
    play(agents[1], last, reset=True)
    assert agents[1].random.exploring.mean() < 0.5  # a new episode begins without a bout
    assert "exploring" not in make_agent().state_dict()
    with pytest.raises(ValueError, match="exploring"):
        agents[0].load_state_dict({k: v for k, v in stored.items() if k != "exploring"})


def test_bouts_where_most_of_the_first_episodes_were_cut() -> None:
    """More than half of those that have ended; past the first 32 nothing is counted any more."""
    agent = make_agent(epsilon_repeat=0.75, repeat_where_cut=True)
    ended, cut, open_ = ([0, 1, 1.0, end, 2, 1] for end in ("over", "cut", ""))
    assert agent.repeat == 0  # nothing has ended yet

    agent.update(rollout_of(*[cut] * 8, *[open_] * 9))
    assert agent.repeat == 0.75
    agent.update(rollout_of(*[ended] * 8))
    assert agent.repeat == 0  # eight of sixteen are not most
    agent.update(rollout_of(*[cut] * 9, *[ended] * 7))
    assert agent.repeat == 0.75 and agent.first_ends == (32, 17)
    agent.update(rollout_of(*[ended] * 32))
    assert agent.repeat == 0.75 and agent.first_ends == (32, 17)

    agents = [DeepSarsa(spaces.Discrete(STATES), spaces.Discrete(A), agent.config) for _ in "ab"]
    agents[0].update(rollout_of(*[cut] * 5))
    agents[1].load_state_dict(agents[0].state_dict())
    assert agents[1].repeat == 0.75 and agents[1].first_ends == (5, 5)
    plain = make_agent(epsilon_repeat=0.75)
    plain.update(rollout_of(*[ended] * 32))
    assert plain.repeat == 0.75  # without the option wherever it is
