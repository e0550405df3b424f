"""Lanes in shards, and shards in several processes: the same to the last bit in however many."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sidestep.agents import EnvConfig, NetworkConfig, TrainingConfig, evaluate, make_vector
from sidestep.agents.acting.batch import Rollout, select_lanes
from sidestep.agents.acting.normalization import PartMoments, RunningMoments
from sidestep.agents.algorithms.ranks import Ranks, shares
from sidestep.agents.algorithms.registry import LEARNERS
from sidestep.agents.training import Trainer

from .ranked import LANES, SHARDS, TRAININGS, alone, digest_of, together, trainer_of

FEW = ["sarsa", "sarsa bouts", "rollouts gru", "leave-one-out"]


def test_shares_are_even_and_leave_out_nobody() -> None:
    assert shares(13, 4) == [(0, 3), (3, 3), (6, 3), (9, 4)]
    assert shares(2, 3) == [(0, 0), (0, 1), (1, 1)]
    for size, expected in (
        (1, [range(4)]),
        (2, [range(2), range(2, 4)]),
        (3, [range(1), range(1, 2), range(2, 4)]),
    ):
        assert [Ranks(4, 9, rank, size).own for rank in range(size)] == expected


def test_wrong_numbers_of_shards_are_refused() -> None:
    with pytest.raises(
        ValueError, match="shards: expected at least as many as processes, 3, got 2"
    ):
        Ranks(2, 8, 0, 3)
    with pytest.raises(ValueError, match="num_envs: expected at least one lane for each of 4"):
        Ranks(4, 3)
    agent = trainer_of("sarsa", Ranks(SHARDS, LANES)).agent
    envs = [make_vector(EnvConfig(), 3)] * 4
    with pytest.raises(ValueError, match=r"expected one a shard, of \[3, 3, 3, 4\] lanes, got \[3"):
        Trainer(agent, envs, TrainingConfig(num_envs=LANES), ranks=Ranks(SHARDS, LANES))


def test_a_learner_that_takes_one_rollout_says_so() -> None:
    trainer = trainer_of("sarsa", Ranks(SHARDS, LANES))

    class Plain(type(trainer.agent)):  # type: ignore[misc]
        def update(self, rollout: Rollout) -> Any:
            return super().update(rollout)

    agent: Any = Plain(
        trainer.agent.observation_space, trainer.agent.action_space, trainer.agent.config
    )
    with pytest.raises(ValueError, match="shards: expected 1 for deep-sarsa, whose update takes"):
        Trainer(agent, trainer.shards.envs, trainer.config, ranks=Ranks(SHARDS, LANES))


@pytest.mark.parametrize("name", ["sarsa", "episodes"])
def test_env_steps_are_those_of_the_rollouts_whether_the_learner_tells_or_not(name: str) -> None:
    trainer = trainer_of(name, Ranks(SHARDS, LANES))
    rollouts: Any = trainer.shards.collect()
    played = sum(int(rollout.valid.sum()) for rollout in rollouts)
    assert trainer.agent.learned is None and trainer.shards.steps(rollouts) == played
    trainer.agent.update(*rollouts)
    assert trainer.agent.learned == trainer.shards.steps(rollouts) == played > LANES


def test_evaluation_goes_by_the_lanes_that_there_are() -> None:
    """Shards may have other lanes for it than for training, or none."""
    parted = trainer_of("sarsa", Ranks(SHARDS, LANES))
    whole = trainer_of("sarsa", Ranks(1, LANES))
    counts, world = (1, 0, 3, 2), TRAININGS["sarsa"][1]
    envs = [make_vector(world, count) if count else None for count in counts]
    got = parted._evaluate_shards(envs, 17, 5, False)
    expected = evaluate(whole.agent, make_vector(world, 6), 17, 5)
    assert got.returns.tolist() == expected.returns.tolist()
    assert got.lengths.tolist() == expected.lengths.tolist()


@pytest.mark.parametrize("name", TRAININGS)
def test_shards_come_to_the_step_of_the_whole_batch(name: str) -> None:
    """One update of one batch: undivided, and by lanes in two shards; they differ by rounding."""
    learner, world, options = TRAININGS[name]
    row = LEARNERS[learner]
    told: dict[str, Any] = {"network": NetworkConfig((11,)), "rollout_steps": 7, **options}
    config = row.config(**{**told, **({"minibatches": 1} if learner == "deep-sarsa" else {})})
    env = make_vector(world, 5)
    agents = [
        row.agent(env.single_observation_space, env.single_action_space, config, 3)
        for _ in range(2)
    ]
    trainer = Trainer(agents[0], env, TrainingConfig(num_envs=5))
    (rollout,) = trainer.shards.collect()
    rollout = rollout._replace(reward=torch.randn(rollout.reward.shape, generator=_seeded()))
    if rollout.valid.all():  # so that shards and ticks weigh differently
        rollout = rollout._replace(valid=torch.rand(rollout.valid.shape, generator=_seeded()) < 0.7)
    parts = [select_lanes(rollout, torch.arange(a, b)) for a, b in ((0, 2), (2, 5))]
    agents[1].ranks = Ranks(2, 5)
    for agent, given in zip(agents, ([rollout], parts), strict=True):
        agent.steps = 1000
        metrics = [agent.update(*given) for _ in range(2)]  # type: ignore[call-arg]
        agent.told = metrics  # type: ignore[attr-defined]
    assert torch.allclose(agents[0].flat, agents[1].flat, rtol=1e-3, atol=2e-5)
    assert not torch.equal(agents[0].flat.grad, torch.zeros_like(agents[0].flat))  # type: ignore[arg-type]
    for whole, summed in zip(agents[0].told, agents[1].told, strict=True):  # type: ignore[attr-defined]
        assert whole == pytest.approx(summed, rel=2e-3, abs=1e-4, nan_ok=True)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_parts_of_moments_meet_by_hand() -> None:
    agreed = RunningMoments(())
    agreed.add(torch.tensor([1.0, 3.0]))
    parts = [PartMoments(agreed) for _ in range(2)]
    parts[0].add(torch.tensor([5.0]))
    parts[1].add(torch.tensor([7.0, 9.0, 11.0]))
    assert float(parts[0].mean) == 3.0 and float(parts[0].count) == 3.0  # by itself till they meet
    assert float(agreed.mean) == 2.0
    whole = Ranks(2, 2).merged([part.since for part in parts])
    agreed.merge(whole)
    everything = np.array([1, 3, 5, 7, 9, 11.0])
    assert float(agreed.count) == 6 and float(agreed.mean) == pytest.approx(everything.mean())
    assert float(agreed.deviation()) == pytest.approx(everything.std())
    agreed.merge(RunningMoments(()))  # nothing
    assert float(agreed.mean) == pytest.approx(everything.mean())


def test_what_shards_have_seen_is_known_to_all_after_a_rollout() -> None:
    trainer = trainer_of("sarsa normal", Ranks(SHARDS, LANES))
    trainer._update()
    agent, seats = trainer.agent, trainer.shards.seats
    assert float(agent.encoder.moments.count) == LANES * 4  # the first observations, and 3 ticks
    for seat in seats:
        assert torch.equal(seat.encoder.moments.mean, agent.encoder.moments.mean)
        assert float(seat.reward_moments.square) == float(agent.reward_moments.square)
    rewards = [x for c in trainer.shards.collectors if c.rewards for x in c.rewards.running]
    assert len(rewards) == LANES and float(agent.reward_moments.count) == LANES * 3


def test_the_largest_byte_of_any_shard_is_every_shard_s() -> None:
    trainer = trainer_of("sarsa", Ranks(SHARDS, LANES))
    trainer.agent.encoder.largest = torch.zeros(2)
    for number, seat in enumerate(trainer.shards.seats):
        seat.encoder.largest = torch.tensor([number, 9.0 - number])
    trainer.shards._agree()
    for encoder in (trainer.agent.encoder, *(seat.encoder for seat in trainer.shards.seats)):
        assert encoder.largest.tolist() == [3.0, 9.0]


def test_the_first_ends_of_all_shards_decide_on_bouts() -> None:
    trainer = trainer_of("sarsa bouts", Ranks(SHARDS, LANES))
    for _ in range(7):  # 21 ticks, and the limit is 20
        trainer._update()
    assert trainer.agent.first_ends == (LANES, LANES)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["sarsa", "rollouts"])
def test_lanes_play_in_shards_what_they_play_undivided(name: str) -> None:
    """A lane's world and its random numbers depend on its number over all shards."""
    parted = trainer_of(name, Ranks(SHARDS, LANES))
    whole = trainer_of(name, Ranks(1, LANES))
    for trainer in (parted, whole):  # so that rounding cannot change what is drawn
        trainer.agent.flat.data.zero_()
    got, (expected,) = parted.shards.collect(), whole.shards.collect()
    for part in ("action", "reward", "terminated"):
        joined = torch.cat([getattr(rollout, part) for rollout in got], 1)
        assert torch.equal(joined, getattr(expected, part))
    assert len(expected.action.unique()) == 5
    shown = torch.cat([rollout.inputs.obs for rollout in got], 1)
    assert torch.equal(shown, expected.inputs.obs)


def check_same(expected: dict[str, Any], updates: int, processes: int, folder: Path) -> None:
    got = together(list(expected), updates, processes, folder)
    for name in expected:
        assert got[name] == expected[name], name
        assert got[name]["updates"] == updates


@pytest.mark.slow
def test_two_processes_are_one_to_the_last_bit(tmp_path: Path) -> None:
    check_same(alone(FEW, 12), 12, 2, tmp_path)


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    return alone(list(TRAININGS), 50)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_every_training_is_the_same_in_several_processes(
    processes: int, everything: dict[str, Any], tmp_path: Path
) -> None:
    check_same(everything, 50, processes, tmp_path)


@pytest.mark.slow
def test_processes_may_have_unequally_many_shards(tmp_path: Path) -> None:
    check_same(alone(FEW, 12), 12, 3, tmp_path)


@pytest.mark.slow
def test_what_two_processes_saved_goes_on_in_one_and_the_other_way_round(tmp_path: Path) -> None:
    names = [
        "sarsa gru",
        "sarsa world bouts",
        "rollouts gru",
        "episodes",
    ]  # of worlds whose state can be restored
    expected = alone(names, 12)
    together(names, 5, 2, tmp_path, tmp_path / "first")
    got = alone(names, 7, tmp_path / "first")
    alone(names, 5, tmp_path / "second")
    got_too = together(names, 7, 2, tmp_path, tmp_path / "second")
    for name in names:
        for result in (got, got_too):
            assert result[name]["digest"] == expected[name]["digest"]
            assert result[name]["steps"] == expected[name]["steps"]


def test_other_shards_are_another_run() -> None:
    digests = set()
    for shards in (1, 2):
        trainer = trainer_of("sarsa", Ranks(shards, LANES), steps=200)
        trainer.run()
        digests.add(digest_of(trainer))
    assert len(digests) == 2
