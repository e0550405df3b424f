"""The course's notebooks: what the chapters give, and all their cells run."""

import base64
import importlib.util
import io
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import sidestep.envs  # noqa: F401  # registers

ROOT = Path(__file__).resolve().parents[1]
COURSE = ROOT / "docs" / "course"
HOW = "python docs/_ext/notebooks.py"
STRICT = ("error", "default")


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs/_ext/notebooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = maker()
PAGES = [page for language in MAKER.LANGUAGES for page in MAKER.chapters(language)]


def path_of(page: Path) -> Path:
    return MAKER.NOTEBOOKS / page.parent.name / f"{page.stem}.ipynb"  # type: ignore[no-any-return]


def cells_of(page: Path) -> list[dict[str, Any]]:
    return json.loads(path_of(page).read_text(encoding="utf-8"))["cells"]  # type: ignore[no-any-return]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def tagged(page: Path, *tags: str) -> list[str]:
    """The code of the cells that have these tags, or none."""
    cells = [cell for cell in cells_of(page) if cell["cell_type"] == "code"]
    return [source(cell) for cell in cells if cell["metadata"].get("tags", []) == list(tags)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_notebooks_are_what_the_chapters_give(page: Path) -> None:
    assert path_of(page).read_text(encoding="utf-8") == MAKER.written(page), f"run {HOW}"


def test_there_is_a_notebook_for_each_chapter_and_no_other() -> None:
    assert set(MAKER.NOTEBOOKS.rglob("*.ipynb")) == {path_of(page) for page in PAGES}
    assert len(PAGES) == 24


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_block_of_a_chapter_has_its_cell(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^```(\w*)([^\n]*)\n(.*?)^```", text, re.M | re.S)
    code = [code.strip() for kind, word, code in fences if (kind, word) == ("python", "")]
    assert tagged(page) == code
    checked = [code for kind, _, code in fences if code.startswith("sidestep check")]
    assert [cell.splitlines()[-1] for cell in tagged(page, "check")] == [
        f"!{line.strip()}" for line in checked
    ]
    exercises = [code.strip() for _, word, code in fences if word == " exercise"]
    for cell, signature in zip(tagged(page, "exercise"), exercises, strict=True):
        assert cell.endswith(f"{signature}\n    ...")
    commands = [code for kind, word, code in fences if (kind, word) == ("bash", "")]
    typed = [code.replace("\\\n    ", "").strip() for code in commands if code not in checked]
    assert [cell.replace("!", "") for cell in tagged(page, "command")] == typed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_lead_somewhere_from_the_notebook_s_folder(page: Path) -> None:
    prose = "\n".join(source(cell) for cell in cells_of(page) if cell["cell_type"] == "markdown")
    assert "<!--" not in prose
    links = re.findall(r"\]\(([^)#\s]+)", re.sub(r"```.*?```", "", prose, flags=re.S))
    own = [link for link in links if "://" not in link]
    assert own and all((path_of(page).parent / link).is_file() for link in own), own
    assert sum(link.endswith((".png", ".gif")) for link in own) == page.read_text("utf-8").count(
        "!["
    )


def test_chapters_on_agents_show_them_in_both_languages() -> None:
    english = {page.stem[:2]: tagged(page, "shown") for page in MAKER.chapters("en")}
    korean = {page.stem[:2]: tagged(page, "shown") for page in MAKER.chapters("ko")}
    assert english == korean
    assert {number: len(cells) for number, cells in english.items() if cells} == {
        "10": 2, "11": 1, "12": 1,
    }  # fmt: skip


def run(cells: list[tuple[str, str]], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run cells in one kernel, warnings as errors; returns each cell's outputs."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    words = [str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(words))  # of this environment's sidestep
    strict, lenient = (f"import warnings; warnings.simplefilter('{w}')" for w in STRICT)
    codes = [strict, *(code for _, code in cells), lenient]  # the kernel's own end warns
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    try:
        where = {"metadata": {"path": str(folder)}}
        nbclient.NotebookClient(made, timeout=120, resources=where).execute()
    except nbclient.exceptions.CellExecutionError as error:
        ran = [cell.source for cell in made.cells if cell.execution_count is not None]
        pytest.fail(f"{cells[len(ran) - 2][0]}: {error}")
    return [cell.outputs for cell in made.cells[1:-1]]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the notebook clients' own
def test_all_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one kernel, as torch is loaded once; each chapter begins with no name of the last."""
    nbformat = pytest.importorskip("nbformat")
    cells, shown = list[tuple[str, str]](), dict[int, str]()
    for page in MAKER.chapters("en"):
        nbformat.validate(nbformat.read(path_of(page), as_version=4))
        cells.append((page.stem, "%reset -f"))
        for cell in cells_of(page):
            tags = cell["metadata"].get("tags", [])
            if cell["cell_type"] == "code" and not {"command", "check"} & set(tags):
                shown |= {len(cells): page.stem} if "shown" in tags else {}
                cells.append((f"{page.stem}, {cell['id']}", source(cell)))
    outputs = run(cells, tmp_path, monkeypatch)
    pictures = [output.data for number in shown for output in outputs[number]]
    assert len(pictures) == len(shown) == 4
    assert all("<iframe" in data["text/html"] for data in pictures[1:])
    png = Image.open(io.BytesIO(base64.b64decode(pictures[0]["image/png"])))
    np.testing.assert_array_equal(np.asarray(png.convert("RGB")), world_of_chapter_10())


def world_of_chapter_10() -> Any:
    """The picture of the env that its cell shows."""
    env = gym.make("sidestep/MovingObstacles-v0", render_mode="rgb_array")
    env.reset(seed=4)
    for action in (1, 1, 2):
        env.step(action)
    picture = env.render()
    env.close()
    return picture


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_exercises_are_checked_from_their_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty cell is told of; the answers, written into the cells, are right."""
    (page,) = (page for page in MAKER.chapters("en") if page.stem.startswith("10"))
    answers = (COURSE / "answers" / "10.py").read_text(encoding="utf-8")
    empty, (check,) = tagged(page, "exercise"), tagged(page, "check")
    assert len(empty) == 2
    cells = [*empty, check, answers, check]
    outputs = run([("10", cell) for cell in cells], tmp_path, monkeypatch)
    first, second = ("".join(part.text for part in outputs[number]) for number in (2, 4))
    assert "sarsa_targets" in first and "All right." not in first
    assert second.rstrip().endswith("All right."), second
