"""The bench counts what a small tree with known numbers has; and what must never come back."""

import json
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from sidestep.scripts.benches.house import ROOT, ROWS, main
from sidestep.scripts.benches.house_plan import PACKAGES, Plan, best_order, circles
from sidestep.scripts.benches.house_walk import Walk

TREE = {
    "envs/__init__.py": "from .env import step\n",
    "envs/env.py": "from .rules.tick import play\n\n\ndef step():\n    return play()\n",
    "envs/rules/tick.py": "from .moves import move\n\n\ndef play():\n    return move()\n",
    "envs/rules/moves.py": (
        "def move():\n    from sidestep.envs.rules.tick import play\n\n    return play\n"
    ),
    "agents/__init__.py": "",
    "agents/a.py": "from . import b, c\nfrom sidestep.sequence import layer\n",
    "agents/b.py": "import sidestep.agents.c\n",
    "agents/c.py": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from .a import A\n"
        "    from .deep.d import D\n"
    ),
    "agents/deep/__init__.py": "",
    "agents/deep/d.py": "",
    "sequence/__init__.py": "",
    "sequence/layer.py": "import sidestep.agents.b\n",
    "scripts/__init__.py": "",
    "scripts/cli.py": "from sidestep.envs import step\n",
}
"""Two circles of files: in envs/rules, inside one room; and a, b, c and layer, of which one import
must go (c's of a), after which a, b, c, deep stand on four floors."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_tree_with_known_numbers(tree: Path) -> None:
    plan = Plan(tree)
    assert plan.circles() == [
        ["agents/a.py", "agents/b.py", "agents/c.py", "sequence/layer.py"],
        ["envs/rules/moves.py", "envs/rules/tick.py"],
    ]
    assert plan.arrows_up() == 1
    assert [plan.floors(name) for name in PACKAGES] == [4, 2, 1, 1]
    assert plan.lines("scripts") == 1
    assert plan.lines() == sum(text.count("\n") for text in TREE.values())


def test_the_best_order_leaves_the_fewest_arrows() -> None:
    graph = {"a": {"b": 3}, "b": {"c": 2}, "c": {"a": 5, "b": 1}}
    (circle,) = circles(graph)
    assert sorted(circle) == ["a", "b", "c"]
    assert best_order(graph, circle) == (["b", "a", "c"], 2)  # b's two on c


def test_a_walk_counts_bodies_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = {
        "walked_a": "import walked_c\nfrom walked_b import step\n\n\ndef go():\n    step()\n\n",
        "walked_b": "def step():\n    return [i for i in range(2)]\n\n\ndef other():\n    pass\n",
        "walked_c": "def early():\n    return 1\n\n\nX = early()\n",
    }
    for name, text in code.items():
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    kernels: set[Any] = set()
    walk, outer = Walk(tmp_path, kernels), sys.getprofile()
    sys.setprofile(walk.see)
    import walked_a  # type: ignore[import-not-found]

    walked_a.go()
    sys.setprofile(outer)
    assert [(row["file"], row["lines"]) for row in walk.files()] == [
        ("walked_a.py", 7),
        ("walked_b.py", 6),
    ]
    assert not any(row["compiled"] for row in walk.files())
    step = walked_a.step
    assert isinstance(step, FunctionType)
    kernels |= walk.functions["walked_b.py"]
    assert [row["compiled"] for row in walk.files()] == [False, True]


def test_what_stands_stays() -> None:
    plan = Plan(ROOT)
    assert plan.circles() == []
    assert plan.arrows_up() == 0
    for package in ("envs", "agents", "sequence"):
        assert plan.floors(package) <= ROWS[f"floors {package}"][2]


def test_no_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--tree", str(tmp_path), "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert "expected a checkout with agents, envs, scripts, sequence" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_three_walks(tmp_path: Path) -> None:
    main(["--out", str(tmp_path)])
    record = json.loads((tmp_path / "results" / "house.json").read_text())
    assert set(ROWS) <= set(record["numbers"])
    on = {
        name: [Path(row["file"]).name for row in files] for name, files in record["walks"].items()
    }
    assert on["train"][0] == "cli.py" and set(on["update"]) < set(on["train"])
    assert {"deep_sarsa.py", "collector.py", "vector_env.py", "tick.py"} <= set(on["update"])
    assert {"recurrent.py", "gru.py"} <= set(on["layer"]) and "lstm.py" not in on["layer"]
    assert {"screen.py", "env.py", "tick.py", "board.py"} <= set(on["frame"])
    assert {"train.py", "cli.py"}.isdisjoint(on["frame"])
    page = (tmp_path / "architecture.md").read_text()
    assert page.count("<!-- begin house -->") == page.count("<!-- end house -->") == 1
