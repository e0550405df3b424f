"""Insight: scores, values, units, gates and attention are those that `act` went by."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from sidestep.agents import (
    Agent,
    DeepSarsa,
    DeepSarsaConfig,
    LearnerConfig,
    NetworkConfig,
    Reinforce,
    ReinforceConfig,
)
from sidestep.agents.acting.choosing import greedy as best
from sidestep.agents.algorithms.losses import masked
from sidestep.agents.insight import imagine
from sidestep.agents.networks import Network
from sidestep.agents.player import Player
from sidestep.sequence import MEMORIES
from sidestep.sequence.layers import steps as cells

SPACE = spaces.Box(-1, 1, (5,), np.float32)


def agent_of(memory: str, learner: str = "deep-sarsa") -> Agent:
    network = NetworkConfig((11,), memory, 7, 1, 3)
    if learner == "reinforce":
        return Reinforce(SPACE, spaces.Discrete(4), ReinforceConfig(network=network), seed=2)
    return DeepSarsa(SPACE, spaces.Discrete(4), DeepSarsaConfig(network=network), seed=2)


def observations(number: int) -> list[Any]:
    return list(np.random.default_rng(1).uniform(-1, 1, (number, 5)).astype(np.float32))


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_best_score_is_what_is_done(memory: str) -> None:
    player = Player(agent_of(memory))
    for tick, obs in enumerate(observations(13)):
        action = player.act(obs, tick in (0, 6))
        assert player.impression is not None
        insight = player.impression.insight
        assert insight.scores.shape == (4,) and int(insight.scores.argmax()) == action
        assert insight.value == pytest.approx(float(insight.scores.max()))
        assert not insight.are_probabilities
        assert (insight.units is None) == (memory == "none")


def test_probabilities_and_the_baseline() -> None:
    agent = agent_of("gru", "reinforce")
    player = Player(agent)
    player.act(observations(1)[0], True)
    assert player.impression is not None
    insight, inputs = player.impression.insight, player.impression.inputs
    output, _ = agent.network.step(inputs, agent.initial_state(1))
    want = output[0, :4].softmax(-1).tolist()
    assert insight.are_probabilities and insight.scores.tolist() == pytest.approx(want)
    assert insight.value == pytest.approx(output[0, 4].item())


def test_actions_that_are_not_allowed() -> None:
    for learner, nothing in (("deep-sarsa", -np.inf), ("reinforce", 0.0)):
        player = Player(agent_of("none", learner))
        mask = np.array([True, False, True, False])
        player.act(observations(1)[0], True, info={"action_mask": mask})
        assert player.impression is not None
        scores = player.impression.insight.scores
        assert scores[[1, 3]].tolist() == [nothing, nothing]
        assert np.isfinite(scores[[0, 2]]).all()


def test_gates_by_the_specification() -> None:
    agent = agent_of("lstm")
    player = Player(agent)
    first, second = observations(2)
    player.act(first, True)
    player.act(second, False)
    assert player.impression is not None
    insight, memory = player.impression.insight, agent.network.memory
    with torch.no_grad():
        x = agent.network.encode(player.impression.inputs)
        h, c = (part[0] for part in player.impression.state)  # type: ignore[union-attr]
        weights = [getattr(memory, f"{kind}_l0") for kind in
                   ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]  # fmt: skip
        step = cells.lstm_step(x, h, c, *weights)
    assert insight.units is not None and insight.cells is not None
    assert insight.units.tolist() == pytest.approx(step.h[0].tolist(), abs=1e-6)
    assert insight.cells.tolist() == pytest.approx(step.c[0].tolist(), abs=1e-6)
    assert [name for name, _ in insight.gates] == ["i", "f", "o"]
    for name, gate in insight.gates:
        assert gate.tolist() == pytest.approx(getattr(step, name)[0].tolist(), abs=1e-6)


def test_attention_by_hand() -> None:
    agent = agent_of("attention")
    memory: Any = agent.network.memory
    player, embedded = Player(agent), []
    for tick, obs in enumerate(observations(5)):
        player.act(obs, tick == 0)
        assert player.impression is not None
        with torch.no_grad():
            x = agent.network.encode(player.impression.inputs)[0]
            e = memory.embed_weight @ x + memory.embed_bias
            embedded.insert(0, e)
            scores = torch.stack([
                e @ memory.score_weight @ past / 7**0.5 + memory.lag_scores[lag] @ e
                for lag, past in enumerate(embedded[:3])
            ])  # fmt: skip
            want = [*scores.softmax(0).tolist(), 0.0, 0.0][:3]
        attention = player.impression.insight.attention
        assert attention is not None
        assert attention.tolist() == pytest.approx(want, abs=1e-6)


def test_what_would_be_thought_of_other_observations() -> None:
    agent, (first, *others) = agent_of("gru"), observations(4)
    player = Player(agent)
    player.act(first, True)
    kept = player.get_state()
    player.act(others[0], False)
    assert player.impression is not None
    worth = imagine(player.impression, np.stack(others))
    assert worth.values is not None
    for number, obs in enumerate(others):
        player.set_state(kept)
        assert player.act(obs, False) == worth.actions[number]
        value = player.impression.insight.value
        assert worth.values[number] == pytest.approx(value, abs=1e-6)


def test_looking_changes_nothing() -> None:
    network = NetworkConfig((7,), "lstm", 5)
    config = DeepSarsaConfig(network=network, epsilon_start=1.0, normalize_observations=True)
    agent = DeepSarsa(SPACE, spaces.Discrete(4), config)
    agent.encoder(np.random.default_rng(0).normal(size=(99, 5)))

    def run(look: bool) -> list[int]:
        player, actions = Player(agent, greedy=False, seed=3), []
        for tick, obs in enumerate(observations(19)):
            actions.append(player.act(obs, tick == 0))
            if look and player.impression is not None:
                assert player.impression.insight is player.impression.insight
                imagine(player.impression, np.stack(observations(3)))
        return actions

    before = {name: value.clone() for name, value in agent.state_dict().items()}
    assert run(look=True) == run(look=False)
    after = agent.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_player_goes_back() -> None:
    player = Player(agent_of("gru"), greedy=False, seed=4)
    player.agent.config.__dict__["epsilon_start"] = 0.5
    seen, states = [], []
    for tick, obs in enumerate(observations(17)):
        states.append(player.get_state())
        seen.append(player.act(obs, tick == 0))
    for back in (11, 3, 0):
        player.set_state(states[back])
        rest = [player.act(o, back + k == 0) for k, o in enumerate(observations(17)[back:])]
        assert rest == seen[back:]


class Tempered(Agent):
    """Somebody else's policy-gradient learner: logits at half the temperature, and no value."""

    name = "tempered"

    def make_network(self) -> Network:
        return Network(self.encoder.shape, 4, 4, self.config.network)

    def choose(self, output: Any, mask: Any, greedy: bool) -> Any:
        return best(output, mask)

    def values(self, output: Any, mask: Any) -> Any:
        return torch.zeros_like(output[..., 0])

    def scores(self, output: Any, mask: Any) -> Any:
        return masked(output * 2, mask).softmax(-1), True

    def value(self, output: Any, mask: Any) -> None:
        return None

    def update(self, rollout: Any) -> Any:
        return {}


def test_any_learner_says_itself_what_its_outputs_are() -> None:
    agent = Tempered(SPACE, spaces.Discrete(4), LearnerConfig(network=NetworkConfig((11,))))
    player, (first, *others) = Player(agent), observations(4)
    mask = np.array([True, False, True, True])
    player.act(first, True, info={"action_mask": mask})
    assert player.impression is not None
    insight = player.impression.insight
    output, _ = agent.network.step(player.impression.inputs, ())
    weights = np.exp(2 * output[0].detach().numpy().astype(float)) * mask
    assert insight.are_probabilities and insight.value is None
    assert insight.scores.tolist() == pytest.approx((weights / weights.sum()).tolist(), abs=1e-6)
    imagined = imagine(player.impression, np.stack(others))
    assert imagined.values is None and 1 not in imagined.actions

    class Silent(Tempered):
        scores = Agent.scores  # type: ignore[assignment]

    with pytest.raises(TypeError, match=r"abstract class Silent .*scores"):
        Silent(SPACE, spaces.Discrete(4), LearnerConfig())  # type: ignore[abstract]
