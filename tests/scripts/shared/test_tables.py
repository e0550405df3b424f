"""The table that training and evaluation end with, and means over runs."""

import io
from typing import Any

import numpy as np
from rich.console import Console

from sidestep.agents.acting.evaluation import Evaluation
from sidestep.scripts.shared.tables import evaluation_table, spread


def text_of(summary: dict[str, Any]) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(evaluation_table("title", summary))
    return console.export_text()


def result(success: Any) -> Evaluation:
    truncated = np.array([True, True, True, False])
    return Evaluation(np.array([5.0, 6, 7, 2]), np.array([5, 6, 7, 2]), truncated, success, None)


def test_who_reached_the_time_limit_has_failed_only_where_there_is_a_goal() -> None:
    text = text_of(result(None).summary())
    assert "timeouts" not in text
    (row,) = [line for line in text.splitlines() if "reached the time limit" in line]
    assert "75.00%" in row
    text = text_of(result(np.array([False, False, False, True])).summary())
    (row,) = [line for line in text.splitlines() if "timeouts" in line]
    assert "75.00%" in row and "reached the time limit" not in text


def test_spread_is_students_t_and_of_one_run_its_value() -> None:
    assert spread([0.16, 0.15], ".1%") == "15.5% \u00b1 6.4%"
    assert spread([1.0, 2.0, 3.0, 6.0], ".3f") == "3.000 \u00b1 3.437"
    assert spread([0.25], ".3f") == "0.250"
