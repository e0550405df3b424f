"""The files of docs/one_file/: what they import, how they run, and that they learn."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tyro
from torch import Tensor

from sidestep.agents import Agent, DeepSarsaConfig, EnvConfig, evaluate, make_vector

from .agreement import (
    FILES,
    FOLDER,
    GRU,
    SARSA,
    gru_config,
    package_agent,
)


@pytest.mark.parametrize("name", FILES)
def test_nothing_of_the_package_but_its_worlds_is_imported(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    modules = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules.append(node.module or "")
    assert [m for m in modules if m.startswith("sidestep")] == ["sidestep.envs"]
    others = {m.split(".")[0] for m in modules} - {"sidestep"} - set(sys.stdlib_module_names)
    assert others == {"gymnasium", "numpy", "torch", "tyro"}
    assert text.count("\n") < 300


def test_every_file_of_the_folder_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(FILES)


@pytest.mark.parametrize("module", [SARSA, GRU], ids=FILES)
def test_the_schedules_run_over_their_shares(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, float]] = []

    def record(_: Any, optimizer: Any, played: Any, amount: float, settings: Any) -> None:
        seen.append((amount, optimizer.param_groups[0]["lr"]))

    monkeypatch.setattr(module, "learn", record)
    name = "epsilon" if module is SARSA else "entropy"
    options = {f"{name}_start": 0.9, f"{name}_end": 0.1, f"{name}_share": 0.5}
    sizes = {"total_steps": 4000, "num_envs": 8, "evaluation_episodes": 1}
    rates = {"learning_rate": 0.5, "final_learning_rate": 0.1}
    module.train(module.Settings(**sizes, **rates, **options))
    assert seen[0] == (0.9, 0.5) and seen[-1][0] == 0.1
    assert seen[-1][1] == pytest.approx(0.1, abs=0.02)
    for amount, rate in seen:  # by the time the rate has fallen by half, the other is at its end
        assert amount == pytest.approx(max(0.1, 0.9 - 4.0 * (0.5 - rate)))


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_it_runs_from_the_command_line(name: str, tmp_path: Path) -> None:
    sizes = ["--total-steps", "500", "--num-envs", "8", "--evaluation-episodes", "20"]
    command = [sys.executable, str(FOLDER / f"{name}.py"), *sizes, "--seed", "4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 2 <= len(lines) <= 10
    assert all("success" in line and "return" in line for line in lines)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", [SARSA, GRU], ids=FILES)
def test_a_wrong_flag_is_told(module: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        tyro.cli(module.Settings, args=["--discount", "1.5"])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert "discount: expected a number from 0 to 1, got 1.5" in out + err


@pytest.mark.parametrize("module", [SARSA, GRU], ids=FILES)
def test_other_envs(module: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"total_steps": 300, "num_envs": 4, "evaluation_episodes": 3}
    module.train(module.Settings(env="CartPole-v1", max_episode_steps=20, **sizes))
    assert "success   nan%" in capsys.readouterr().out
    with pytest.raises(TypeError, match=r"FrozenLake-v1: expected vectors as observations, got Di"):
        module.train(module.Settings(env="FrozenLake-v1"))
    with pytest.raises(ValueError, match=r"num_envs: expected a number from 1 to inf, got 0"):
        module.Settings(num_envs=0)
    with pytest.raises(ValueError, match=r"seed: expected a number from 0 to inf, got -1"):
        module.Settings(seed=-1)
    module.Settings(seed=0, max_gradient_norm=5.0, learning_rate=0.0)


@pytest.mark.parametrize("module", [SARSA, GRU], ids=FILES)
def test_the_seed_decides(module: Any) -> None:
    def weights(seed: int) -> Tensor:
        sizes = {"total_steps": 400, "num_envs": 4, "evaluation_episodes": 3}
        network = module.train(module.Settings(seed=seed, **sizes))
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


CASES: dict[str, Callable[[], Agent]] = {
    "expected": lambda: package_agent(SARSA.train(SARSA.Settings()), DeepSarsaConfig()),
    "sarsa": lambda: package_agent(SARSA.train(SARSA.Settings(target="sarsa")), DeepSarsaConfig()),
    "gru": lambda: package_agent(GRU.train(GRU.Settings()), gru_config()),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_default_world_is_learned(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Judged by the package's evaluation, which knows nothing of the one file's."""
    agent = CASES[case]()
    result = evaluate(agent, make_vector(EnvConfig(), 500), 2000, seed=99)
    assert result.success is not None and result.success.mean() >= 0.95
    last = capsys.readouterr().out.splitlines()[-1]
    reported = float(last.split("success")[1].rstrip("%")) / 100
    assert reported == pytest.approx(float(result.success.mean()), abs=0.02)
    assert float(last.split("return")[1].split(",")[0]) == pytest.approx(
        float(np.mean(result.returns)), abs=0.03
    )
