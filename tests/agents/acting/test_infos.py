"""Success, hits and masks count the same in whatever form an env tells them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from sidestep.agents import DeepSarsa, DeepSarsaConfig, Trainer, TrainingConfig, evaluate
from sidestep.agents.acting.batch import Episodes
from sidestep.agents.acting.collector import Collector
from sidestep.agents.acting.episodes import Recent
from sidestep.agents.acting.infos import as_columns, final_facts, read_flags, read_mask

from ..toys import LANES, MODES, Counting, Native, Scripted

FORMS: dict[str, Callable[[bool], Any]] = {
    "numpy bool": np.bool_,
    "int": int,
    "float": float,
    "float32": np.float32,
    "array of one": lambda told: np.array([told]),
    "array of one number": lambda told: np.array([float(told)]),
    "array without axes": np.array,
    "list of one": lambda told: [told],
    "array of one object": lambda told: np.array([np.bool_(told)], dtype=object),
    "tensor": torch.tensor,
    "None for no": lambda told: True if told else None,
    "NaN for no": lambda told: 1.0 if told else np.nan,
    "nothing for no": lambda told: told,
}
NAMES = ("is_success", "is_collision")


class Telling(Scripted):
    """Ends in success, a hit or neither by turns, and tells it in a form of its own."""

    def __init__(self, lane: int, form: str = "int") -> None:
        super().__init__(lane)
        self.form = form

    def step(self, action: Any) -> Any:
        *rest, info = super().step(action)
        for name in NAMES:
            if name in info:
                told = info.pop(name)
                if told or self.form != "nothing for no":
                    info[name] = FORMS[self.form](told)
        return (*rest, info)


def native(mode: AutoresetMode, form: str) -> Native:
    env = Native(mode)
    env.envs = [Telling(lane, form) for lane in range(LANES)]
    return env


def synchronous(mode: AutoresetMode, form: str) -> SyncVectorEnv:
    makers = [lambda lane=lane: Telling(lane, form) for lane in range(LANES)]
    return SyncVectorEnv(makers, autoreset_mode=mode)


def asynchronous(mode: AutoresetMode, form: str) -> AsyncVectorEnv:
    makers = [lambda lane=lane: Telling(lane, form) for lane in range(LANES)]
    return AsyncVectorEnv(makers, autoreset_mode=mode)


def check(env: Any) -> None:
    result = evaluate(Counting(), env, 34, seed=0)
    env.close()
    assert result.success is not None and result.collision is not None
    assert result.success.dtype == result.collision.dtype == np.bool_
    counts = [7, 7, 7, 7, 6]  # episodes of each lane; of every three one is a success, one a hit
    assert result.success.tolist() == [k % 3 == 0 for n in counts for k in range(n)]
    assert result.collision.tolist() == [k % 3 == 1 for n in counts for k in range(n)]
    assert result.summary()["success"][0] == 14 / 34
    assert result.summary()["collision"][0] == 10 / 34


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [native, synchronous])
@pytest.mark.parametrize("mode", MODES)
def test_success_and_hits_in_every_form(mode: AutoresetMode, make: Any, form: str) -> None:
    check(make(mode, form))


@pytest.mark.parametrize("form", ["numpy bool", "array of one", "nothing for no"])
@pytest.mark.parametrize("mode", MODES)
def test_success_and_hits_from_other_processes(mode: AutoresetMode, form: str) -> None:
    check(asynchronous(mode, form))


@pytest.mark.parametrize("mode", MODES)
def test_an_env_that_is_known_to_tell_had_no_success_where_it_tells_none(mode: Any) -> None:
    class Silent(Scripted):
        def _info(self) -> dict[str, Any]:
            return {}

        def step(self, action: Any) -> Any:
            return (*super().step(action)[:-1], {})

    def make() -> SyncVectorEnv:
        makers = [lambda lane=lane: Silent(lane, masks=False) for lane in range(3)]
        return SyncVectorEnv(makers, autoreset_mode=mode)

    assert evaluate(Counting(), make(), 5, seed=0).success is None
    known = evaluate(Counting(), make(), 5, seed=0, tells=True)
    assert known.success is not None and known.success.tolist() == [False] * 5
    told = evaluate(Counting(), synchronous(mode, "int"), 5, seed=0, tells=True)
    assert told.success is not None and told.success.all()
    trainer = Trainer(
        DeepSarsa(Silent.observation_space, Silent.action_space, DeepSarsaConfig()),
        make(),
        TrainingConfig(total_steps=1, num_envs=3, evaluation_episodes=4),
        make(),
    )
    assert "success" not in (trainer.evaluate() or {})
    one, yes = np.ones(1), np.ones(1, np.bool_)
    trainer.recent.add([Episodes(np.array([0]), one, np.array([1]), ~yes, yes, None)])
    assert (trainer.evaluate() or {})["success"][0] == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_a_training_that_was_told_of_a_success_goes_on_showing_the_share(mode: Any) -> None:
    played, recent = Collector(synchronous(mode, "nothing for no"), Counting()), Recent(size=7)
    played.begin(0)
    for _ in range(40):
        played.rollout(1)
        recent.add(played.drain())
        shares = [row[2] for row in recent.rows]
        assert recent.summary().get("success", 0.0) == np.nan_to_num(shares).mean()
    assert set(shares) == {0.0, 1.0}


def test_a_dict_for_each_lane_is_read_like_columns_of_them() -> None:
    rows = np.array([{"is_success": np.bool_(True)}, None, {"is_success": False}, {}], dtype=object)
    facts = final_facts(as_columns({"final_info": rows}), {})
    assert facts == {"is_success": [True, None, False, None]}
    lanes = np.array([0, 1, 2, 3])
    flags = read_flags(facts, "is_success", lanes, 4)
    assert flags is not None and flags.tolist() == [True, False, False, False]
    assert read_flags(facts, "is_collision", lanes, 4) is None
    columns = {"is_success": np.ones(4, np.bool_)}
    assert final_facts({"final_info": columns}, {}) is columns
    assert final_facts({"final_info": None}, columns) is final_facts({}, columns) is columns


def test_flags_of_lanes_that_did_not_tell_are_false() -> None:
    facts = {"x": np.array([True, True, True]), "_x": np.array([True, False, True])}
    for column in (facts["x"], facts["x"].astype(object), [1, 1, 1], facts["x"][:, None]):
        flags = read_flags({**facts, "x": column}, "x", np.array([1, 2]), 3)
        assert flags is not None and flags.tolist() == [False, True]
    alone = read_flags({"x": True}, "x", np.array([0]), 1)
    assert alone is not None and alone.tolist() == [True]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (np.zeros((2, 2)), r"is_success: expected one truth value a lane, got array\(\[0., 0.\]\)"),
        (["yes", "no"], "is_success: expected one truth value a lane, got 'yes'"),
        ([0.5, 1.0], "is_success: expected one truth value a lane, got 0.5"),
        ([{}, {}], "is_success: expected one truth value a lane, got {}"),
        ([True], "is_success: expected an entry for each of 2 lanes, got 1"),
        (np.zeros(3, np.bool_), "is_success: expected an entry for each of 2 lanes, got 3"),
        (True, "is_success: expected an entry for each of 2 lanes, got one for all"),
    ],
)
def test_what_is_no_truth_value_is_refused(column: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_flags({"is_success": column}, "is_success", np.array([0, 1]), 2)


MASK = [[True, False, True], [False, False, False], [False, True, True]]
WANT = [[True, False, True], [True, True, True], [False, True, True]]


def objects(rows: list[Any]) -> Any:
    column = np.full(len(rows), None, dtype=object)
    for number, row in enumerate(rows):
        column[number] = row
    return column


@pytest.mark.parametrize(
    "column",
    [
        MASK,
        [tuple(row) for row in MASK],
        np.array(MASK),
        np.array(MASK, dtype=np.int8),
        np.array(MASK, dtype=np.float64),
        np.array(MASK, dtype=object),
        objects(MASK),
        objects([MASK[0], None, MASK[2]]),
        [np.array(MASK[0], np.int8), torch.tensor(MASK[1]), MASK[2]],
        torch.tensor(MASK),
    ],
)
def test_masks_in_every_form(column: Any) -> None:
    mask = read_mask({"action_mask": column}, 3, 3)
    assert mask is not None and mask.dtype == np.bool_ and mask.tolist() == WANT
    told = {"action_mask": column, "_action_mask": np.array([True, True, False])}
    mask = read_mask(told, 3, 3)
    assert mask is not None and mask.tolist() == [*WANT[:2], [True, True, True]]
    assert read_mask({"action_mask": None}, 3, 3) is read_mask({}, 3, 3) is None


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (np.ones((3, 2)), r"expected shape \(3, 3\), got \(3, 2\)"),
        ([[1, 1]] * 3, r"expected shape \(3,\), got \(2,\)"),
        ([[1, 1, 1]] * 2, "expected an entry for each of 3 lanes, got 2"),
        ([["a", "b", "c"]] * 3, r"expected truth values of shape \(3,\), got \['a', 'b', 'c'\]"),
        ([[[1], [1, 0], 1]] * 3, r"expected truth values of shape \(3,\), got"),
        (np.full((3, 3), -np.inf), "expected entries 0 and 1, got"),
    ],
)
def test_masks_that_are_none_are_refused(column: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"action_mask: {words}"):
        read_mask({"action_mask": column}, 3, 3)


@pytest.mark.parametrize("form", [list, tuple, np.int8])
@pytest.mark.parametrize("mode", MODES)
def test_masked_actions_are_never_played_whatever_the_mask_is_made_of(mode: Any, form: Any) -> None:
    class Listing(Scripted):
        def _info(self) -> dict[str, Any]:
            return {"action_mask": form(super()._info()["action_mask"])}

    env = SyncVectorEnv([lambda k=k: Listing(k) for k in range(3)], autoreset_mode=mode)
    played = Collector(env, Counting())  # the worlds themselves refuse a forbidden action
    played.begin(0)
    mask = played.rollout(20).inputs.mask
    assert mask is not None and set(mask.sum(-1).flatten().tolist()) == {2}
    assert len(evaluate(Counting(), env, 9, seed=1).returns) == 9
