"""Deep SARSA in one file: SARSA(lambda) with a network and many lanes, for Gymnasium vector envs.

    python docs/one_file/deep_sarsa.py --seed 1

The loop is `train`, at the end. This is what `sidestep train deep-sarsa` does, less memory, masks,
pictures, checkpoints and windows; a test holds that both take the same first step.

Legend. T ticks, B lanes (copies of the env side by side), D features, A actions; time comes first.
In o_t the action a_t is played and brings r_{t+1} and o_{t+1}; q_t (A,) are the action values of
o_t; G_t is the return from t on. Gymnasium's lanes restart late (NEXT_STEP): the step that ends an
episode shows its last observation, and the step after it ignores its action and shows the first one
of the next episode. That step is no experience; `valid` is False there.

Sources.
[SB]    Sutton & Barto (2018), Reinforcement Learning: An Introduction, second edition.
[vS]    van Seijen, van Hasselt, Whiteson & Wiering (2009), A theoretical and empirical analysis of
        Expected Sarsa.
[PQN]   Gallici et al. (2024), Simplifying deep temporal difference learning, arXiv 2407.04811.
[Pardo] Pardo et al. (2018), Time limits in reinforcement learning, arXiv 1712.00378.
Besides: Huber (1964), Robust estimation of a location parameter; Pascanu et al. (2013), On the
difficulty of training recurrent neural networks (clipping); Kingma & Ba (2015), Adam.
"""

import math
import time
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
import tyro
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn

import sidestep.envs  # noqa: F401  registers the worlds

EVALUATION_SEED = 2**30  # lane i gets seed + i: evaluation plays no world of training


@dataclass(frozen=True)
class Settings:
    """The defaults cross the default world in seconds."""

    env: str = "sidestep/MovingObstacles-v0"  # any id with vectors and discrete actions
    max_episode_steps: int = 100  # time limit of an episode, in ticks
    seed: int = 0  # of the parameters, the exploration and the worlds
    total_steps: int = 1_000_000  # env ticks to learn from, over all lanes
    num_envs: int = 256  # B; with so many lanes no replay buffer is needed [PQN]
    rollout_steps: int = 4  # T, ticks of every lane between updates
    minibatches: int = 2  # parts, over lanes, of a rollout; an optimizer step each
    hidden_size: int = 64  # of the two hidden layers
    discount: float = 0.95  # gamma
    trace_decay: float = 0.8  # lambda: 0 is one-step SARSA, 1 Monte Carlo
    target: Literal["expected", "sarsa"] = "expected"  # over the next action, or the one played
    learning_rate: float = 3e-3  # Adam's step size in the beginning
    final_learning_rate: float = 1e-4  # and in the end, reached linearly
    max_gradient_norm: float = 1.0  # gradients are scaled down to this norm
    epsilon_start: float = 1.0  # probability of a random action in the beginning
    epsilon_end: float = 0.05  # and from `epsilon_share` on
    epsilon_share: float = 0.1  # share of total_steps over which it falls, linearly
    evaluation_episodes: int = 1000  # greedy ones, after each tenth of total_steps

    def __post_init__(self) -> None:
        """Check the counts and the shares."""
        for name, value in vars(self).items():
            least = 0 if isinstance(value, float) or name == "seed" else 1
            most = 1 if isinstance(value, float) and name != "max_gradient_norm" else math.inf
            if not isinstance(value, str) and not least <= value <= most:
                raise ValueError(f"{name}: expected a number from {least} to {most}, got {value}")


class QNetwork(nn.Module):
    """Action values: (..., D) to (..., A).

    Layer normalisation before the non-linearity is what makes a target network unnecessary [PQN].
    """

    def __init__(self, features: int, actions: int, hidden: int) -> None:
        """Make the layers."""
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(features, hidden), nn.LayerNorm(hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(hidden, actions)
        nn.init.zeros_(self.head.bias)

    def forward(self, obs: Tensor) -> Tensor:
        """Compute q of (..., D) observations."""
        q: Tensor = self.head(self.encoder(obs))
        return q


class Lanes(NamedTuple):
    """How the lanes stand; it is carried from one rollout to the next."""

    obs: Tensor  # (B, D) o_t
    action: Tensor  # (B,) a_t, chosen already: an update took it for a_{t+1}, so it is played
    over: Tensor  # (B,) bool, o_t was an episode's last; the next step only restarts the lane


class Rollout(NamedTuple):
    """T ticks of B lanes, played with fixed parameters."""

    obs: Tensor  # (T+1, B, D) o_0 .. o_T
    action: Tensor  # (T+1, B) a_0 .. a_T; a_T is chosen, and opens the next rollout
    reward: Tensor  # (T, B) r_1 .. r_T
    terminated: Tensor  # (T, B) bool, the task ended with this tick: nothing follows
    truncated: Tensor  # (T, B) bool, the time limit cut here: something would have followed
    valid: Tensor  # (T, B) bool, False in the tick in which a lane only restarts


@torch.no_grad()
def choose(network: nn.Module, obs: Tensor, epsilon: float) -> Tensor:
    """Choose (B,) for (B, D): at random with probability epsilon, else greedily ([SB] sec. 2.2)."""
    q = network(obs)  # (B, A)
    lanes, actions = q.shape
    explores = torch.rand(lanes) < epsilon
    return torch.where(explores, torch.randint(actions, (lanes,)), q.argmax(-1))


def play(
    env: VectorEnv[Any, Any, Any], network: nn.Module, lanes: Lanes, steps: int, epsilon: float
) -> tuple[Rollout, Lanes]:
    """Play `steps` ticks from where the lanes stand."""
    observations, actions, ticks = [lanes.obs], [lanes.action], []
    for _ in range(steps):
        obs, reward, terminated, truncated, _ = env.step(lanes.action.numpy())
        ended = torch.from_numpy(terminated | truncated)
        ticks.append(
            (
                torch.where(lanes.over, 0.0, torch.tensor(reward, dtype=torch.float32)),
                torch.tensor(terminated),
                torch.tensor(truncated & ~terminated),  # the task's end counts, if both say so
                ~lanes.over,
            )
        )
        o_tp1 = torch.tensor(obs, dtype=torch.float32)  # copied: envs may reuse their arrays
        lanes = Lanes(o_tp1, choose(network, o_tp1, epsilon), ended)
        observations.append(lanes.obs)
        actions.append(lanes.action)
    columns = [torch.stack(column) for column in zip(*ticks, strict=True)]  # (T, B) each
    return Rollout(torch.stack(observations), torch.stack(actions), *columns), lanes


@torch.no_grad()
def targets(rollout: Rollout, q: Tensor, epsilon: float, settings: Settings) -> Tensor:
    """Compute what q_t[a_t] is drawn to: the lambda-return G_t of every tick, (T, B).

    Args:
        rollout: T ticks.
        q: (T+1, B, A) action values of o_0 .. o_T.
        epsilon: with which the actions were chosen.
        settings: gamma, lambda and the kind of target.
    """
    # V(o) = sum_a pi(a|o) q(o, a) of the epsilon-greedy policy: [vS], [SB] eq. 6.9
    expected = (1 - epsilon) * q.amax(-1) + epsilon * q.mean(-1)  # (T+1, B)
    v_tp1 = expected[1:]  # (T, B)
    if settings.target == "sarsa":  # q_{t+1}[a_{t+1}], with the action that is played: [SB] eq. 6.7
        played = q.gather(-1, rollout.action.unsqueeze(-1)).squeeze(-1)[1:]
        v_tp1 = torch.where(rollout.truncated, v_tp1, played)  # after a cut none is played
    returns = torch.empty_like(rollout.reward)
    g = v_tp1[-1]  # the rollout is cut here, the episode goes on
    for t in reversed(range(len(returns))):
        # [SB] eq. 12.19 (sarsa) and 12.20 (expected): one step, mixed with all longer ones
        future = (1 - settings.trace_decay) * v_tp1[t] + settings.trace_decay * g
        # the time limit is no part of the task: the last observation's value goes on [Pardo]
        future = torch.where(rollout.truncated[t], v_tp1[t], future)
        # a terminal state has the value 0: [SB] section 6.4
        future = future.masked_fill(rollout.terminated[t], 0.0)
        g = rollout.reward[t] + settings.discount * future  # [SB] eq. 3.9
        returns[t] = g
    return returns


def loss_of(network: nn.Module, rollout: Rollout, epsilon: float, settings: Settings) -> Tensor:
    """Average Huber's error of q_t[a_t] over the valid ticks.

    Its gradient goes through q_t[a_t] alone, not through the target: semi-gradient SARSA, [SB]
    section 10.1, eq. 10.1. Huber's error is half the square up to 1, and grows linearly beyond.
    """
    q = network(rollout.obs)  # (T+1, B, A)
    target = targets(rollout, q, epsilon, settings)  # (T, B)
    prediction = q[:-1].gather(-1, rollout.action[:-1].unsqueeze(-1)).squeeze(-1)  # (T, B)
    error = F.huber_loss(prediction, target, reduction="none")  # Huber (1964)
    return (error * rollout.valid).sum() / rollout.valid.sum().clamp(min=1)


def learn(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    epsilon: float,
    settings: Settings,
) -> None:
    """Take an optimizer step for each minibatch: a part of the lanes, never of the time."""
    for part in torch.randperm(rollout.reward.shape[1]).chunk(settings.minibatches):
        loss = loss_of(network, Rollout(*(x[:, part] for x in rollout)), epsilon, settings)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(  # Pascanu et al. (2013), algorithm 1
            network.parameters(), settings.max_gradient_norm, error_if_nonfinite=True
        )
        optimizer.step()  # Kingma & Ba (2015), algorithm 1


def make_env(settings: Settings, lanes: int) -> VectorEnv[Any, Any, Any]:
    """Make `lanes` copies of the env; TypeError if it is one that this file does not understand."""
    env = gym.make_vec(settings.env, lanes, max_episode_steps=settings.max_episode_steps)
    space, actions = env.single_observation_space, env.single_action_space
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise TypeError(f"{settings.env}: expected vectors as observations, got {space}")
    if not isinstance(actions, spaces.Discrete) or actions.start != 0:
        raise TypeError(f"{settings.env}: expected Discrete actions from 0, got {actions}")
    if env.metadata["autoreset_mode"] is not AutoresetMode.NEXT_STEP:
        raise TypeError(f"{settings.env}: expected NEXT_STEP, got {env.metadata}")
    return env


@torch.no_grad()
def evaluate(network: nn.Module, settings: Settings, episodes: int) -> tuple[float, float]:
    """Play greedy episodes, one a lane: mean return, and share of successes (nan if not told)."""
    env = make_env(settings, episodes)
    obs, _ = env.reset(seed=EVALUATION_SEED + settings.seed)
    alive, total = np.ones(episodes, dtype=np.bool_), np.zeros(episodes)
    success = np.full(episodes, np.nan)
    while alive.any():  # lanes that are through go on with next episodes, which count for nothing
        q = network(torch.tensor(obs, dtype=torch.float32))
        obs, reward, terminated, truncated, info = env.step(q.argmax(-1).numpy())
        total += reward * alive
        ends = alive & (terminated | truncated)
        if "is_success" in info:
            success[ends] = info["is_success"][ends]
        alive &= ~ends
    env.close()
    return float(total.mean()), float(success.mean())


def linear(step: int, steps: float, start: float, end: float) -> float:
    """Fall (or rise) from `start` at 0 straight to `end` at `steps`, and stay there."""
    return end if step >= steps else start + (end - start) * step / steps


def train(settings: Settings) -> QNetwork:
    """Play a rollout, learn from it, and so on: on-policy control, [SB] section 10.1."""
    c, total = settings, settings.total_steps
    torch.manual_seed(c.seed)
    torch.set_num_threads(1)  # the network is too small for more to pay
    env = make_env(c, c.num_envs)
    sizes = (spaces.flatdim(env.single_observation_space), spaces.flatdim(env.single_action_space))
    network = QNetwork(*sizes, c.hidden_size)
    optimizer = torch.optim.Adam(network.parameters(), lr=c.learning_rate, eps=1e-5)
    obs, _ = env.reset(seed=c.seed)
    o_0, nobody = torch.tensor(obs, dtype=torch.float32), torch.zeros(len(obs), dtype=torch.bool)
    lanes = Lanes(o_0, choose(network, o_0, c.epsilon_start), nobody)
    step, reports, begin = 0, 0, time.perf_counter()
    while step < total:
        epsilon = linear(step, c.epsilon_share * total, c.epsilon_start, c.epsilon_end)
        optimizer.param_groups[0]["lr"] = linear(
            step, total, c.learning_rate, c.final_learning_rate
        )
        rollout, lanes = play(env, network, lanes, c.rollout_steps, epsilon)
        learn(network, optimizer, rollout, epsilon, c)
        step += int(rollout.valid.sum())
        if 10 * step >= (reports + 1) * total:
            reports = 10 * step // total
            mean, success = evaluate(network, c, c.evaluation_episodes)
            print(
                f"{step:>9,} steps, {time.perf_counter() - begin:3.0f} s: greedy episodes have "
                f"return {mean:6.3f}, success {success:6.1%}"
            )
    env.close()
    return network


if __name__ == "__main__":
    train(tyro.cli(Settings, description=__doc__.splitlines()[0]))
