"""`sidestep train --seeds`: the runs that single commands make, stopped, repeated, and failing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidestep.agents.runs import read_config
from sidestep.scripts import train
from sidestep.scripts.studies.seeds import seeds_of
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

SMALL = ["--num-envs", "4", "--rollout-steps", "8", "--hidden-sizes", "7", "--log-every", "200"]
BRIEF = ["--gif-episodes", "0", "--episodes", "20", "--evaluation-episodes", "5"]
SHORT = ["--total-steps", "600", "--evaluate-every", "300", *SMALL, *BRIEF]
LONG = ["--total-steps", "20000", "--evaluate-every", "5000", "--checkpoint-every", "1000"]
LONG = [*LONG, *SMALL, *BRIEF]


def run(*args: Any) -> None:
    train.main([str(word) for word in args])


def fails(capsys: pytest.CaptureFixture[str], *args: Any, code: int = 2) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        run(*args)
    assert caught.value.code == code
    return capsys.readouterr().err


def tensors_of(folder: Path) -> dict[str, bytes]:
    tensors, _ = load_checkpoint(latest_checkpoint(folder))
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [0, 1, 2]),
        ("0,3,7", [0, 3, 7]),
        ("20-22", [20, 21, 22]),
        ("5-5", [5]),
        ("0-2, 9", [0, 1, 2, 9]),
        ("7,", "expected a count as 10"),
        ("0:3", "expected a count as 10"),
        ("3-1", "expected a count as 10"),
        ("-3", "expected a count as 10"),
        ("0", "expected a count of 1 to 10000, got 0"),
        ("10001", "expected a count of 1 to 10000"),
        ("0-10000", "expected a count as 10"),
        ("9223372036854775807-9223372036854775808", "expected a count as 10"),
        ("1,2,1", "expected each once, got 1 twice"),
        ("0-3,2", "expected each once, got 2 twice"),
    ],
)
def test_seeds_are_read(text: str, seeds: list[int] | str) -> None:
    if isinstance(seeds, list):
        assert seeds_of(text) == seeds
        return
    with pytest.raises(ValueError, match=f"^seeds: {seeds}"):
        seeds_of(text)


@pytest.mark.slow
def test_seeds_make_the_runs_of_single_commands_and_a_second_time_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "two"
    words = ["reinforce", "--memory", "gru", "--memory-size", "5", *SHORT]
    run(*words, "--seeds", "0,3", "--jobs", "2", "--out", out)
    printed = capsys.readouterr().out
    run(*words, "--seed", "3", "--out", tmp_path / "one")
    for name in ("config.json", "final.json"):
        assert (out / "seed-3" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert tensors_of(out / "seed-3") == tensors_of(tmp_path / "one")
    assert read_config(out / "seed-0").training.seed == 0
    assert tensors_of(out / "seed-0") != tensors_of(out / "seed-3")
    assert {p.name for p in out.iterdir()} == {
        *("seed-0", "seed-3", "curve.png", "table.csv", ".lock")
    }
    assert (out / "seed-3" / "curve.png").exists()
    assert "worst return: seed" in printed and "mean " in printed and "seed 3: " in printed
    table = printed[printed.index("reinforce, sidestep/") :]
    before = {p: p.stat().st_mtime_ns for p in out.glob("seed-*/*")}
    capsys.readouterr()
    run(*words, "--seeds", "0,3", "--out", out)  # other jobs are no other study
    again = capsys.readouterr().out
    assert again.startswith("2 of 2 seeds are there already.") and again.endswith(table)
    assert {p: p.stat().st_mtime_ns for p in out.glob("seed-*/*")} == before


@pytest.mark.slow
def test_runs_of_before_and_half_made_ones_are_taken_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, words = tmp_path / "out", ["deep-sarsa", *SHORT]
    run(*words, "--seed", "0", "--out", out / "seed-0")
    run(*words, "--seed", "1", "--out", out / "seed-1")
    whole = {n: ((out / f"seed-{n}" / "final.json").read_bytes()) for n in (0, 1)}
    tensors = {n: tensors_of(out / f"seed-{n}") for n in (0, 1)}
    for path in (out / "seed-0").glob("checkpoint-*"):  # as if killed before its first checkpoint
        path.unlink()
    for name in ("final.json", "metrics.jsonl", "curve.png"):
        (out / "seed-0" / name).unlink()
    (out / "seed-0" / ".config.json.1.tmp").write_text("{")
    (out / "seed-1" / "final.json").unlink()  # before its last evaluation
    trained = latest_checkpoint(out / "seed-1").stat().st_mtime_ns
    run(*words, "--seeds", "2", "--out", out)
    for seed in (0, 1):
        assert (out / f"seed-{seed}" / "final.json").read_bytes() == whole[seed]
        assert tensors_of(out / f"seed-{seed}") == tensors[seed]
    assert latest_checkpoint(out / "seed-1").stat().st_mtime_ns >= trained
    assert not (out / "seed-0" / ".config.json.1.tmp").exists()
    capsys.readouterr()
    run(*words, "--seeds", "2", "--episodes", "30", "--out", out)  # as many as now are asked for
    assert "greedy, 30" in capsys.readouterr().out
    assert json.loads((out / "seed-0" / "final.json").read_text())["episodes"] == 30


@pytest.mark.slow
def test_runs_in_an_env_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short_poles.py").write_text(
        "import gymnasium as gym\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gym.register('ShortPole-v0', entry_point=CartPoleEnv, max_episode_steps=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ["reinforce", "--num-envs", "2", "--total-steps", "100", *BRIEF, "--seeds", "1"]
    run(*words, "--env", "short_poles:ShortPole-v0", "--out", tmp_path / "out")
    assert "ShortPole-v0: 1 seed, greedy" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "out" / "seed-0" / "final.json").unlink()
    run(*words, "--env", "short_poles:ShortPole-v0", "--out", tmp_path / "out")
    assert (tmp_path / "out" / "seed-0" / "final.json").exists()


@pytest.mark.slow
def test_a_run_that_stopped_at_its_success_is_not_trained_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["deep-sarsa", "--total-steps", "100_000", "--evaluate-every", "300", *SMALL, *BRIEF]
    words += ["--stop-at-success", "0.01", "--seeds", "1", "--out", str(out)]
    run(*words)
    steps = load_checkpoint(latest_checkpoint(out / "seed-0"))[1]["steps"]
    assert steps < 100_000
    (out / "seed-0" / "final.json").unlink()
    run(*words)
    assert load_checkpoint(latest_checkpoint(out / "seed-0"))[1]["steps"] == steps
    assert (out / "seed-0" / "final.json").exists()


@pytest.mark.slow
def test_a_run_that_fails_takes_no_other_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "seed-1").write_text("in the way")
    words = ["deep-sarsa", *SHORT, "--seeds", "2", "--jobs", "1", "--out", out]
    error = fails(capsys, *words, code=1)
    assert error.count("\n") == 1 and error.startswith("seed 1 failed: ")
    assert "seed-1" in error and (out / "seed-1.log").exists()
    assert (out / "seed-0" / "final.json").exists()
    assert len((out / "table.csv").read_text().splitlines()) == 2
    (out / "seed-1").unlink()
    run(*words)
    assert "2 seeds" in capsys.readouterr().out and not (out / "seed-1.log").exists()


def test_another_configuration_in_the_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run("deep-sarsa", *SHORT, "--seed", "1", "--out", out / "seed-1")
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}

    def line(learner: str, *words: str) -> str:
        error = fails(capsys, learner, *SHORT, "--seeds", "2", "--out", out, *words)
        assert error.count("\n") == 1
        return error

    start = f"sidestep train: {out}/seed-1: expected a run of this command, got one of another "
    told = line("deep-sarsa", "--learning-rate", "0.125")
    assert told == f"{start}learning_rate: 0.003, and not 0.125\n"
    assert "another total_steps: 600, and not 900" in line("deep-sarsa", "--total-steps", "900")
    assert f"{start}learner: 'deep-sarsa', and not 'reinforce'" in line("reinforce")
    assert "another kwargs: [], and not ['step_reward=-0.2']" in line(
        "deep-sarsa", "--env-kwargs", "step_reward=-0.2"
    )
    error = fails(capsys, "deep-sarsa", *SHORT, "--seeds", "2", "--out", out / "seed-1")
    assert "seed-1: expected a folder for runs, got a run's own" in error
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0"], "seeds: expected a count of 1 to 10000, got 0"),
        (["--seeds", "3,3"], "seeds: expected each once, got 3 twice"),
        (["--seeds", "3", "--jobs", "0"], "jobs: expected at least 1, got 0"),
        (["--jobs", "3"], "jobs: expected --seeds beside it, got --jobs 3 alone"),
        (["--seeds", "3", "--seed", "1"], "got --seed beside --seeds"),
        (["--seeds", "3", "--seed=1"], "got --seed beside --seeds"),
        (["--seeds", "3", "--watch"], "expected no window beside them, got --watch"),
        (["--seeds", "2", "--env", "Nope-v0"], "Environment `Nope` doesn't exist"),
        (["--seeds", "2", "--memory", "attention", "--memory-layers", "2"], "num_layers=1"),
        (["--seeds", "2", "--device", "quantum"], "device: expected one that is there"),
    ],
)
def test_wrong_flags_end_with_one_line_and_leave_nothing(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fails(capsys, "deep-sarsa", *words, "--out", tmp_path / "out")
    assert error.count("\n") == 1 and message in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_seed_of_a_file_gives_way_and_its_seeds_count(tmp_path: Path) -> None:
    file, out = tmp_path / "a.toml", tmp_path / "out"
    file.write_text("seed = 5\nseeds = 1\njobs = 1\n")
    run("deep-sarsa", "--config", file, *SHORT, "--out", out)
    assert read_config(out / "seed-0").training.seed == 0


def at_work(folder: Path) -> list[int]:
    """The processes that stand in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").resolve() == folder and (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def until(condition: Any, seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("whole") / "out"
    run("deep-sarsa", *LONG, "--seeds", "2", "--jobs", "2", "--out", out)
    yield out


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_and_repeated_it_is_as_if_it_had_never_stopped(
    number: signal.Signals, tmp_path: Path, undisturbed: Path
) -> None:
    words = ["train", "deep-sarsa", *LONG, "--seeds", "2", "--jobs", "2", "--out", "out"]
    command = [sys.executable, "-m", "sidestep.scripts.cli", *words]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **pipes) as process:
        out = tmp_path / "out"
        assert until(lambda: len(list(out.glob("seed-*/checkpoint-*[1-9]*.json"))) >= 2)
        assert len(at_work(tmp_path)) == 3
        os.killpg(process.pid, number)  # as a terminal does
        told, error = process.communicate(timeout=120)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number), error
    assert until(lambda: not at_work(tmp_path), 20), "a run is left behind"
    assert not any(out.glob("seed-*/final.json"))
    assert number == signal.SIGKILL or not any(out.glob("seed-*.log"))
    if number != signal.SIGKILL:
        assert f"Stopped by {number.name}; `sidestep train deep-sarsa" in told and error == ""
        assert not (out / "table.csv").exists()
    done = subprocess.run(command, cwd=tmp_path, timeout=240, check=True, **pipes)
    assert "worst return: seed" in done.stdout
    table = (undisturbed / "table.csv").read_text()
    assert (out / "table.csv").read_text() == table.replace(str(undisturbed), "out")
    for seed in range(2):
        assert tensors_of(out / f"seed-{seed}") == tensors_of(undisturbed / f"seed-{seed}")


def test_two_commands_on_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from filelock import FileLock

    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".lock"):
        error = fails(capsys, "deep-sarsa", *SHORT, "--seeds", "1", "--out", out)
    assert "expected no other process that writes to it, got one at work" in error
