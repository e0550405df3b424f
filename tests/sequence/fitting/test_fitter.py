"""The loop that fits sequence models: its arithmetic, exact resume, and what a run leaves."""

import json
import math
import signal
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from sidestep.scripts.sequences.fitting_run import fit, fitting_curve, losses_of
from sidestep.scripts.shared.loop_bar import leave, run_with_bar
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.fitted import begin_run, facts_of, load_fitted, read_run, resumption
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig, Loss, seeded
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.fitting.runs import Progress
from sidestep.sequence.fitting.stored import check_tensors

CONFIG = FittingConfig(updates=23, log_every=5, validate_every=7, checkpoint_every=6)


class Toy:
    """A linear map with dropout, batches from a generator, and a carried sum."""

    unit = "values"

    def __init__(self, seed: int = 0, poison: int = -1) -> None:
        with seeded(seed):
            self.module: nn.Module = nn.Linear(3, 2)
        self.random = torch.Generator().manual_seed(seed)
        self.carried, self.poison = torch.zeros(2), poison
        self.asked: list[int] = []

    def loss(self, update: int) -> Loss:
        self.asked.append(update)
        assert self.module.training
        x = torch.randn(5, 3, generator=self.random)
        y = self.module(dropout(x, 0.5)) + self.carried
        self.carried = (0.5 * self.carried + y.mean(0)).detach()
        scale = math.nan if update == self.poison else 1.0
        return Loss(scale * (y - 1).pow(2).sum(), y.numel())

    def validate(self) -> dict[str, float]:
        assert not self.module.training
        return {"loss": float((self.module(torch.ones(7, 3)) - 1).pow(2).mean())}

    def state_dict(self) -> dict[str, Tensor]:
        return {"random": self.random.get_state(), "carried": self.carried}

    def check_state(self, state: dict[str, Tensor]) -> None:
        check_tensors(self.state_dict(), state, "task.")

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.random.set_state(state["random"])
        self.carried = state["carried"]


def record_of(config: FittingConfig = CONFIG, **more: Any) -> dict[str, Any]:
    return {"fitting": asdict(config), "size": 3, **more}


def begun(folder: Path, config: FittingConfig = CONFIG, poison: int = -1) -> Fitter:
    fitter = Fitter(Toy(poison=poison), config, folder, facts_of(record_of(config)))
    begin_run(folder, "toy", record_of(config))
    return fitter


def resumed(folder: Path, updates: int | None = None) -> Fitter:
    record = read_run(folder, "toy")
    config, tensors, facts = resumption(folder, record, updates)
    fitter = Fitter(Toy(seed=9), config, folder, facts_of(record))
    fitter.load_state_dict(tensors, facts)
    return fitter


def contents(folder: Path) -> tuple[Any, ...]:
    path = latest_checkpoint(folder)
    tensors, facts = load_checkpoint(path)
    clocks = {"seconds", "values_per_second"}
    log = [{k: v for k, v in line.items() if k not in clocks} for line in read_log(folder)]
    others = {k: v for k, v in facts.items() if k not in ("seconds", "log_position", "digest")}
    return path.name, {k: v.numpy().tobytes() for k, v in tensors.items()}, others, log


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    config = FittingConfig(updates=8, learning_rate=0.5)
    assert [config.rate(u) for u in (0, 4, 8, 9)] == pytest.approx([0.5, 0.25, 0, 0])
    assert config.rate(2) == pytest.approx(0.25 * (1 + math.sqrt(0.5)))
    assert replace(config, schedule="constant").rate(7) == 0.5


def test_an_update_is_adam_on_the_mean_over_the_count_with_clipped_gradient() -> None:
    task, twin = Toy(), Toy()
    config = FittingConfig(updates=1, learning_rate=0.1, max_gradient_norm=0.01)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        total, count = twin.loss(0)
    assert count == 10
    optimizer = torch.optim.Adam(twin.module.parameters(), lr=0.1)
    (total / count).backward()  # type: ignore[no-untyped-call]
    norm = float(nn.utils.clip_grad_norm_(twin.module.parameters(), 0.01))
    optimizer.step()
    seen: list[Any] = []
    Fitter(task, config).run(lambda progress: not seen.append(progress))
    assert seen[0].metrics["gradient_norm"] == pytest.approx(norm)
    assert seen[0].metrics["loss"] == pytest.approx(float(total.detach()) / 10)
    assert seen[0].evaluation is not None and seen[0].steps == 1
    for mine, theirs in zip(task.module.parameters(), twin.module.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_only_false_stops() -> None:
    for answer, updates in ((None, 23), (0, 23), ("", 23), (False, 1)):
        fitter = Fitter(Toy(), CONFIG)
        fitter.run(lambda _, answer=answer: answer)
        assert fitter.updates == updates


def test_the_caller_s_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Fitter(Toy(), CONFIG).run()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("stop", [1, 5, 6, 7, 11, 22])
def test_resuming_equals_never_having_stopped(stop: int, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    begun(whole).run()
    begun(parts).run(lambda progress: progress.steps < stop)
    assert load_checkpoint(latest_checkpoint(parts))[1]["updates"] == stop
    torch.rand(13)  # the global stream is elsewhere by now
    fitter = resumed(parts)
    fitter.run()
    assert fitter.task.asked == list(range(stop, 23))  # type: ignore[attr-defined]
    assert contents(whole) == contents(parts)
    for folder in (whole, parts):
        names = sorted(p.stem for p in folder.glob("*.json"))
        former = max(18, stop) if folder == parts else 18
        assert names == ["best", f"checkpoint-{former:012d}", f"checkpoint-{23:012d}", "config"]


def test_what_was_logged_after_the_checkpoint_is_forgotten(tmp_path: Path) -> None:
    """As after a kill: the log is ahead of the last checkpoint, and a leftover lies about."""
    begun(tmp_path).run(lambda progress: progress.steps < 11)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"steps": 12, "loss": 1.0}\n')
    leftover = tmp_path / "checkpoint-000000000012-00000000.safetensors"
    leftover.write_bytes(b"")
    resumed(tmp_path).run()
    assert [r["steps"] for r in read_log(tmp_path) if "loss" in r] == [5, 10, 15, 20, 23]
    assert not leftover.exists()


def test_the_log_tells_means_since_its_last_line(tmp_path: Path) -> None:
    losses: list[float] = []

    class Noted(Toy):
        def loss(self, update: int) -> Loss:
            loss = super().loss(update)
            losses.append(float(loss.total.detach()) / loss.terms)
            return loss

    Fitter(Noted(), CONFIG, tmp_path).run()
    lines = read_log(tmp_path)
    logged = [r["loss"] for r in lines if "loss" in r]
    parts = [losses[0:5], losses[5:10], losses[10:15], losses[15:20], losses[20:23]]
    assert logged == pytest.approx([sum(part) / len(part) for part in parts])
    assert [r["steps"] for r in lines if "validation" in r] == [7, 14, 21, 23]
    assert len(fitting_curve(lines, "toy", "loss").axes[0].lines) == 2


def test_the_best_checkpoint_is_the_one_of_the_lowest_validation(tmp_path: Path) -> None:
    fitter = begun(tmp_path, replace(CONFIG, learning_rate=0.9, schedule="constant"))
    fitter.run()
    losses = {r["steps"]: r["validation"]["loss"] for r in read_log(tmp_path) if "validation" in r}
    best = min(losses, key=lambda step: losses[step])
    module = nn.Linear(3, 2)
    assert load_fitted(module, tmp_path)["updates"] == best
    with torch.no_grad():
        loss = float((module(torch.ones(7, 3)) - 1).pow(2).mean())
    assert loss == pytest.approx(losses[best])
    assert not module.training
    assert load_fitted(module, tmp_path, "last")["updates"] == 23
    assert load_fitted(module, tmp_path, "checkpoint-000000000018.json")["updates"] == 18
    with pytest.raises(FileNotFoundError, match=r"nope\.json: expected a checkpoint \(best, "):
        load_fitted(module, tmp_path, "nope")
    with pytest.raises(ValueError, match=r"tensor 'bias': expected shape \(3,\), got shape \(2,\)"):
        load_fitted(nn.Linear(3, 3), tmp_path)


def test_a_loss_that_is_not_finite_ends_with_a_clear_line(tmp_path: Path) -> None:
    fitter = begun(tmp_path, poison=8)
    with pytest.raises(SystemExit, match="expected a finite loss") as caught:
        fit(fitter, "toy")
    words = str(caught.value)
    assert "at update 9" in words and "the last good one is checkpoint-000000000006" in words
    assert all(torch.isfinite(p).all() for p in fitter.task.module.parameters())
    resumed(tmp_path).run()  # the data differ: this one comes through
    assert load_checkpoint(latest_checkpoint(tmp_path))[1]["updates"] == 23


def test_a_signal_ends_it_with_a_checkpoint_and_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(1)
    monkeypatch.setattr("sidestep.scripts.shared.loop_bar.time.monotonic", lambda: next(clock))
    fitter, seen = begun(tmp_path), list[str]()

    def words(state: Progress) -> str:
        seen.append(f"{state.steps}: {losses_of(state)}")
        return seen[-1]

    def each(state: Progress) -> None:
        if state.steps == 9:
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert run_with_bar(fitter, "toy", words, each=each) == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is before
    said = " ".join(capsys.readouterr().out.split())
    assert f"Stopped by SIGTERM; `sidestep toy resume {tmp_path}` goes on from here." in said
    assert load_checkpoint(latest_checkpoint(tmp_path))[1]["updates"] == 9
    held_out = next(r["validation"]["loss"] for r in read_log(tmp_path) if "validation" in r)
    told = [f"validation {held_out:.3f}" in line for line in seen]  # validated once, at update 7
    assert told == [update >= 7 for update in range(1, 10)]
    with pytest.raises(SystemExit) as caught:
        leave("SIGTERM")
    assert caught.value.code == 143
    leave(None)


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    with pytest.raises(FileNotFoundError, match=r"expected a run's folder with a config\.json"):
        read_run(folder, "toy")
    begun(folder).run()
    with pytest.raises(FileExistsError, match="expected a new folder for the run, got one in use"):
        begun(folder)
    with pytest.raises(ValueError, match="a run of `sidestep lm`, got one of 'toy'"):
        read_run(folder, "lm")
    record = read_run(folder, "toy")
    with pytest.raises(ValueError, match="expected more than the 23 already made, got 23"):
        resumption(folder, record)
    assert resumption(folder, record, 29)[0].updates == 29
    words = " ".join(capsys.readouterr().out.split())
    assert "falls over 29 updates from here, not over 23" in words
    with pytest.raises(ValueError, match=r"got a changed config\.json"):
        resumption(folder, {**record, "size": 5}, 29)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: expected JSON"):
        read_run(folder, "toy")
    (folder / "config.json").write_text(json.dumps({"learner": "x"}))
    with pytest.raises(ValueError, match="a run of `sidestep toy`, got one of 'train'"):
        read_run(folder, "toy")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("updates", 0, "updates: expected at least 1, got 0"),
        ("seed", -1, "seed: expected at least 0, got -1"),
        ("learning_rate", 0.0, "learning_rate: expected a positive number, got 0.0"),
        ("max_gradient_norm", math.inf, "max_gradient_norm: expected a positive number"),
        ("schedule", "linear", "schedule: expected one of cosine, constant, got 'linear'"),
    ],
)
def test_wrong_settings(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **{field: value})
