"""Compiled passes beside torch's in double precision, and who is served."""

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from sidestep.agents import DeepSarsa, DeepSarsaConfig, NetworkConfig, Reinforce, ReinforceConfig
from sidestep.agents.acting.batch import Inputs, Rollout
from sidestep.agents.algorithms.dense.compiled import MOST_PRODUCTS, CompiledNetwork
from sidestep.agents.algorithms.dense.passes import Passes
from sidestep.agents.networks import Network
from sidestep.sequence.fitting.optimise import flatten_parameters

T, B, D, A = 5, 7, 6, 3
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
HIDDEN = [(), (5,), (16,), (64, 64), (33, 20, 9)]


def inputs_of(ticks: int = T, mask: bool = False, seed: int = 0) -> Inputs:
    """A sequence of D features, as an encoder makes it."""
    torch.manual_seed(seed)
    allowed = torch.rand(ticks, B, A) < 0.6
    allowed[..., 0] |= ~allowed.any(-1)
    allowed[0, 0] = False  # as a lane that is over may have it
    return Inputs(
        torch.randn(ticks, B, D),
        torch.rand(ticks, B) < 0.2,
        torch.randint(A, (ticks, B)),
        torch.randn(ticks, B),
        allowed if mask else None,
    )


def rollout_of(mask: bool = False, seed: int = 0) -> Rollout:
    """Ends of both kinds, and ticks of which nothing is learned."""
    inputs, shape = inputs_of(T + 1, mask, seed), (T, B)
    ended = torch.rand(shape) < 0.4
    truncated = ended & (torch.rand(shape) < 0.5)
    return Rollout(
        inputs,
        torch.randint(A, (T + 1, B)),
        3 * torch.randn(shape),
        ended & ~truncated,
        truncated,
        torch.rand(shape) < 0.8,
        torch.randn(shape) * truncated,
        (),
    )


def agent_of(kind: type = DeepSarsa, **options: Any) -> Any:
    """An agent whose parameters are all of some size."""
    config = DeepSarsaConfig if issubclass(kind, DeepSarsa) else ReinforceConfig
    network = options.pop("network", NetworkConfig((64, 64)))
    box = spaces.Box(-9, 9, (D,), np.float32)
    agent = kind(box, spaces.Discrete(A), config(network=network, **options), seed=3)
    with torch.no_grad():
        agent.flat.add_(0.1 * torch.randn(len(agent.flat)))
    return agent


@contextmanager
def by_torch(agent: Any) -> Iterator[None]:
    """Have torch run it."""
    compiled, agent.passes.compiled = agent.passes.compiled, None
    yield
    agent.passes.compiled = compiled


def in_double(agent: Any) -> Network:
    """The same network, in double precision."""
    return copy.deepcopy(agent.network).double()


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("extras", [False, True])
def test_output_and_gradient_are_those_of_torch(hidden: tuple[int, ...], extras: bool) -> None:
    network = NetworkConfig(hidden, last_action=extras, last_reward=extras)
    agent, inputs = agent_of(network=network), inputs_of()
    true, weight = in_double(agent), torch.randn(T, B, A)
    want, _ = true(inputs._replace(obs=inputs.obs.double()), ())
    (want * weight).sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in true.parameters() if p.grad is not None])
    agent.flat.grad.zero_()
    got = agent.passes.sequence(inputs, ())
    (got * weight).sum().backward()
    torch.testing.assert_close(got, want.float(), **CLOSE)
    torch.testing.assert_close(agent.flat.grad, gradient.float(), **CLOSE)
    tick = Inputs._make(None if x is None else x[0] for x in inputs)
    found, state = agent.passes.step(tick, ())
    torch.testing.assert_close(found, want[0].detach().float(), **CLOSE)
    assert state == () and not found.requires_grad and agent.passes.compiled is not None


def test_gradients_are_added_up() -> None:
    agent, inputs = agent_of(), inputs_of()
    agent.passes.sequence(inputs, ()).square().sum().backward()
    once = agent.flat.grad.clone()
    agent.passes.sequence(inputs, ()).square().sum().backward()
    torch.testing.assert_close(agent.flat.grad, 2 * once)
    first = agent.passes.sequence(inputs, ())
    agent.passes.sequence(inputs_of(seed=1), ())  # what the first pass keeps is its own
    agent.flat.grad.zero_()
    first.square().sum().backward()
    torch.testing.assert_close(agent.flat.grad, once)


def test_only_what_is_needed_is_computed() -> None:
    agent, inputs = agent_of(), inputs_of()
    needed = torch.arange(T).unsqueeze(1) < torch.randint(1, T, (B,))
    with by_torch(agent):
        want = agent.passes.sequence(inputs, (), needed)
    got = agent.passes.sequence(inputs, (), needed)
    torch.testing.assert_close(got, want, **CLOSE)
    assert not got[~needed].any()
    nothing = agent.passes.sequence(inputs, (), torch.zeros_like(needed))
    assert nothing.shape == got.shape and not nothing.any()


@pytest.mark.parametrize("lanes", [None, [4, 0, 2]])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("target", ["expected", "sarsa"])
@pytest.mark.parametrize("loss", ["huber", "squared"])
@pytest.mark.parametrize(("trace_decay", "epsilon"), [(0.0, 0.0), (0.7, 0.3), (1.0, 1.0)])
def test_deep_sarsas_loss_is_that_of_the_graph(
    lanes: list[int] | None, mask: bool, target: Any, loss: Any, trace_decay: float, epsilon: float
) -> None:
    agent = agent_of(
        target=target, loss=loss, trace_decay=trace_decay, epsilon_start=epsilon,
        epsilon_end=epsilon, discount=0.9, minibatches=1,
    )  # fmt: skip
    rollout = rollout_of(mask)
    some = None if lanes is None else torch.tensor(lanes)
    want = agent._part(rollout, None, some)
    want.loss.backward()
    gradient = agent.flat.grad.clone()
    agent.flat.grad.fill_(9.0)  # is written, not added to
    got = agent._part(rollout, agent._features(rollout), some)
    assert got.gradient is agent.flat.grad and want.gradient is None
    assert got.divisor == want.divisor
    torch.testing.assert_close(got.loss.float(), want.loss.detach(), **CLOSE)
    torch.testing.assert_close(got.figures["value"].float(), want.figures["value"], **CLOSE)
    torch.testing.assert_close(got.gradient, gradient, **CLOSE)


def episodes_of(seed: int) -> Rollout:
    """An episode a lane, padded, with actions that are allowed."""
    rollout, length = rollout_of(seed=seed), torch.randint(1, T + 1, (B,))
    ticks = torch.arange(T).unsqueeze(1)
    ended, valid = ticks == length - 1, ticks < length
    truncated = ended & rollout.truncated
    return rollout._replace(
        terminated=ended & ~truncated, truncated=truncated, valid=valid,
        final_value=rollout.final_value * truncated,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (DeepSarsa, {"epochs": 2, "minibatches": 3}),
        (Reinforce, {"batch": "rollout", "baseline": "value"}),
        (Reinforce, {"batch": "episodes", "baseline": "value", "entropy_start": 0.1}),
        (Reinforce, {"batch": "episodes", "baseline": "leave-one-out", "trace_decay": 1.0}),
    ],
)
def test_updates_come_out_the_same(kind: type, options: dict[str, Any]) -> None:
    agents = [agent_of(kind, **options), agent_of(kind, **options)]
    agents[1].load_state_dict(agents[0].state_dict())
    agents[1].passes.compiled = None
    begun = agents[0].flat.detach().clone()
    for seed in range(3):
        figures = [agent.update(episodes_of(seed)) for agent in agents]
        assert figures[0] == pytest.approx(figures[1], rel=1e-3, abs=1e-5)
    torch.testing.assert_close(agents[0].flat, agents[1].flat, rtol=1e-3, atol=1e-4)
    assert (agents[0].flat - begun).abs().max() > 1e-3


@pytest.mark.parametrize("where", ["obs", "reward", "parameters"])
def test_nan_is_refused_and_nothing_changed(where: str) -> None:
    agent, rollout = agent_of(minibatches=1), rollout_of()
    lane = int(rollout.valid[0].nonzero()[0])
    if where == "obs":
        rollout.inputs.obs[0, lane] = torch.nan
    elif where == "reward":
        rollout.reward[0, lane] = torch.inf
    else:
        with torch.no_grad():
            agent.flat[0] = torch.nan
    before = agent.flat.detach().clone()
    with pytest.raises(FloatingPointError, match="finite loss and gradient"):
        agent.update(rollout)
    assert torch.equal(before.nan_to_num(), agent.flat.nan_to_num())


class Other(DeepSarsa):
    """Its targets are its own."""

    def targets(self, rollout: Rollout, q: Tensor) -> Tensor:
        """Always 1."""
        return torch.ones_like(rollout.reward)


def test_targets_of_ones_own_are_heeded() -> None:
    own, ours = agent_of(Other), agent_of()
    assert own._features(rollout_of()) is None and ours._features(rollout_of()) is not None
    for _ in range(400):
        own.update(rollout_of())
    rollout = rollout_of()
    q = own.passes.sequence(rollout.inputs, ())[:-1]
    reached = q.gather(-1, rollout.action[:-1].unsqueeze(-1)).squeeze(-1)[rollout.valid]
    assert (reached - 1).abs().mean() < 0.3


class Louder(Network):
    """A network of one's own."""


def served(make: type[Network] = Network, shape: tuple[int, ...] = (D,), **options: Any) -> Any:
    network = make(shape, A, A, NetworkConfig(**options))
    return Passes(network, flatten_parameters(network)).compiled


def test_who_is_served() -> None:
    assert isinstance(served(), CompiledNetwork)
    assert isinstance(served(shape=(2, 3, 3), channels=()), CompiledNetwork)
    assert isinstance(served(shape=(4, 5)), CompiledNetwork)
    assert served(shape=(2, 3, 3)) is None
    assert served(memory="gru") is None
    assert served(memory="attention") is None
    assert served(Louder) is None
    network = Network((D,), A, A, NetworkConfig()).double()
    assert CompiledNetwork.of(network, flatten_parameters(network)) is None


def test_many_rows_are_torchs() -> None:
    agent = agent_of()
    most = MOST_PRODUCTS // agent.network.products
    assert agent.passes.compiled.few(most) and not agent.passes.compiled.few(most + 1)
    assert not agent.passes.compiled.few(0)
    assert not served(hidden_sizes=(256, 256)).few(2)  # whose weights take longer to turn
    tick = inputs_of(1)
    many = Inputs._make(
        None if x is None else x[0].repeat(-(-most // B) + 1, *[1] * (x.dim() - 2)) for x in tick
    )
    want, _ = agent.network.step(many, ())
    assert torch.equal(agent.passes.step(many, ())[0], want)


def test_a_single_row_is_torchs() -> None:
    agent, tick = agent_of(), inputs_of(1)
    one = Inputs._make(None if x is None else x[0, :1] for x in tick)
    assert torch.equal(agent.passes.step(one, ())[0], agent.network.step(one, ())[0])


def test_a_copy_runs_its_own_parameters() -> None:
    agent, inputs = agent_of(), inputs_of()
    other = copy.deepcopy(agent)
    with torch.no_grad():
        other.flat.mul_(2)
    assert not torch.equal(agent.passes.sequence(inputs, ()), other.passes.sequence(inputs, ()))
    want, _ = other.network(inputs, ())
    torch.testing.assert_close(other.passes.sequence(inputs, ()), want, **CLOSE)


CODE = """
from sidestep.agents import DeepSARSA
model = DeepSARSA("CartPole-v1")
model.learn(300)
assert model.agent.passes.compiled is None
"""


@pytest.mark.slow
def test_nothing_is_compiled_where_numba_is_told_so() -> None:
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
