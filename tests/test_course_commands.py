"""Every command of the course's chapters runs, in their order and in one folder, made small."""

import io
import re
import shlex
import shutil
from pathlib import Path

import pytest

from sidestep.scripts import check, cli
from sidestep.scripts.course.chapters import CHAPTERS
from sidestep.scripts.course.checking import Report, judge
from sidestep.scripts.course.student import Event, look

COURSE = Path(__file__).resolve().parents[1] / "docs" / "course"
BLOCK = re.compile(r"^```bash([^\n]*)\n(.*?)^```", re.M | re.S)

TEXT = "--hidden-size 8 --updates 2 --rows 4 --steps 8 --validate-every 0"
PAIRS = "--hidden-size 8 --embedding-size 4 --batch-size 4 --updates 2 --validate-every 0"
SERIES = "--hidden-size 4 --updates 2 --validate-every 0"
SHORT = "--total-steps 64 --hidden-sizes 5 --evaluate-every 0 --episodes 2 --gif-episodes 0"
LANES = f"{SHORT} --num-envs 2 --rollout-steps 4"
PICTURE = "--size 400x300 --episodes 1"
WINDOW = "--fps 1000 --episodes 1"
SENTENCE = '"수지가 어제 도서관에서 책을 읽었다."'

SMALL = {
    "sidestep lm train --updates 200 --out runs/levels": TEXT,
    "sidestep lm train hello.txt --cell rnn --hidden-size 8 --embedding-size 0 "
    "--learning-rate 0.03 --updates 100 --out runs/hello": "",
    "sidestep lm sample runs/hello --prompt h --length 4 --temperature 0": "",
    "sidestep lm hello": "--updates 5",
    "sidestep lm hello --out hello.gif": "--updates 2 --frames 2",
    "sidestep gradients --out runs/gradients": "--hidden-size 3 --steps 4",
    "sidestep gradients --w-hh 3 --w-xh 2 --b 1 --x 0 --steps 3": "",
    "sidestep gradients --w-hh 3 --w-xh 2 --b 1 --x -0.5 --steps 3 --nonlinearity relu": "",
    "sidestep gradients --example glimpse-gru": "--steps 3",
    "sidestep train deep-sarsa --memory lstm --out runs/lstm": f"{LANES} --memory-size 4",
    "sidestep record runs/lstm --panels values units gates --out lstm.gif": PICTURE,
    "sidestep gates --cell lstm --set f=0": "--hidden-size 8",
    "sidestep gates runs/lstm --set f=0 --episodes 100": "--episodes 2",
    "sidestep lm train --cell gru --hidden-size 64 --updates 200 --out runs/gru": TEXT,
    "sidestep gates --cell gru --set z=1": "--hidden-size 8",
    "sidestep gates --cell gru --convention updates --set z=1": "--hidden-size 8",
    "sidestep lm train --updates 400 --out runs/topics": TEXT,
    'sidestep lm sample runs/topics --prompt "The " --length 200': "--length 20",
    "sidestep lm paint runs/topics --find inside-quotes": "--length 200 --search-length 2000",
    "sidestep lm watch runs/topics": "--out reading.png --length 50",
    "sidestep lm watch --example topics --find inside-quotes": "--out quotes.png --length 400",
    "sidestep lm corpus dialogue --out talk.txt": "--characters 4000",
    "sidestep lm train talk.txt --updates 400 --out runs/talk": TEXT,
    "sidestep lm evaluate runs/talk": "--samples 1 --length 100",
    "sidestep forecast --out runs/sunspots": SERIES,
    "sidestep forecast --window 2 --cell lstm --updates 120 --out runs/sunspots-lstm": SERIES,
    "sidestep translate train --task reversal --attention none --updates 400 "
    "--out runs/narrow": PAIRS,
    "sidestep translate run runs/narrow 70413": "--search greedy",
    "sidestep translate evaluate runs/narrow": "--search greedy",
    "sidestep translate train --task reversal --updates 400 --out runs/wide": PAIRS,
    "sidestep translate evaluate runs/narrow runs/wide --by-length": "--pairs 20 --search greedy",
    "sidestep translate train --task chat --out runs/chat": PAIRS,
    "sidestep translate chat runs/chat": "",
    "sidestep caption train --out runs/caption": PAIRS,
    "sidestep caption evaluate runs/caption": "--worlds 5",
    "sidestep caption show runs/caption --out caption.png": "",
    "sidestep translate train --attention additive --out runs/korean": PAIRS,
    f"sidestep translate run runs/korean {SENTENCE} --figure attention.png": "--search greedy",
    f"sidestep translate watch runs/korean {SENTENCE}": "--no-window",
    "sidestep translate watch --example korean": "--no-window",
    "sidestep translate train --task english-korean --out runs/english": PAIRS,
    "sidestep train deep-sarsa --preset textbook --total-steps 100000 --out runs/textbook": SHORT,
    "sidestep evaluate runs/textbook --episodes 1000": "--episodes 2",
    "sidestep solve --out optimum.png": "--level S..G",
    "sidestep train reinforce --preset textbook --total-steps 200000 --out runs/plain": SHORT,
    "sidestep train reinforce --baseline mean --batch episodes --trace-decay 1 "
    "--out runs/mean": LANES,
    "sidestep table runs/plain runs/mean --settings": "",
    "sidestep train deep-sarsa --env sidestep/Cue-v0 --env-kwargs delay=100 --memory gru "
    "--out runs/cue": f"{LANES} --env-kwargs delay=3 --memory-size 4",
    "sidestep train reinforce --env sidestep/Glimpse-v0 --memory lstm "
    "--out runs/glimpse": f"{LANES} --memory-size 4",
    "sidestep record runs/glimpse --out glimpse.gif --panels units gates ghosts": PICTURE,
    "sidestep gates runs/glimpse --set f=0": "--episodes 2",
    "sidestep watch runs/glimpse --set f=0": WINDOW,
    "sidestep watch --example glimpse-gru --set z=1": WINDOW,
}
"""Of each command the flags that make it small; they stand in for those of the same name."""


def commands() -> list[tuple[str, str]]:
    """Page and command, in order; lines that end in a backslash go on."""
    found = []
    for page in ["index.md", *sorted(p.name for p in (COURSE / "en").glob("[01]*.md"))]:
        for word, code in BLOCK.findall((COURSE / "en" / page).read_text(encoding="utf-8")):
            assert not word.strip(), f"{page}: {word}"
            found += [(page, line) for line in code.replace("\\\n", " ").splitlines()]
    return [(page, " ".join(line.split())) for page, line in found]


def made_small(line: str) -> list[str]:
    words, smaller = shlex.split(line)[1:], shlex.split(SMALL[line])
    kept: list[str] = []
    dropping = False
    for word in words:
        dropping = word in smaller if word.startswith("--") else dropping
        kept += [] if dropping else [word]
    return kept + smaller


def test_every_command_has_a_small_version_and_none_is_left_over() -> None:
    lines = {line for _, line in commands() if not line.startswith(("printf", "sidestep check"))}
    assert lines == SMALL.keys()


def test_flags_that_make_small_take_the_place_of_others() -> None:
    words = made_small("sidestep gates runs/lstm --set f=0 --episodes 100")
    assert words == ["gates", "runs/lstm", "--set", "f=0", "--episodes", "2"]


def in_this_process(path: Path, number: str, seconds: float) -> Report:
    told: list[Event] = []
    look(path, CHAPTERS[number].exercises, told.append, lambda: None)
    return judge(told, CHAPTERS[number])


@pytest.mark.slow
def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks too, in this process: tests/scripts/course starts others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(check, "check", in_this_process)
    monkeypatch.setattr("sys.stdin", io.StringIO("안녕\n"))
    seen = set()
    for page, line in commands():
        if line in seen:
            continue
        seen.add(line)
        if line.startswith("printf"):
            assert line == "printf 'hello' > hello.txt"
            Path("hello.txt").write_text("hello")
        elif line.startswith("sidestep check"):
            _checks(page, shlex.split(line)[1:])
        else:
            run(made_small(line), 0)


def _checks(page: str, words: list[str]) -> None:
    if page == "index.md":  # the skeleton is written, and is not right yet
        run(words, 0 if "--template" in words else 1)
        return
    shutil.copy(COURSE / "answers" / f"{words[1]}.py", words[2])
    run(words, 0)


def run(words: list[str], code: int) -> None:
    """Run a command, which must end with this exit code."""
    try:
        cli.main(words)
        ended: object = 0
    except SystemExit as stop:
        ended = stop.code or 0
    assert ended == code, words
