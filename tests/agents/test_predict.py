"""`predict` with masks, starts and observations of every form, and sb3-contrib's own evaluation."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

from sidestep.agents import (
    REINFORCE,
    DeepSARSA,
    DeepSarsa,
    DeepSarsaConfig,
    NetworkConfig,
    ReinforceConfig,
)
from sidestep.agents.player import Player

from .toys import LANES, MODES, Scripted, forbidden, synchronous

A = 3
MASKS = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.bool_)


def make_model(kind: Any = DeepSARSA, memory: str = "gru") -> Any:
    network = NetworkConfig((7,), memory, 5, last_action=True)
    config = ReinforceConfig if kind is REINFORCE else DeepSarsaConfig
    return kind(synchronous(MODES[0]), config(network=network), seed=2)


def observations(count: int = LANES, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("kind", [DeepSARSA, REINFORCE])
@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, np.int8, np.float64, torch.tensor])
def test_masked_actions_are_never_played(kind: Any, form: Any, deterministic: bool) -> None:
    model, played = make_model(kind), []
    for seed in range(60):
        actions, _ = model.predict(
            observations(seed=seed), deterministic=deterministic, action_masks=form(MASKS)
        )
        played += list(zip(range(LANES), actions.tolist(), strict=True))
    allowed = {(int(lane), int(action)) for lane, action in np.argwhere(MASKS)}
    assert set(played) <= allowed
    assert set(played) == allowed or deterministic


def test_the_best_allowed_action_is_played_and_all_where_none_is() -> None:
    model = make_model(memory="none")
    with torch.no_grad():
        model.agent.network.head.weight.zero_()
        model.agent.network.head.bias.copy_(torch.tensor([1.0, 3.0, 2.0]))
    obs = observations()
    free, _ = model.predict(obs, deterministic=True)
    assert free.tolist() == [1] * LANES
    masks = [[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1]]
    actions, _ = model.predict(obs, deterministic=True, action_masks=masks)
    assert actions.tolist() == [1, 2, 0, 1, 2]


def test_a_mask_of_one_observation() -> None:
    model = make_model()
    for masks in ([0, 0, 1], [[0, 0, 1]], np.array([False, False, True]), (False, False, True)):
        action, _ = model.predict(observations()[0], action_masks=masks)
        assert np.ndim(action) == 0 and int(action) == 2
        actions, _ = model.predict(observations(1), action_masks=masks)
        assert actions.tolist() == [2]


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        (MASKS[:, :2], r"action_mask: expected shape \(5, 3\), got \(5, 2\)"),
        (MASKS[:4], r"action_mask: expected shape \(5, 3\), got \(4, 3\)"),
        (MASKS[0], r"action_mask: expected shape \(5, 3\), got \(3,\)"),
        (MASKS[:4].tolist(), "action_mask: expected an entry for each of 5 lanes, got 4"),
        (MASKS * 2, "action_mask: expected entries 0 and 1, got"),
        (True, "action_mask: expected an entry for each of 5 lanes, got one for all"),
    ],
)
def test_other_masks_are_refused(masks: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_model().predict(observations(), action_masks=masks)
    with pytest.raises(ValueError, match="action_mask: expected"):
        make_model().predict(observations()[0], action_masks=[True, False])


def test_a_scalar_episode_start_counts_for_all() -> None:
    model = make_model()
    _, state = model.predict(observations())
    a, b = observations(seed=1), np.full(LANES, True)
    for start, same in ((True, b), (False, ~b), (np.bool_(True), b), (np.array(False), ~b)):
        _, (got, _) = model.predict(a, state, start, deterministic=True)
        _, (want, _) = model.predict(a, state, same, deterministic=True)
        assert torch.equal(got, want)
    _, (kept, _) = model.predict(a, state, False)
    _, (cleared, _) = model.predict(a, state, [True] * LANES)
    assert (kept - cleared).abs().max() > 1e-3
    _, alone = model.predict(a[0])
    action, _ = model.predict(a[1], alone, True)
    assert np.ndim(action) == 0


def test_without_a_state_every_episode_starts() -> None:
    model = make_model()
    a = observations()
    _, (want, _) = model.predict(a, deterministic=True)
    for start in (False, np.zeros(LANES, np.bool_), True):
        _, (got, _) = model.predict(a, None, start, deterministic=True)
        assert torch.equal(got, want)


def test_starts_and_states_of_other_lanes_are_refused() -> None:
    model = make_model()
    _, state = model.predict(observations())
    with pytest.raises(ValueError, match=r"episode_start: expected shape \(5,\), got \(4,\)"):
        model.predict(observations(), state, np.zeros(4, np.bool_))
    with pytest.raises(ValueError, match=r"episode_start: expected shape \(5,\), got \(1,\)"):
        model.predict(observations(), state, np.zeros(1, np.bool_))
    with pytest.raises(ValueError, match="state: expected one of 2 observations, got 5"):
        model.predict(observations(2), state)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_observations_that_are_not_finite_are_named(wrong: float) -> None:
    model, obs = make_model(), observations()
    obs[3, 1] = wrong
    words = f"observation of lane 3: expected finite numbers, got {wrong} in entry 1"
    with pytest.raises(ValueError, match=words):
        model.predict(obs)
    with pytest.raises(ValueError, match=f"observation of lane 0: .*, got {wrong} in entry 1"):
        model.predict(obs[3])
    with pytest.raises(ValueError, match=f"observation of lane 0: .*, got {wrong} in entry 1"):
        Player(model.agent).act(obs[3], True)


def test_a_player_takes_masks_as_lists_and_refuses_others() -> None:
    agent = DeepSarsa(Scripted.observation_space, spaces.Discrete(A), DeepSarsaConfig())
    player, obs = Player(agent, greedy=False), observations()[0]
    for _ in range(20):
        assert player.act(obs, False, info={"action_mask": [0, 1, 0]}) == 1
    seen = {player.act(obs, False, info={"action_mask": [False] * A}) for _ in range(60)}
    assert (
        seen == {0, 1, 2} == {player.act(obs, False, info={"action_mask": None}) for _ in range(60)}
    )
    with pytest.raises(ValueError, match=r"action_mask: expected shape \(3,\), got \(2,\)"):
        player.act(obs, False, info={"action_mask": [True, False]})


class Masking(Scripted):
    """Says what is allowed as sb3-contrib asks for it, and refuses anything else."""

    def __init__(self) -> None:
        super().__init__(0)

    def action_masks(self) -> Any:
        return np.arange(A) != forbidden(self.lane, self.episode, self.tick)


@pytest.mark.parametrize("kind", [DeepSARSA, REINFORCE])
def test_sb3_contrib_evaluates_our_agents_with_masks(kind: Any) -> None:
    pytest.importorskip("stable_baselines3")
    evaluation = pytest.importorskip("sb3_contrib.common.maskable.evaluation")
    model = make_model(kind, memory="none").learn(200)
    returns, lengths = evaluation.evaluate_policy(
        model, gym.wrappers.TimeLimit(Masking(), 50), n_eval_episodes=7, warn=False,
        return_episode_rewards=True,
    )  # fmt: skip
    assert lengths == [3, 1, 5, 2, 3, 1, 5] and len(returns) == 7


def test_masks_given_as_lists_train() -> None:
    class Listing(Scripted):
        def _info(self) -> dict[str, Any]:
            return {"action_mask": super()._info()["action_mask"].tolist()}

    for kind in (DeepSARSA, REINFORCE):
        for mode in MODES:
            env = SyncVectorEnv([lambda k=k: Listing(k) for k in range(4)], autoreset_mode=mode)
            assert kind(env).learn(150).num_timesteps >= 150


@pytest.mark.parametrize("memory", ["none", "rnn", "lstm", "gru", "attention"])
@pytest.mark.parametrize("kind", [DeepSARSA, REINFORCE])
def test_what_is_done_to_actions_leaves_the_state_alone(kind: Any, memory: str) -> None:
    """The last action is an input: envs that want other numbers may write into the array."""
    model = make_model(kind, memory)
    state: Any = None
    for seed in range(3):
        actions, state = model.predict(observations(seed=seed), state, deterministic=True)
        kept, want = state[1].copy(), actions.copy()
        actions += 1
        assert np.array_equal(state[1], kept) and np.array_equal(kept, want)
