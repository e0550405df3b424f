"""REINFORCE with a GRU in one file: the policy gradient of whole episodes, through their memory.

    python docs/one_file/reinforce_gru.py --seed 1

The loop is `train`, at the end. This is what `sidestep train reinforce --memory gru` does, less
masks, pictures, checkpoints and windows; a test holds that both take the same first step.

Legend. T ticks of the longest episode, B episodes (one in each lane, a copy of the env), D
features, H numbers of memory, A actions; time comes first. In o_t the action a_t is drawn from
pi(. | o_0 .. o_t), and brings r_{t+1} and o_{t+1}; G_t is the return from t on, v_t the baseline.
An update plays one episode in every lane, from a reset of them all, until the last one is over.
Lanes that are through restart by themselves (Gymnasium's NEXT_STEP: the step that ends an episode
shows its last observation); what they play then is padding, and `valid` is False there. So no
memory, action or episode is carried from one update to the next.

Sources.
[SB]    Sutton & Barto (2018), Reinforcement Learning: An Introduction, second edition.
[W]     Williams (1992), Simple statistical gradient-following algorithms for connectionist
        reinforcement learning.
[GRU]   Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, 1406.1078.
[RPG]   Wierstra, Foerster, Peters & Schmidhuber (2010), Recurrent policy gradients.
[A3C]   Mnih et al. (2016), Asynchronous methods for deep reinforcement learning, 1602.01783.
[Pardo] Pardo et al. (2018), Time limits in reinforcement learning, 1712.00378.
Besides: Pascanu et al. (2013), On the difficulty of training recurrent neural networks (clipping);
Kingma & Ba (2015), Adam.
"""

import math
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import tyro
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import sidestep.envs  # noqa: F401  registers the worlds

EVALUATION_SEED = 2**30  # lane i gets seed + i: evaluation plays no world of training


@dataclass(frozen=True)
class Settings:
    """The defaults cross the default world within a minute."""

    env: str = "sidestep/MovingObstacles-v0"  # any id with vectors and discrete actions
    max_episode_steps: int = 100  # time limit of an episode, in ticks
    seed: int = 0  # of the parameters, the exploration and the worlds
    total_steps: int = 1_000_000  # env ticks to learn from, over all lanes
    num_envs: int = 128  # B, the episodes of an update
    hidden_size: int = 64  # of the layer before the memory
    memory_size: int = 64  # H, of the GRU's state
    discount: float = 0.99  # gamma
    learning_rate: float = 3e-3  # Adam's step size in the beginning
    final_learning_rate: float = 3e-4  # and in the end, reached linearly
    max_gradient_norm: float = 1.0  # gradients are scaled down to this norm
    entropy_start: float = 0.1  # weight of the entropy bonus in the beginning
    entropy_end: float = 0.005  # and from `entropy_share` on
    entropy_share: float = 0.5  # share of total_steps over which it falls, linearly
    value_coefficient: float = 0.5  # weight of the baseline's error
    evaluation_episodes: int = 1000  # greedy ones, after each tenth of total_steps

    def __post_init__(self) -> None:
        """Check the counts and the shares."""
        for name, value in vars(self).items():
            least = 0 if isinstance(value, float) or name == "seed" else 1
            most = 1 if isinstance(value, float) and name != "max_gradient_norm" else math.inf
            if not isinstance(value, str) and not least <= value <= most:
                raise ValueError(f"{name}: expected a number from {least} to {most}, got {value}")


class PolicyNetwork(nn.Module):
    """Encoder, GRU, and a head of A logits and the baseline's value."""

    def __init__(self, features: int, actions: int, hidden: int, memory: int) -> None:
        """Make the layers; the head is small, so that the first policy is nearly uniform."""
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(features, hidden), nn.LayerNorm(hidden), nn.ReLU())
        self.memory = nn.GRU(hidden, memory)  # [GRU]
        self.head = nn.Linear(memory, actions + 1)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.weight.mul_(0.01)

    def step(self, obs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read one tick: (B, D) and h (1, B, H) to logits (B, A) and the next h."""
        y, state = self.memory(self.encoder(obs).unsqueeze(0), state)
        return self.head(y[0])[:, :-1], state

    def forward(self, obs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read whole episodes, whose memory is clear when they begin.

        Args:
            obs: (T, B, D).
            lengths: (B,) how many of the observations of each are read; the rest is padding.

        Returns:
            Logits (T, B, A) and values (T, B).
        """
        packed = pack_padded_sequence(self.encoder(obs), lengths, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.memory(packed)[0], total_length=len(obs))  # (T, B, H)
        output = self.head(y)  # (T, B, A + 1)
        return output[..., :-1], output[..., -1]


class Episodes(NamedTuple):
    """One whole episode of every lane, played with fixed parameters."""

    obs: Tensor  # (T+1, B, D) o_0 .. o_T
    action: Tensor  # (T, B) a_0 .. a_{T-1}
    reward: Tensor  # (T, B) r_1 .. r_T
    terminated: Tensor  # (T, B) bool, the task ended with this tick: nothing follows
    truncated: Tensor  # (T, B) bool, the time limit cut here: something would have followed
    valid: Tensor  # (T, B) bool, False once the lane's episode is over


@torch.no_grad()
def play(env: VectorEnv[Any, Any, Any], network: PolicyNetwork) -> Episodes:
    """Play an episode of every lane, with actions drawn from the policy."""
    obs, _ = env.reset()  # the lanes' random streams go on
    o_t = torch.tensor(obs, dtype=torch.float32)  # copied: envs may reuse their arrays
    state = torch.zeros(1, env.num_envs, network.memory.hidden_size)
    alive = torch.ones(env.num_envs, dtype=torch.bool)
    observations, ticks = [o_t], []
    while alive.any():
        logits, state = network.step(o_t, state)
        action = torch.multinomial(logits.softmax(-1), 1).squeeze(-1)  # (B,)
        obs, reward, over, cut, _ = env.step(action.numpy())
        r_tp1 = torch.where(alive, torch.tensor(reward, dtype=torch.float32), 0.0)
        terminated = torch.tensor(over) & alive
        truncated = torch.tensor(cut & ~over) & alive  # the task's end counts, if both say so
        ticks.append((action, r_tp1, terminated, truncated, alive))
        alive = alive & ~(terminated | truncated)
        o_t = torch.tensor(obs, dtype=torch.float32)
        observations.append(o_t)
    return Episodes(torch.stack(observations), *map(torch.stack, zip(*ticks, strict=True)))


@torch.no_grad()
def returns_of(episodes: Episodes, value: Tensor, discount: float) -> Tensor:
    """Compute G_t (T, B); where the time limit cut an episode, `value` (T+1, B) goes on."""
    returns = torch.empty_like(episodes.reward)
    g = torch.zeros_like(value[0])
    for t in reversed(range(len(returns))):
        # the time limit is no part of the task: the last observation's value goes on [Pardo]
        future = torch.where(episodes.truncated[t], value[t + 1], g)
        # nothing follows the task's end, G_T = 0: [SB] section 3.3
        future = future.masked_fill(episodes.terminated[t], 0.0)
        g = episodes.reward[t] + discount * future  # [SB] eq. 3.9
        returns[t] = g
    return returns


def loss_of(
    network: PolicyNetwork, episodes: Episodes, entropy_coefficient: float, settings: Settings
) -> Tensor:
    """Average the episodes' losses, each a sum over its ticks.

    So is the gradient of the expected return; a mean over ticks would weigh batches by length.
    """
    valid = episodes.valid
    # one more than was played: the value of a last observation is needed where time ran out
    logits, value = network(episodes.obs, valid.sum(0) + 1)  # (T+1, B, A), (T+1, B)
    log_pi, value_t = logits[:-1].log_softmax(-1), value[:-1]  # (T, B, A), (T, B)
    returns = returns_of(episodes, value.detach(), settings.discount)  # (T, B)
    # The gradient of -log pi(a_t) (G_t - v_t): REINFORCE, [W] section 5, [SB] eq. 13.8, with a
    # baseline, which leaves its expectation as it is, [SB] eq. 13.11. The factor gamma^t of both
    # is left out, as nearly everywhere. It goes back through all of the episode's memory: [RPG].
    advantage = returns - value_t.detach()
    chosen = log_pi.gather(-1, episodes.action.unsqueeze(-1)).squeeze(-1)  # (T, B)
    surrogate = -(chosen * advantage * valid).sum()
    # the entropy of pi keeps it from deciding too early: [A3C] section 4
    entropy = -((log_pi.exp() * log_pi).sum(-1) * valid).sum()
    # the baseline is drawn to the return: gradient Monte Carlo, [SB] section 9.3, eq. 9.7
    error = 0.5 * ((value_t - returns).square() * valid).sum()
    loss: Tensor = surrogate - entropy_coefficient * entropy + settings.value_coefficient * error
    return loss / valid.shape[1]


def learn(
    network: PolicyNetwork,
    optimizer: torch.optim.Optimizer,
    episodes: Episodes,
    entropy_coefficient: float,
    settings: Settings,
) -> None:
    """Take one step up the policy gradient."""
    loss = loss_of(network, episodes, entropy_coefficient, settings)
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
def evaluate(network: PolicyNetwork, settings: Settings, episodes: int) -> tuple[float, float]:
    """Play greedy episodes, one a lane: mean return, and share of successes (nan if not told)."""
    env = make_env(settings, episodes)
    obs, _ = env.reset(seed=EVALUATION_SEED + settings.seed)
    state = torch.zeros(1, episodes, settings.memory_size)
    alive, total = np.ones(episodes, dtype=np.bool_), np.zeros(episodes)
    success = np.full(episodes, np.nan)
    while alive.any():  # lanes that are through go on with next episodes, which count for nothing
        logits, state = network.step(torch.tensor(obs, dtype=torch.float32), state)
        obs, reward, terminated, truncated, info = env.step(logits.argmax(-1).numpy())
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


def train(settings: Settings) -> PolicyNetwork:
    """Play an episode of every lane, learn from them, and so on: [SB] section 13.3."""
    c, total = settings, settings.total_steps
    torch.manual_seed(c.seed)
    torch.set_num_threads(1)  # the network is too small for more to pay
    env = make_env(c, c.num_envs)
    sizes = (spaces.flatdim(env.single_observation_space), spaces.flatdim(env.single_action_space))
    network = PolicyNetwork(*sizes, c.hidden_size, c.memory_size)
    optimizer = torch.optim.Adam(network.parameters(), lr=c.learning_rate, eps=1e-5)
    env.reset(seed=c.seed)
    step, reports, begin = 0, 0, time.perf_counter()
    while step < total:
        entropy_coefficient = linear(step, c.entropy_share * total, c.entropy_start, c.entropy_end)
        optimizer.param_groups[0]["lr"] = linear(
            step, total, c.learning_rate, c.final_learning_rate
        )
        episodes = play(env, network)
        learn(network, optimizer, episodes, entropy_coefficient, c)
        step += int(episodes.valid.sum())
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
