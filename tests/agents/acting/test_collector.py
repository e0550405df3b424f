"""One env in three autoreset modes gives one and the same data to learn from, lane by lane."""

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from sidestep.agents.acting.batch import Inputs
from sidestep.agents.acting.collector import Collector
from sidestep.agents.algorithms.reinforce import Reinforce, ReinforceConfig

from ..toys import LANES, MODES, Counting, Native, Rows, is_cut, length_of, rows_of, synchronous

T = 23


@cache
def expected_rows(lane: int, episodes: int, scale: float, masks: bool = True) -> Rows:
    """What lane `lane` must learn from, played by hand with the single env."""
    env, policy, rows = Native(AutoresetMode.DISABLED, LANES, masks).envs[lane], Counting(scale), []
    for _ in range(episodes):
        obs, info = env.reset(seed=None if rows else 1)
        state, begun, action, reward = policy.initial_state(1), True, 0, 0.0
        for _ in range(length_of(lane, env.episode)):
            inputs = one_tick(obs, begun, action, reward * scale, info)
            chosen, state = policy.act(inputs, state, False)
            row = {"obs": obs.tolist(), "reset": begun, "last_action": None if begun else action}
            row |= {"last_reward": None if begun else reward * scale, "action": int(chosen[0])}
            row["mask"] = info["action_mask"].tolist() if masks else None
            action = int(chosen[0])
            obs, reward, terminated, truncated, info = env.step(action)
            last = one_tick(obs, False, action, reward * scale, info)
            value = float(policy.peek(last, state)) if truncated else 0.0
            row |= {"reward": reward * scale, "terminated": terminated, "truncated": truncated}
            rows.append({**row, "final_value": value})
            begun = False
    return rows


def one_tick(obs: Any, begun: bool, action: int, reward: float, info: dict[str, Any]) -> Any:
    mask = torch.from_numpy(info["action_mask"])[None] if "action_mask" in info else None
    return Inputs(
        torch.from_numpy(obs)[None],
        torch.tensor([begun]),
        torch.tensor([action]),
        torch.tensor([reward]),
        mask,
    )


def collector(make: Any, mode: AutoresetMode, scale: float = 0.5, masks: bool = True) -> Collector:
    policy = Counting(scale)
    result = Collector(make(mode, LANES, masks), policy, peek=policy.peek)
    result.begin(0)
    return result


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("make", [Native, synchronous])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_data_of_playing_by_hand(mode: Any, make: Any, masks: bool) -> None:
    rollout = collector(make, mode, 0.5, masks).rollout(T)
    for lane in range(LANES):
        rows = rows_of(rollout, lane)
        assert len(rows) >= T - 9
        assert rows == expected_rows(lane, 12, 0.5, masks)[: len(rows)]


@pytest.mark.parametrize("make", [Native, synchronous])
@pytest.mark.parametrize("mode", MODES)
def test_rollouts_join_without_a_seam(mode: Any, make: Any) -> None:
    played = collector(make, mode)
    parts = [played.rollout(steps) for steps in (1, 4, 2, 7, 1, 1, 7)]
    for before, after in pairwise(parts):
        assert before.action[-1].tolist() == after.action[0].tolist()  # SARSA's a' is executed
        assert before.inputs.obs[-1].tolist() == after.inputs.obs[0].tolist()
        assert before.inputs.reset[-1].tolist() == after.inputs.reset[0].tolist()
    for lane in range(LANES):
        rows = [row for part in parts for row in rows_of(part, lane)]
        assert rows == expected_rows(lane, 12, 0.5)[: len(rows)]


@pytest.mark.parametrize("mode", MODES)
def test_an_env_that_writes_into_its_old_arrays_gives_the_same_data(mode: Any) -> None:
    class Reusing(Native):
        def step(self, actions: Any) -> Any:
            *arrays, info = super().step(actions)
            self.buffers = getattr(self, "buffers", arrays)
            for buffer, array in zip(self.buffers, arrays, strict=True):
                buffer[...] = array
            return (*self.buffers, info)

    rollout, want = collector(Reusing, mode).rollout(T), collector(Native, mode).rollout(T)
    for lane in range(LANES):
        assert rows_of(rollout, lane) == rows_of(want, lane)


@pytest.mark.parametrize("mode", MODES)
def test_a_policy_gradient_rollout_begins_with_the_present_policys_action(mode: Any) -> None:
    env = Native(mode, masks=False)
    config = ReinforceConfig(batch="rollout", rollout_steps=2)
    agent = Reinforce(env.single_observation_space, env.single_action_space, config)
    played = Collector(env, agent, peek=agent.peek)
    played.begin(0)
    for favourite in (2, 0, 1):
        agent.network.head.bias.data[:3] = 1e4 * torch.eye(3)[favourite]
        assert (agent.collect(played).action[0] == favourite).all()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_stored_is_what_was_executed(mode: Any) -> None:
    played = collector(Native, mode)
    rollout = played.rollout(T)
    for lane, env in enumerate(played.env.envs):  # type: ignore[attr-defined]
        stored = {
            (int(row["obs"][1]), int(row["obs"][2])): row["action"]
            for row in rows_of(rollout, lane)
        }
        assert stored == env.played


@pytest.mark.parametrize("make", [Native, synchronous])
def test_the_tick_of_a_restart_is_never_valid_and_every_other_is(make: Any) -> None:
    rollout = collector(make, AutoresetMode.NEXT_STEP).rollout(T)
    bogus = torch.zeros_like(rollout.valid)
    bogus[1:] = rollout.ended()[:-1]
    assert bogus.sum() > 10
    assert torch.equal(rollout.valid, ~bogus)
    for mode in (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED):
        assert collector(make, mode).rollout(T).valid.all()


@pytest.mark.parametrize("mode", MODES)
def test_state_begins_at_zero_and_is_the_state_before_the_first_observation(mode: Any) -> None:
    played = collector(Native, mode)
    policy = played.policy
    first, second = played.rollout(4), played.rollout(4)
    assert not first.state.any()  # type: ignore[union-attr]
    state = first.state
    for t in range(4):
        tick = type(first.inputs)._make(part[t] for part in first.inputs)
        state = policy.advance(tick, state)  # type: ignore[attr-defined]
    assert torch.equal(state, second.state)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [Native, synchronous])
@pytest.mark.parametrize("mode", MODES)
def test_whole_episodes_are_exactly_one_a_lane(mode: Any, make: Any) -> None:
    played = collector(make, mode)
    for _ in range(4):
        rollout = played.episodes()
        assert not rollout.state.any()  # type: ignore[union-attr]
        assert rollout.ended().sum(0).tolist() == [1] * LANES
        for lane in range(LANES):
            count = int(rollout.valid[:, lane].sum())
            episode = int(rollout.inputs.obs[0, lane, 1])
            assert rollout.valid[:count, lane].all()  # all of it first, then only padding
            assert count == length_of(lane, episode)
            assert bool(rollout.truncated[count - 1, lane]) == is_cut(lane, episode)
            want = [row for row in expected_rows(lane, 40, 0.5) if row["obs"][1] == episode]
            assert rows_of(rollout, lane) == want


@pytest.mark.parametrize("mode", MODES)
def test_lanes_whose_episode_is_over_are_not_acted_for(mode: Any) -> None:
    played = collector(Native, mode)
    played.policy.shown.clear()  # type: ignore[attr-defined]
    played.episodes()  # its lanes' lengths are 1, 5, 2, 3, 1: 5, 3, 2 and 1 lanes are alive
    shown = [len(inputs.reset) for inputs in played.policy.shown]  # type: ignore[attr-defined]
    assert shown == [5, 5, 3, 2, 1, 1]  # first the choice at the reset, then one after each tick


@pytest.mark.parametrize("make", [Native, synchronous])
@pytest.mark.parametrize("mode", MODES)
def test_statistics_of_finished_episodes(mode: Any, make: Any) -> None:
    played = collector(make, mode, scale=0.125)
    played.rollout(T)
    parts = played.drain()
    assert played.drain() == []
    for lane in range(LANES):
        got = []
        for part in parts:
            for i in np.flatnonzero(part.lane == lane):
                assert part.success is not None and part.collision is not None
                flags = (part.truncated[i], part.success[i], part.collision[i])
                got.append((part.returns[i], part.length[i], *map(bool, flags)))
        rows = expected_rows(lane, 12, 1.0)  # the env's own rewards, whatever the scale
        rewards = [r["reward"] for r in expected_rows(lane, 12, 0.125)]
        want, begin = [], 0
        for episode in range(12):
            end = begin + length_of(lane, episode)
            total = sum(rewards[begin:end]) / 0.125
            cut = is_cut(lane, episode)
            want.append((total, end - begin, cut, episode % 3 == 0, episode % 3 == 1))
            begin = end
        assert len(got) >= 5 and got == want[: len(got)]
        assert begin == len(rows)


@pytest.mark.parametrize("mode", MODES)
def test_statistics_of_whole_episodes_count_one_a_lane(mode: Any) -> None:
    played = collector(Native, mode)
    rollout = played.episodes()
    lanes = np.concatenate([part.lane for part in played.drain()])
    assert sorted(lanes.tolist()) == list(range(LANES))  # no second, shorter one in between
    lengths = {len(rows_of(rollout, lane)) for lane in range(LANES)}
    assert len(lengths) > 1


def test_terminated_wins_over_truncated() -> None:
    class Both(Native):
        def step(self, actions: Any) -> Any:
            obs, reward, terminated, truncated, info = super().step(actions)
            return obs, reward, terminated, truncated | terminated, info

    played = Collector(Both(AutoresetMode.SAME_STEP), Counting(), peek=Counting().peek)
    played.begin(0)
    rollout = played.rollout(T)
    assert not (rollout.terminated & rollout.truncated).any()
    assert (rollout.final_value[rollout.terminated] == 0).all()


def test_masks_of_some_ticks_only_leave_the_others_free() -> None:
    class Sometimes(Native):
        def step(self, actions: Any) -> Any:
            *rest, info = super().step(actions)
            self.count = getattr(self, "count", 0) + 1
            return (*rest, info if self.count % 2 else {})

    env = Sometimes(AutoresetMode.NEXT_STEP)
    for single in env.envs:
        single.strict = False  # where no mask was shown anything may be played
    played = Collector(env, Counting())
    played.begin(0)
    mask = played.rollout(4).inputs.mask
    assert mask is not None
    assert mask.sum(-1)[:, 1].tolist() == [2, 2, 3, 2, 3]


def test_a_mask_of_another_shape_or_an_unknown_mode_is_refused() -> None:
    class Wrong(Native):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            obs, _ = super().reset(seed=seed, options=options)
            return obs, {"action_mask": np.ones((LANES, 4), dtype=np.bool_)}

    played = Collector(Wrong(AutoresetMode.NEXT_STEP), Counting())
    with pytest.raises(ValueError, match=r"action_mask: expected shape \(5, 3\), got \(5, 4\)"):
        played.begin(0)
    env = Native(AutoresetMode.NEXT_STEP)
    env.metadata = {}  # type: ignore[misc]
    with pytest.raises(ValueError, match=r"expected metadata\['autoreset_mode'\]"):
        Collector(env, Counting())
