"""Limits of fields: where each ends, and what is said of a value beyond."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pytest

from sidestep.agents import DeepSarsaConfig, ReinforceConfig, TrainingConfig
from sidestep.sequence import Seq2SeqConfig
from sidestep.sequence.limits import (
    COUNT,
    NATURAL,
    NOT_NEGATIVE,
    PART,
    POSITIVE,
    SHARE,
    Limit,
    at_least,
    between,
    check_fields,
    one_of,
)

NAN, INF = float("nan"), float("inf")
WITHIN: list[tuple[Limit, tuple[Any, ...]]] = [
    (COUNT, (1, 7, np.int64(3), 10**30)),
    (NATURAL, (0, 5)),
    (at_least(2, 9), (2, 9)),
    (SHARE, (0, 1, 0.5, np.float32(0.25))),
    (PART, (0.0, 0.999)),
    (POSITIVE, (1e-300, 3)),
    (NOT_NEGATIVE, (0.0, 2.5)),
    (one_of("a", "b"), ("a", "b")),
]
BEYOND: list[tuple[Limit, Any, str]] = [
    (COUNT, 0, "size: expected at least 1, got 0"),
    (COUNT, 2.5, "size: expected a whole number, got 2.5"),
    (COUNT, 2.0, "size: expected a whole number, got 2.0"),
    (COUNT, NAN, "size: expected a whole number, got nan"),
    (COUNT, True, "size: expected a whole number, got True"),
    (COUNT, "3", "size: expected at least 1, got '3'"),
    (NATURAL, -1, "size: expected at least 0, got -1"),
    (at_least(2, 9), 10, "size: expected at most 9, got 10"),
    (between(1, 64), 65, "size: expected 1 to 64, got 65"),
    (between(1, 64), 0, "size: expected 1 to 64, got 0"),
    (SHARE, 1.5, "size: expected a number in [0, 1], got 1.5"),
    (SHARE, NAN, "size: expected a number in [0, 1], got nan"),
    (PART, 1.0, "size: expected a number in [0, 1), got 1.0"),
    (POSITIVE, 0.0, "size: expected a positive number, got 0.0"),
    (POSITIVE, INF, "size: expected a positive number, got inf"),
    (NOT_NEGATIVE, -0.5, "size: expected at least 0, got -0.5"),
    (NOT_NEGATIVE, NAN, "size: expected at least 0, got nan"),
    (one_of("a", "b"), "c", "size: expected one of a, b, got 'c'"),
    (COUNT, None, "size: expected at least 1, got None"),
    (SHARE, None, "size: expected a number in [0, 1], got None"),
    (one_of("a", "b"), None, "size: expected one of a, b, got None"),
    (one_of("a", "b"), 3, "size: expected one of a, b, got 3"),
]


@dataclass(frozen=True)
class Sized:
    size: Any


@dataclass(frozen=True)
class Free:
    size: Annotated[int | None, "a flag"] = None


def test_none_is_within_where_the_type_says_so() -> None:
    check_fields(Free(), {"size": COUNT})
    with pytest.raises(ValueError, match="size: expected at least 1, got 0"):
        check_fields(Free(0), {"size": COUNT})


@pytest.mark.parametrize(("limit", "values"), WITHIN)
def test_values_within(limit: Limit, values: tuple[Any, ...]) -> None:
    for value in values:
        check_fields(Sized(value), {"size": limit})


@pytest.mark.parametrize(("limit", "value", "words"), BEYOND)
def test_values_beyond(limit: Limit, value: Any, words: str) -> None:
    with pytest.raises(ValueError) as error:
        check_fields(Sized(value), {"size": limit})
    assert str(error.value) == words


@pytest.mark.parametrize(
    ("config", "fields", "words"),
    [
        (TrainingConfig, {"num_envs": 2.5}, "num_envs: expected a whole number, got 2.5"),
        (TrainingConfig, {"num_envs": None}, "num_envs: expected at least 1, got None"),
        (Seq2SeqConfig, {"cell": None}, "cell: expected one of rnn, lstm, gru, got None"),
        (TrainingConfig, {"seed": NAN}, "seed: expected a whole number, got nan"),
        (DeepSarsaConfig, {"learning_rate": INF}, "learning_rate: expected a positive number"),
        (DeepSarsaConfig, {"rollout_steps": 0.5}, "rollout_steps: expected a whole number"),
        (DeepSarsaConfig, {"final_learning_rate": NAN}, "final_learning_rate: expected at least 0"),
        (ReinforceConfig, {"entropy_end": NAN}, "entropy_end: expected at least 0, got nan"),
        (ReinforceConfig, {"entropy_steps": 0}, "entropy_steps: expected at least 1, got 0"),
    ],
)
def test_learners_that_no_number_fits(config: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**fields)
