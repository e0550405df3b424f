"""Make the notebooks of the course's chapters: `python docs/_ext/notebooks.py`.

docs/course/LANGUAGE/NN-name.md becomes docs/course/notebooks/LANGUAGE/NN-name.ipynb: prose as
Markdown, each block of Python a cell, each command a cell of `!sidestep ...` (tag `command`), each
exercise a cell with its signature (tag `exercise`) and a cell that has both checked (tag `check`).
Nothing is run: they are kept without outputs, and a test holds them to the chapters.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sidestep.scripts.course.chapters import CHAPTERS

COURSE = Path(__file__).resolve().parents[1] / "course"
NOTEBOOKS = COURSE / "notebooks"
LANGUAGES = ("en", "ko")
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```\n?", re.M | re.S)
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#\s])")
PICTURE = {"en": "## Picture", "ko": "## 그림"}
"""The part of a chapter at whose end its world or agent is shown."""

WORLD = """\
import gymnasium as gym

import sidestep.envs

env = gym.make("sidestep/MovingObstacles-v0", render_mode="rgb_array")
env.reset(seed=4)
for action in (1, 1, 2):
    env.step(action)
env
"""
PLAYER = """\
from sidestep.scripts.shared.examples import example
from sidestep.scripts.viewer.page import run_page

run_page(example("{run}"), seed={seed}, panels={panels})
"""
SHOWN = {
    "10": (
        (
            "The world of this chapter after three ticks: an env in the last line of a cell "
            "shows itself.",
            "이 장의 월드에서 세 틱이 지난 모습입니다. "
            "셀의 마지막 줄에 env를 쓰면 그림으로 보입니다.",
            WORLD,
        ),
        (
            "A trained Deep SARSA agent, to be played and stepped through; the numbers are its "
            "values and the exact ones.",
            "학습된 Deep SARSA 에이전트입니다. 재생하거나 한 틱씩 볼 수 있고, "
            "배운 가치와 정확한 가치가 숫자로 나옵니다.",
            PLAYER.format(run="obstacles", seed=3, panels='["values", "regret"]'),
        ),
    ),
    "11": (
        (
            "An agent of REINFORCE: for each action its probability, and beside it the exact "
            "value.",
            "REINFORCE 에이전트입니다. 행동마다 확률이, 그 옆에는 정확한 가치가 있습니다.",
            PLAYER.format(run="glimpse-gru", seed=3, panels='["values", "ghosts"]'),
        ),
    ),
    "12": (
        (
            "A GRU in a world that shows obstacles on every eighth tick only: its units and gates "
            "while it crosses.",
            "장애물이 여덟 틱에 한 번만 보이는 월드의 GRU입니다. "
            "건너가는 동안의 유닛과 게이트를 볼 수 있습니다.",
            PLAYER.format(run="glimpse-gru", seed=5, panels='["units", "gates", "ghosts"]'),
        ),
    ),
}
"""Of chapters on agents: what is said of a cell in each language, and the cell."""
CHECK = """\
from pathlib import Path

names = {names}
cells = [next(cell for cell in reversed(In) if f"def {{name}}(" in cell) for name in names]
Path("{file}").write_text("\\n\\n\\n".join(cells), encoding="utf-8")
!sidestep check {number} {file}
"""
"""The latest cell of each function, as one file."""


def notebook(page: Path) -> dict[str, Any]:
    """Make a chapter's notebook.

    Args:
        page: the chapter, docs/course/LANGUAGE/NN-name.md.

    Returns:
        The notebook in its file's form, nbformat 4.5.
    """
    cells = [
        _cell(kind, text, tags, f"{page.stem[:2]}-{number}")
        for number, (kind, text, *tags) in enumerate(_parts(page))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(kind: str, text: str, tags: list[str], name: str) -> dict[str, Any]:
    lines = text.strip("\n").splitlines(keepends=True)
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": name,
        "metadata": {"tags": tags} if tags else {},
        "source": lines,
    }
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def _parts(page: Path) -> Iterator[tuple[str, ...]]:
    """Kind, text and tags of each cell."""
    number, language = page.stem[:2], page.parent.name
    text = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.S)
    start, prose = 0, ""
    for fence in FENCE.finditer(text):
        cells = list(_code(fence[1], fence[2].strip(), fence[3], number))
        prose += text[start : fence.start()]
        start = fence.end()
        if not cells:
            prose += fence[0].replace("```bash planned", "```bash")
            continue
        yield from _prose(prose, page, number, language)
        prose = ""
        yield from cells
    yield from _prose(prose + text[start:], page, number, language)


def _prose(text: str, page: Path, number: str, language: str) -> Iterator[tuple[str, ...]]:
    """Markdown, and after the picture what this chapter shows beside it."""
    before, heading, after = text.partition(f"{PICTURE[language]}\n")
    if not heading or number not in SHOWN:
        yield from _markdown(text, page)
        return
    body, following, rest = after.partition("\n## ")
    yield from _markdown(f"{before}{heading}{body}", page)
    for english, korean, code in SHOWN[number]:
        yield "markdown", korean if language == "ko" else english
        yield "code", code, "shown"
    yield from _markdown(f"{following}{rest}", page)


def _markdown(text: str, page: Path) -> Iterator[tuple[str, str]]:
    if text.strip():
        yield "markdown", LINK.sub(lambda link: _moved(link[1], page), text).strip("\n")


def _moved(link: str, page: Path) -> str:
    """A link as it leads from the notebook's folder; to another chapter: to its notebook."""
    if "://" in link or link.startswith("mailto:"):
        return link
    target = Path(os.path.normpath(page.parent / link))
    if target.parent in [COURSE / language for language in LANGUAGES] and target.stem[:1].isdigit():
        target = NOTEBOOKS / target.parent.name / f"{target.stem}.ipynb"
    return Path(os.path.relpath(target, NOTEBOOKS / page.parent.name)).as_posix()


def _code(kind: str, word: str, code: str, number: str) -> Iterator[tuple[str, ...]]:
    """The cells of a block; none where it stays in the prose."""
    chapter = CHAPTERS[number]
    if kind == "python" and word == "exercise":
        yield "code", f"{chapter.imports.strip()}\n\n\n{code.rstrip()}\n    ...\n", "exercise"
    elif kind == "python" and not word:
        yield "code", code
    elif kind == "bash" and code.startswith("sidestep check"):
        names = json.dumps([exercise.name for exercise in chapter.exercises])
        yield "code", CHECK.format(names=names, file=chapter.file, number=number), "check"
    elif kind == "bash" and not word:
        lines = re.sub(r"\\\n\s*", "", code).splitlines()
        typed = [line if line.startswith("#") or not line else f"!{line}" for line in lines]
        yield "code", "\n".join(typed), "command"


def written(page: Path) -> str:
    """The text of a chapter's notebook."""
    return json.dumps(notebook(page), indent=1, ensure_ascii=False) + "\n"


def chapters(language: str) -> list[Path]:
    """The pages of the chapters in a language, in order."""
    return sorted((COURSE / language).glob("[0-9][0-9]-*.md"))


def main() -> None:
    """Write every notebook, and remove those whose chapter is no more."""
    for language in LANGUAGES:
        folder = NOTEBOOKS / language
        folder.mkdir(parents=True, exist_ok=True)
        pages = chapters(language)
        for gone in {path.stem for path in folder.glob("*.ipynb")} - {page.stem for page in pages}:
            (folder / f"{gone}.ipynb").unlink()
        for page in pages:
            (folder / f"{page.stem}.ipynb").write_text(written(page), encoding="utf-8")


if __name__ == "__main__":
    main()
