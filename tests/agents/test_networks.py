"""Networks: acting equals learning, tick by tick; parameters in one vector."""

from typing import Any

import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from sidestep.agents import (
    Agent,
    Collector,
    DeepSarsa,
    DeepSarsaConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
)
from sidestep.agents.acting.batch import Inputs, select_lanes
from sidestep.agents.networks import Network
from sidestep.sequence import MEMORIES, map_state

from .toys import LANES, MODES, Native, Scripted


def make_agent(learner: str, **network: Any) -> Agent:
    sizes = NetworkConfig(**{"hidden_sizes": (7,), "memory_size": 5, "memory_window": 3, **network})
    make: Any = DeepSarsa if learner == "deep-sarsa" else Reinforce
    config = DeepSarsaConfig if learner == "deep-sarsa" else ReinforceConfig
    agent: Agent = make(
        Scripted.observation_space,
        spaces.Discrete(3),
        config(network=sizes, reward_scale=0.125, rollout_steps=6),
        seed=4,
    )
    return agent


def record_outputs(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What `act` chooses from, tick by tick."""
    outputs: list[torch.Tensor] = []
    choose = agent.choose

    def note(output: Any, mask: Any, greedy: bool) -> Any:
        outputs.append(torch.from_numpy(output.copy()))
        return choose(output, mask, greedy)

    monkeypatch.setattr(agent, "choose", note)
    return outputs


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_learning_sees_what_acting_saw(
    learner: str, memory: str, mode: AutoresetMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make_agent(learner, memory=memory, last_action=True, last_reward=True)
    outputs = record_outputs(agent, monkeypatch)
    collector = Collector(Native(mode), agent, peek=agent.peek)  # peeking must change nothing
    collector.begin(0)
    for steps in (6, 9):  # the second rollout begins in the middle of episodes
        begin = len(outputs) - 1
        rollout = collector.rollout(steps)
        assert rollout.inputs.reset[1:].any() and rollout.truncated.any()
        output, _ = agent.network(rollout.inputs, rollout.state)
        acted = torch.stack(outputs[begin:])
        assert acted.std(1).min() > 1e-3 or learner == "reinforce"
        torch.testing.assert_close(output, acted, rtol=0, atol=1e-5)
        lanes = torch.tensor([3, 1])
        part = select_lanes(rollout, lanes)
        output, _ = agent.network(part.inputs, part.state)
        torch.testing.assert_close(output, acted[:, lanes], rtol=0, atol=1e-5)
        assert torch.equal(part.reward, rollout.reward[:, lanes])
        assert torch.equal(part.valid, rollout.valid[:, lanes])
    outputs.clear()
    collector.begin()
    assert not any(leaf.any() for leaf in leaves(collector.state))


def leaves(state: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    map_state(lambda leaf: found.append(leaf) or leaf, state)
    return found


@pytest.mark.parametrize("memory", [m for m in MEMORIES if m != "none"])
def test_memories_remember_within_an_episode_and_forget_at_its_start(memory: str) -> None:
    agent = make_agent("deep-sarsa", memory=memory)

    def last_output(first: float, reset: bool) -> torch.Tensor:
        obs = torch.tensor([[[first, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
        flags = torch.tensor([[True], [reset]])
        zeros = torch.zeros(2, 1)
        inputs = Inputs(obs, flags, zeros.long(), zeros)
        output, _ = agent.network(inputs, agent.initial_state(1))
        result: torch.Tensor = output[1].detach()
        return result

    assert (last_output(3.0, False) - last_output(-3.0, False)).abs().max() > 1e-3
    assert torch.equal(last_output(3.0, True), last_output(-3.0, True))


@pytest.mark.parametrize("field", ["last_action", "last_reward"])
def test_last_action_and_reward_are_seen_except_at_a_reset(field: str) -> None:
    agent = make_agent("deep-sarsa", **{field: True})

    def output(number: int, reset: bool) -> torch.Tensor:
        blank = Inputs(
            torch.ones(1, 3), torch.tensor([reset]), torch.tensor([0]), torch.tensor([0.0])
        )
        value = getattr(blank, field).clone().fill_(number)
        with torch.no_grad():
            return agent.network.step(blank._replace(**{field: value}), ())[0]

    assert not torch.equal(output(1, False), output(2, False))
    assert torch.equal(output(1, True), output(2, True))
    blind = make_agent("deep-sarsa")
    assert blind.network.encoder.linear[0].weight.shape[1] == 3  # type: ignore[union-attr]
    width = agent.network.encoder.linear[0].weight.shape[1]  # type: ignore[union-attr]
    assert width == {"last_action": 6, "last_reward": 4}[field]


@pytest.mark.parametrize("memory", MEMORIES)
def test_rows_that_are_not_needed_do_not_change_the_others(memory: str) -> None:
    agent = make_agent("reinforce", memory=memory)
    collector = Collector(Native(AutoresetMode.NEXT_STEP), agent)
    collector.begin(0)
    rollout = collector.episodes()
    needed = torch.cat([rollout.valid, torch.zeros_like(rollout.valid[:1])])
    whole, _ = agent.network(rollout.inputs, rollout.state)
    part, _ = agent.network(rollout.inputs, rollout.state, needed)
    torch.testing.assert_close(part[needed], whole[needed])


@pytest.mark.parametrize("memory", [name for name in MEMORIES if name != "none"])
def test_a_skip_connection_gives_the_head_the_encoders_features_too(memory: str) -> None:
    network = make_agent("deep-sarsa", memory=memory, skip_connection=True).network
    plain = make_agent("deep-sarsa", memory=memory).network
    extra = network.head.in_features - plain.head.in_features
    assert extra == network.encoder.output_size
    generator = torch.Generator().manual_seed(3)
    reset = torch.rand(5, 2, generator=generator) < 0.3
    obs = torch.randn(5, 2, 3, generator=generator)
    inputs = Inputs(obs, reset, torch.zeros(5, 2).long(), torch.zeros(5, 2))
    whole, _ = network(inputs, network.initial_state(2))
    plain.encoder.load_state_dict(network.encoder.state_dict())
    plain.memory.load_state_dict(network.memory.state_dict())
    y, x = network.head.weight.split([plain.head.in_features, extra], dim=1)
    with torch.no_grad():
        plain.head.weight.copy_(y)
        plain.head.bias.copy_(network.head.bias)
    remembered, _ = plain(inputs, plain.initial_state(2))
    expected = remembered + network.encode(inputs) @ x.t()
    torch.testing.assert_close(whole, expected, rtol=0, atol=1e-5)
    state = network.initial_state(2)
    for t in range(5):
        tick = Inputs(*(part[t] for part in inputs if part is not None))
        output, state = network.step(tick, state)
        torch.testing.assert_close(output, whole[t], rtol=0, atol=1e-5)


def test_the_linear_network_is_one_matrix() -> None:
    network = Network((5,), 3, 2, NetworkConfig(hidden_sizes=()))
    assert [tuple(p.shape) for p in network.parameters()] == [(2, 5), (2,)]


def test_layers_are_linear_normalised_rectified() -> None:
    network = Network((5,), 3, 2, NetworkConfig(hidden_sizes=(7, 11)))
    x = torch.randn(13, 5, generator=torch.Generator().manual_seed(0))
    y = x
    for layer, norm in zip(network.encoder.linear, network.encoder.norm, strict=True):
        y = y @ layer.weight.t() + layer.bias  # type: ignore[union-attr,operator]
        y = (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
        y = (y * norm.weight + norm.bias).clamp(min=0)  # type: ignore[operator]
    blank = Inputs(x, torch.zeros(13, dtype=torch.bool), torch.zeros(13).long(), torch.zeros(13))
    output, _ = network.step(blank, ())
    torch.testing.assert_close(output, y @ network.head.weight.t(), rtol=1e-4, atol=1e-5)


def test_planes_pass_the_convolution_tick_by_tick_and_as_a_sequence() -> None:
    network = Network((2, 5, 7), 3, 4, NetworkConfig(hidden_sizes=(11,)))
    planes = torch.randn(3, 6, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    no = torch.zeros(3, 6, dtype=torch.bool)
    inputs = Inputs(planes, no, no.long(), no.float())
    whole, _ = network(inputs, ())
    for t in range(3):
        tick = Inputs(*(part[t] for part in inputs if part is not None))
        torch.testing.assert_close(network.step(tick, ())[0], whole[t], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("shape", "cells"), [((2, 7, 8), 56), ((2, 11, 8), 88), ((2, 11, 9), 30)])
def test_large_maps_are_read_at_every_second_cell_and_no_cell_is_missed(
    shape: tuple[int, int, int], cells: int
) -> None:
    network = Network(shape, 3, 4, NetworkConfig(hidden_sizes=(13,)))
    assert network.encoder.linear[0].in_features == 32 * cells  # type: ignore[union-attr]
    obs = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    no = torch.zeros(1, dtype=torch.bool)
    network.step(Inputs(obs, no, no.long(), no.float()), ())[0].square().sum().backward()
    assert obs.grad is not None and (obs.grad != 0).all()


def test_channels_are_the_convolutions_widths_and_none_read_every_cell() -> None:
    wide = Network((2, 5, 7), 3, 4, NetworkConfig(hidden_sizes=(13,), channels=(3, 5, 6)))
    assert [tuple(p.shape) for p in wide.convolution.parameters() if p.dim() == 4] == [
        (3, 2, 3, 3), (5, 3, 3, 3), (6, 5, 3, 3)]  # fmt: skip
    flat = Network((2, 5, 7), 3, 4, NetworkConfig(hidden_sizes=(13,), channels=()))
    planes = torch.rand(6, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    no = torch.zeros(6, dtype=torch.bool)
    output, _ = flat.step(Inputs(planes, no, no.long(), no.float()), ())
    linear, norm = flat.encoder.linear[0], flat.encoder.norm[0]
    y = linear(planes.reshape(6, 70))
    torch.testing.assert_close(output, flat.head(norm(y).relu()), rtol=0, atol=1e-6)
    assert not list(flat.convolution.parameters())


def are_views(agent: Agent) -> bool:
    """Every parameter and gradient lies in the flat vector, in order and without gaps."""
    begin, flat = 0, agent.flat
    assert flat.grad is not None
    for parameter in agent.network.parameters():
        assert parameter.grad is not None
        if parameter.data_ptr() != flat.data_ptr() + 4 * begin:
            return False
        if parameter.grad.data_ptr() != flat.grad.data_ptr() + 4 * begin:
            return False
        begin += parameter.numel()
    return begin == flat.numel()


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_parameters_stay_views_of_one_vector(learner: str, memory: str) -> None:
    agent, other = (make_agent(learner, memory=memory) for _ in range(2))
    assert are_views(agent)
    collector = Collector(Native(AutoresetMode.NEXT_STEP), agent, peek=agent.peek)
    collector.begin(0)
    before = {k: v.clone() for k, v in agent.network.state_dict().items()}
    for _ in range(3):
        agent.update(agent.collect(collector))
    assert are_views(agent)
    for name, value in agent.network.state_dict().items():
        assert not torch.equal(value, before[name]), f"{name} was not trained"
    rollout = agent.collect(collector)
    other.load_state_dict(agent.state_dict())
    assert are_views(other)
    assert torch.equal(agent.flat, other.flat)
    agent.update(rollout), other.update(rollout)
    assert torch.equal(agent.flat, other.flat)  # the optimizer's moments came along
    assert are_views(other)


def test_making_an_agent_leaves_the_global_stream_alone_and_repeats() -> None:
    torch.manual_seed(0)
    want = torch.rand(3)
    torch.manual_seed(0)
    first, second = make_agent("reinforce"), make_agent("reinforce")
    assert torch.equal(torch.rand(3), want)
    assert torch.equal(first.flat, second.flat)


def test_the_policy_begins_nearly_uniform() -> None:
    agent = make_agent("reinforce")
    blank = torch.zeros(LANES)
    inputs = Inputs(torch.randn(LANES, 3), blank.bool(), blank.long(), blank)
    with torch.no_grad():
        logits = agent.network.step(inputs, ())[0][:, :3]
    assert logits.abs().max() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "elman"}, "memory: expected one of none, rnn, lstm, gru, attention, got"),
        ({"channels": (16, 0)}, r"channels: expected positive numbers, got \(16, 0\)"),
        ({"hidden_sizes": (8, 0)}, r"hidden_sizes: expected positive sizes, got \(8, 0\)"),
        ({"memory_size": 0}, "memory_size: expected at least 1, got 0"),
        ({"memory_window": 0}, "memory_window: expected at least 1, got 0"),
        ({"skip_connection": True}, "skip_connection: expected a memory to pass by, got memory="),
    ],
)
def test_wrong_configurations(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**options)


def test_a_span_of_memory_is_what_units_keep_at_first() -> None:
    """Without input and past, a unit keeps for log-uniform many ticks, and lets in the rest."""
    torch.manual_seed(0)
    for memory, keeps, lets_in in (("lstm", 1, 0), ("gru", 1, None)):
        config = NetworkConfig((4,), memory, 500, 2, memory_span=100)
        network = Network((3,), 2, 2, config)
        for name, bias in network.memory.named_parameters():
            if not name.startswith("bias_ih"):
                continue
            blocks = bias.detach().view(-1, 500)
            times = 1 / (1 - torch.sigmoid(blocks[keeps]))  # of what is kept with sigmoid(b) a tick
            assert times.min() >= 2 and times.max() <= 101 + 1e-2  # 1 + u
            assert abs(float(times.mean()) - 51.5) < 4  # u uniform in 1..100
            for number in set(range(len(blocks))) - {keeps}:
                want = -blocks[keeps] if number == lets_in else torch.zeros(500)
                assert torch.equal(blocks[number], want)
    for memory in ("none", "rnn", "attention"):
        with pytest.raises(ValueError, match="memory_span: expected a memory with a gate that kee"):
            NetworkConfig(memory=memory, memory_span=100)
    with pytest.raises(ValueError, match="memory_span: expected at least 2, got 1"):
        NetworkConfig(memory="gru", memory_span=1)
