"""`sidestep bench tasks`: the command's own settings, each run once, rows of medians and worst."""

import json
from pathlib import Path
from typing import Any

import pytest

from sidestep.agents.algorithms.registry import preset
from sidestep.agents.environments import for_training, spec_of
from sidestep.scripts.benches import tasks
from sidestep.scripts.benches.records import from_rows
from sidestep.scripts.benches.tasks import NEEDS, TASKS, Job, Options, config_of


def test_every_task_can_be_configured_as_the_command_would() -> None:
    for name, task in TASKS.items():
        if any(part in task.env.id for part in NEEDS):
            continue
        spec_of(task.env)
        for memory in task.memories:
            config = config_of(Job(name, "reinforce", memory, 3), Options())
            agent, training = preset("reinforce", for_training(task.env), memory)
            assert config.agent == agent and config.training.seed == 3
            assert config.training.total_steps == (task.ticks or training.total_steps)
            assert config.training.num_envs == training.num_envs
    crossing = config_of(Job("Crossing-v0", "reinforce", "gru", 0), Options())
    assert "8000" in crossing.env.kwargs[-1]
    short = config_of(Job("Taxi-v4", "deep-sarsa", "none", 0), Options(total_steps=7))
    assert short.training.total_steps == 7
    assert TASKS["LunarLander-v3"].ticks == 1_000_000 and TASKS["Taxi-v4"].ticks is None


def test_a_run_is_made_once_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--tasks", "Taxi-v4", "Cue-v0, 10", "--learners", "reinforce", "--seeds", "1",
             "--total-steps", "600", "--out", str(tmp_path)]  # fmt: skip
    monkeypatch.setattr(tasks, "FEWEST_EPISODES", 20)
    monkeypatch.setattr(tasks, "final_episodes", lambda where: 100)
    tasks.main(words)
    record = json.loads((tmp_path / "results" / "tasks.json").read_text())
    keys = ["Taxi-v4, reinforce, none, 0", "Cue-v0, 10, reinforce, gru, 0",
            "Cue-v0, 10, reinforce, lstm, 0"]  # fmt: skip
    runs = from_rows(record)
    assert list(runs) == keys
    for key in keys:
        row = runs[key]
        assert row["steps"] >= 600 and row["optimum"] is None
        assert record["speeds"][key.rpartition(", ")[0]]["speed"] > 0
    assert runs[keys[0]]["success"] is None
    assert 0 <= runs[keys[1]]["success"] <= 1
    page = (tmp_path / "results.md").read_text()
    assert "| Taxi-v4 | reinforce | none | " in page and "| optimum 7.9 |" in page
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "measured", lambda *_: pytest.fail("trained again"))
        patched.setattr(tasks, "speed", lambda *_: pytest.fail("measured again"))
        tasks.main(words)
    again = json.loads((tmp_path / "results" / "tasks.json").read_text())
    assert again["runs"] == record["runs"] and again["speeds"] == record["speeds"]
    capsys.readouterr()


@pytest.mark.slow
def test_runs_in_processes_of_their_own_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--tasks", "Cue-v0, 10", "--learners", "reinforce", "--seeds", "1", "--no-speeds",
             "--total-steps", "600"]  # fmt: skip
    found = []
    for jobs in ("1", "2"):
        tasks.main([*words, "--jobs", jobs, "--out", str(tmp_path / jobs)])
        found.append(json.loads((tmp_path / jobs / "results" / "tasks.json").read_text()))
    assert found[0]["runs"] == found[1]["runs"] and found[1]["speeds"] == {}
    assert len(found[0]["runs"]) == 2
    capsys.readouterr()


def test_a_run_of_another_length_or_seed_is_another() -> None:
    job = Job("Taxi-v4", "reinforce", "none", 0)
    jobs = [(job, 100), (job, 200), (job._replace(seed=1), 100)]
    digests = [tasks.digest(config_of(one, Options(total_steps=total))) for one, total in jobs]
    assert len(set(digests)) == 3
    assert digests[0] == tasks.digest(config_of(job, Options(total_steps=100)))


def test_rows_are_medians_and_worst_seeds() -> None:
    def run(greedy: float, success: float) -> dict[str, Any]:
        return {"steps": 1000, "greedy": greedy, "sampled": greedy - 1.0, "success": success}

    name = "Cue-v0, 10, reinforce, gru"
    found = {f"{name}, {n}": run(g, g / 10) for n, g in enumerate((3, 9, 5))}
    (row,) = tasks._rows({"runs": found, "speeds": {name: {"speed": 500.0}}})
    assert row == ["Cue-v0, 10", "reinforce", "gru", "3", "1,000", "2", "5", "3", "4", "2", "30.0%",
                   "1 is the most"]  # fmt: skip
    (row,) = tasks._rows({"runs": found, "speeds": {}})
    assert row[5] == "-"


def test_speed_leaves_out_the_first_second_and_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    class Told:
        def __init__(self, ticks: list[tuple[int, float]]) -> None:
            self.ticks, self.seconds, self.agent = ticks, 0.0, self
            self.steps = 0

        def run(self, report: Any) -> None:
            for steps, seconds in self.ticks:
                self.steps, self.seconds = steps, seconds
                if not report(self):
                    break

    plan = config_of(Job("Taxi-v4", "reinforce", "none", 0), Options(total_steps=10))
    long = [(50, 0.5), (100, 1.5), (400, 4.5), (500, 5.5), (900, 6.0)]
    for ticks, rate in ((long, 100.0), (long[:3], 400 / 4.5)):
        monkeypatch.setattr(tasks, "Trainer", lambda *_, ticks=ticks: Told(ticks))
        assert tasks.speed(plan) == round(rate, 1)


def test_what_is_missing_is_left_out_with_a_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "find_spec", lambda name: None)
    options = Options(tasks=("LunarLander-v3", "DoorKey-5x5", "Taxi-v4"), seeds=1)
    assert {job.task for job in tasks._jobs(options)} == {"Taxi-v4"}
    printed = capsys.readouterr().out
    assert "LunarLander-v3: left out, Box2D is not installed" in printed
    assert "DoorKey-5x5: left out, minigrid is not installed" in printed


def test_wrong_tasks_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tasks.main(["--tasks", "Pong"])
    assert caught.value.code == 2 and "Pong" in capsys.readouterr().err
    with pytest.raises(ValueError, match="preset: expected one of default, textbook, thorough"):
        Options(preset="best")
