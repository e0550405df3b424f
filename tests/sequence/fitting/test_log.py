"""The log of a run."""

import json
import math
from pathlib import Path

import pytest

from sidestep.sequence.fitting.log import RunLog, read_log


def test_the_log_goes_back_to_a_position(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    assert log.position() == 0 and read_log(tmp_path) == []
    log.write({"steps": 1, "loss": 0.5})
    position = log.position()
    log.write({"steps": 2, "loss": math.nan, "evaluation": {"return_mean": [1.0, math.inf, 0.0]}})
    last = (tmp_path / "metrics.jsonl").read_text().splitlines()[-1]
    strict = json.loads(last, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert strict == {"steps": 2, "loss": None, "evaluation": {"return_mean": [1.0, None, 0.0]}}
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"steps": 3, "lo')  # a kill in the middle of a line
    assert [line["steps"] for line in read_log(tmp_path)] == [1, 2]
    log.rewind(position)
    assert read_log(tmp_path) == [{"steps": 1, "loss": 0.5}]
    log.rewind(10 * position)  # a log that was lost does not grow zeros
    assert log.position() == position


def events_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run: steps and values by name."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    names = events.Tags()["scalars"]
    found = {name: [(e.step, e.value) for e in events.Scalars(name)] for name in names}
    return {name: points for name, points in found.items() if points}


def test_event_files_go_back_with_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000
    monkeypatch.setattr("tensorboard.summary.writer.event_file_writer.time.time", lambda: now)
    log, positions = RunLog(tmp_path, tensorboard=True), list[int]()
    for steps in (10, 20, 30):
        log.write({"steps": steps, "loss": steps / 10})
        log.write({"steps": steps, "evaluation": {"return_mean": [0.5, 0.0, 1.0]}})
        positions.append(log.position())
    now += 60
    again = RunLog(tmp_path, tensorboard=True)  # after a kill
    again.rewind(positions[1])
    for steps in (25, 35):
        again.write({"steps": steps, "loss": -1.0})
    again.close(), log.close()
    shown = events_of(tmp_path)
    assert shown["loss"] == [(10, 1.0), (20, 2.0), (25, -1.0), (35, -1.0)]
    assert shown["evaluation/return_mean"] == [(10, 0.5), (20, 0.5)]
    assert [line["steps"] for line in read_log(tmp_path)] == [10, 10, 20, 20, 25, 35]
    now += 60
    anew = RunLog(tmp_path, tensorboard=True)  # from the very beginning
    anew.rewind(0)
    anew.write({"steps": 5, "loss": 9.0})
    anew.close()
    assert events_of(tmp_path) == {"loss": [(5, 9.0)]}
