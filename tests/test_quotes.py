"""Numbers that pages quote from docs/results/ are those of the records."""

import re
import shutil
from pathlib import Path

import pytest

from sidestep.scripts.benches import quotes
from sidestep.scripts.benches.learning_curves import record_of
from sidestep.scripts.benches.quotes import QUOTES, corrected, learning_table, records_of
from sidestep.scripts.benches.trials import Outcome, Point, Trial

ROOT = Path(__file__).resolve().parents[1]
RECORDS = records_of(ROOT / "docs")
PLAIN = {"3.11", "3"}
"""Numbers of READMEs that nobody measured: of Python, of Stable-Baselines3."""
APART = re.compile(
    r"```.*?```|`[^`]*`|\]\([^)]*\)|<!-- begin learning.*?end learning -->", re.DOTALL
)
"""What holds no quoted number, and the table that is made as a whole."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", QUOTES)
def test_a_page_says_what_the_records_say(page: str) -> None:
    """Where this is red: `sidestep bench all --out docs --only house` corrects it, or the words."""
    assert text_of(page) == corrected(page, text_of(page), RECORDS)


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_a_readme_has_no_number_of_unknown_source(page: str) -> None:
    text = text_of(page)
    known = [m.span() for m in APART.finditer(text)]
    known += [m.span() for quote in QUOTES[page] for m in quote.pattern.finditer(text)]
    strange = {
        text[max(0, m.start() - 20) : m.end() + 20]
        for m in re.finditer(r"\d[\d,.]*", text)
        if m[0].strip(".,") not in PLAIN
        and not any(begin <= m.start() < end for begin, end in known)
    }
    assert not strange


@pytest.mark.parametrize("page", QUOTES)
def test_every_number_is_held(page: str) -> None:
    """Whichever is changed by hand, one digit or all of it, is changed back."""
    text, changed = text_of(page), 0
    places = [
        match.span(group)
        for quote in QUOTES[page]
        for match in quote.pattern.finditer(text)
        for group in range(1, len(match.groups()) + 1)
    ]
    if page in quotes.HEADINGS:
        begin, end = text.index(quotes.BEGIN), text.index(quotes.END)
        rows = [m.start() for m in re.finditer("\n", text[begin:end])][3:]
        inside = [(m.start(), m.end()) for m in re.finditer(r"(?<=\| )\d[\d.]*", text[begin:end])]
        places += [(begin + a, begin + b) for a, b in inside if a > rows[0]]
    for _, stop in places:
        last = int(text[stop - 1]) if text[stop - 1].isdigit() else 0
        wrong = text[: stop - 1] + str((last + 1) % 10) + text[stop:]
        assert corrected(page, wrong, RECORDS) == text
        changed += 1
    assert changed >= (20 if page in quotes.HEADINGS else 4)


def test_words_that_are_gone_are_told(tmp_path: Path) -> None:
    page = "docs/sequences.md"
    with pytest.raises(ValueError, match=r"expected 'reaches .*' 1 time\(s\), got 0"):
        corrected(page, text_of(page).replace("a plain RNN", "an RNN"), RECORDS)
    for name in QUOTES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "docs" / "results", tmp_path / "docs" / "results")
    assert quotes.correct(tmp_path, tmp_path / "docs") == []
    readme = tmp_path / "README.md"
    readme.write_text(text_of("README.md").replace("0.5996", "0.6"), encoding="utf-8")
    (tmp_path / page).write_text("other words", encoding="utf-8")
    first, second = quotes.correct(tmp_path, tmp_path / "docs")
    assert first == "README.md: numbers brought up to date; read it again"
    assert readme.read_text(encoding="utf-8") == text_of("README.md")
    assert second.startswith(f"{page}: left as it was: {page}: expected 'reaches")
    (tmp_path / "docs" / "results" / "memory.json").unlink()
    assert any(line.startswith("README.md: left as it was") for line in
               quotes.correct(tmp_path, tmp_path / "docs"))  # fmt: skip


def test_the_table_by_hand() -> None:
    def trial(seconds: float, success: float) -> Trial:
        ends = [Outcome(success, 0.5, 0.5625)]
        points = [Point(20_000, seconds, 0.96), Point(1_500_000, 2 * seconds, success)]
        return Trial(points, 9.0, 1_500_000, ends)

    slow = Trial([Point(20_000, 1.0, 0.5)], 60.0, 40_000, [Outcome(0.625, 0.0, 0.5625)])
    trials = {
        "SB3 PPO, defaults": [slow],
        "SB3 PPO, searched": [trial(6.0, 0.97)],
        "reinforce, none": [trial(2.04, 1.0), trial(4.0, 0.995), trial(1.0, 1.0)],
        "reinforce, rnn": [slow],
    }
    record = {"trials": record_of(trials), "options": {"peer_seconds": 60.0}}
    lines = learning_table(record, *quotes.HEADINGS["README.md"]).splitlines()
    assert lines[2:] == [
        "| REINFORCE | 2.0 | 4.1 | 20 | 1,500 | 99.50 % | 0.062 |",
        "| Stable-Baselines3 PPO, best settings of a search | 6.0 | not within 60 s | 20 | - "
        "| 97.00 % | 0.062 |",
        "| Stable-Baselines3 PPO, its defaults | not within 60 s | not within 60 s | - | - "
        "| 62.50 % | 0.562 |",
    ]
    korean = learning_table(record, *quotes.HEADINGS["README.ko.md"]).splitlines()
    assert "60초 안에 이르지 못함" in korean[-1]
