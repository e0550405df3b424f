"""Numbers that pages quote from docs/results/: where they stand, and what the records say.

A quote is a piece of a page with `{}` in the place of every number. `sidestep bench all` brings
pages up to date by it, and tests/test_quotes.py holds them to the records; words that hang on a
number are for whoever reads what has changed.
"""

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sidestep.scripts.benches.learning_curves import LEVELS, Trials, trials_of
from sidestep.scripts.benches.memory import EXACT
from sidestep.scripts.benches.records import known_result
from sidestep.scripts.benches.trials import FINAL_EPISODES, Outcome
from sidestep.scripts.shared.tables import markdown_table, spread
from sidestep.sequence import MEMORIES
from sidestep.sequence.devices import FASTER_FROM

Records = Mapping[str, dict[str, Any]]
SOURCES = ("learning", "memory", "solver", "language", "translation")
"""Records that are quoted."""
NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"
COMMIT = r"([0-9a-f]{12}(?:\+changes)?|unknown)"
BEGIN, END = "<!-- begin learning -->\n", "\n<!-- end learning -->"
"""Round a table that is made anew."""


class Quote(NamedTuple):
    """Numbers in a page."""

    words: str
    """Around them, as often in the page as `times`; `{}` is a number, `{commit}` a commit."""
    figures: Callable[[Records], Sequence[str]]
    """What should stand there."""
    times: int = 1

    @property
    def pattern(self) -> "re.Pattern[str]":
        """The words, broken into lines anywhere."""
        parts = re.split(r"(\{\}|\{commit\})", self.words)
        known = {"{}": NUMBER, "{commit}": COMMIT}
        return re.compile(
            "".join(known.get(p) or r"\s+".join(map(re.escape, re.split(r"\s+", p))) for p in parts)
        )


def corrected(page: str, text: str, records: Records) -> str:
    """A page's text with the numbers that the records have.

    Args:
        page: its path in the repository.
        text: of the page.
        records: by name; see `records_of`.

    Raises:
        ValueError: the words of a quote do not stand there as often as they should.
    """
    for quote in QUOTES[page]:
        found = list(quote.pattern.finditer(text))
        if len(found) != quote.times:
            raise ValueError(
                f"{page}: expected {quote.words!r} {quote.times} time(s), got {len(found)}"
            )
        figures = quote.figures(records)
        for match in reversed(found):
            for group in range(len(figures), 0, -1):
                begin, end = match.span(group)
                text = text[:begin] + figures[group - 1] + text[end:]
    if page in HEADINGS:
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        text = head + BEGIN + learning_table(records["learning"], *HEADINGS[page]) + END + tail
    return text


def records_of(results: Path) -> Records:
    """The records that are quoted, from the folder that has results/."""
    return {name: known_result(results, name) for name in SOURCES}


# what records say


def solved(records: Records, world: str = "MovingObstacles-v0") -> str:
    """The best possible return of a world."""
    (row,) = [row for row in records["solver"]["rows"] if row["world"] == world]
    return f"{row['return']:.4f}"


def _runs(
    records: Records, world: str, learner: str, memory: str, test: int = 0
) -> tuple[list[float], list[float]]:
    """Success and regret of all seeds."""
    runs = records["memory"]["runs"]
    mine = [
        Outcome(*runs[k][test]) for k in runs if k.startswith(f"{world}, {learner}, {memory}, ")
    ]
    return [o.success for o in mine], [o.regret for o in mine if o.regret is not None]


def success(
    records: Records, world: str, learner: str, memory: str, digits: int = 1, test: int = 0
) -> str:
    """Mean success in percent, without its sign."""
    values, _ = _runs(records, world, learner, memory, test)
    return f"{100 * statistics.mean(values):.{digits}f}"


def regret(records: Records, world: str, learner: str, memory: str, test: int = 0) -> str:
    """Mean regret."""
    return f"{statistics.mean(_runs(records, world, learner, memory, test)[1]):.2f}"


def least_and_most(values: Sequence[str]) -> list[str]:
    """The range of what is said of several."""
    return [min(values, key=float), max(values, key=float)]


def exact(records: Records) -> list[str]:
    """Success in percent and regret of the best policy without a memory that was found."""
    best = Outcome(*records["memory"]["runs"][next(iter(EXACT))][0])
    return [f"{100 * best.success:.1f}", f"{best.regret:.3f}"]


def perfect(records: Records) -> Outcome:
    """The best policy with a perfect memory."""
    return Outcome(*records["memory"]["runs"]["glimpse, best, perfect"][0])


def nats(records: Records, model: str) -> str:
    """Of a character model on held-out text."""
    return f"{records['language']['models'][model]['nats']:.3f}"


def updates(records: Records, model: str) -> str:
    """Of a character model's training."""
    return f"{records['language']['models'][model]['fitting']['updates']:,}"


def _interval(records: Records, learner: str, memory: str, what: int, form: str) -> list[str]:
    """Mean and half its interval on Glimpse-v0: of success in percent (0), of regret (1)."""
    values = [(100 - 99 * what) * v for v in _runs(records, "glimpse", learner, memory)[what]]
    return spread(values, form).split(" \u00b1 ")


# README's table

DEFAULTS = "Stable-Baselines3 PPO, its defaults", "Stable-Baselines3 PPO, 기본 설정"
ROWS = {
    "deep-sarsa, none": ("Deep SARSA",) * 2,
    "deep-sarsa, gru": ("Deep SARSA, GRU",) * 2,
    "reinforce, none": ("REINFORCE",) * 2,
    "reinforce, gru": ("REINFORCE, GRU",) * 2,
    "SB3 PPO, searched": (
        "Stable-Baselines3 PPO, best settings of a search",
        "Stable-Baselines3 PPO, 찾아낸 가장 좋은 설정",
    ),
    "SB3 PPO, defaults": DEFAULTS,
    "SB3 PPO, 16 envs": DEFAULTS,
}
"""Contestants that README shows where the record has them, in English and in Korean."""
ENGLISH = (
    ("learner", "seconds of training to 95 %", "to 99 %", "thousand steps to 95 %", "to 99 %",
     "worst seed's success in the end", "median regret"),
    "not within {} s",
)  # fmt: skip
KOREAN = (
    ("학습기", "95 %까지 학습한 초", "99 %까지", "95 %까지 천 스텝", "99 %까지",
     "가장 나쁜 시드의 최종 성공률", "리그렛의 중앙값"),
    "{}초 안에 이르지 못함",
)  # fmt: skip
HEADINGS = {"README.md": (0, *ENGLISH), "README.ko.md": (1, *KOREAN)}
"""Which name of ROWS a page takes, its columns, and its words for who never got there."""


def learning_table(
    record: dict[str, Any], language: int, columns: Sequence[str], never: str
) -> str:
    """Some rows of `bench learning`, in the digits of a first page.

    Args:
        record: results/learning.json.
        language: which of the names.
        columns: of the table.
        never: for who did not get there, with `{}` for the seconds.
    """
    trials: Trials = trials_of(record)
    words = never.format(f"{record.get('options', {}).get('peer_seconds', 30):g}")
    rows = []
    for name in ROWS.keys() & trials.keys():
        runs = trials[name]
        cells = [_middle([t.reached(s) for t in runs], ".1f", words) for s in LEVELS]
        for level in LEVELS:
            steps = [t.reached_steps(level) for t in runs]
            cells.append(_middle([n and n / 1000 for n in steps], ",.0f", "-"))
        ends = [o for t in runs for o in t.outcomes]
        cells.append(f"{min(o.success for o in ends):.2%}".replace("%", " %") if ends else "-")
        regrets = [o.regret for o in ends if o.regret is not None]
        cells.append(f"{statistics.median(regrets):.3f}" if regrets else "-")
        rows.append((list(ROWS).index(name), [ROWS[name][language], *cells]))
    return markdown_table(columns, [row for _, row in sorted(rows)])


def _middle(values: Sequence[float | None], form: str, never: str) -> str:
    middle = statistics.median([float("inf") if v is None else v for v in values])
    return never if middle == float("inf") else f"{middle:{form}}"


# pages

LARGER = "LSTM 1 x 512, dropout 0.25"
FOUR = ("rnn", "lstm", "gru", "attention")
README: list[tuple[str, str, Callable[[Records], Sequence[str]]]] = [
    ("{} seeds with the presets of commit `{commit}`", "시드 {}개로, 커밋 `{commit}`의 프리셋",
     lambda r: [str(r["learning"]["seeds"]), r["learning"]["environment"]["commit"]]),
    ("the best possible return is {}", "가장 큰 리턴은 {}입니다", lambda r: [solved(r)]),
    ("greedy policies over {} fresh episodes", "새 에피소드 {}개",
     lambda r: [f"{FINAL_EPISODES:,}"]),
    ("without any in {} % of episodes", "에피소드의 {} %에서 이릅니다", lambda r: exact(r)[:1]),
    ("reach {} % (Deep SARSA) and {} % (REINFORCE) without, and {} and {} % with an LSTM",
     "기억이 없으면 {} %(Deep SARSA)와 {} %(REINFORCE), LSTM이 있으면 {} %와 {} %에",
     lambda r: [success(r, "glimpse", learner, memory) for memory in ("none", "lstm")
                for learner in ("deep-sarsa", "reinforce")]),
    ("({} nats per character on tiny Shakespeare)", "(tiny Shakespeare에서 문자당 {} nats)",
     lambda r: [nats(r, LARGER)]),
]  # fmt: skip
"""In English, in Korean, and what should stand there."""


def _regrets(world: str, learners: Sequence[str], memories: Sequence[str]) -> Any:
    """What makes the range of mean regrets."""
    return lambda r: least_and_most(
        [regret(r, world, learner, memory) for learner in learners for memory in memories]
    )


BOTH = ("deep-sarsa", "reinforce")
QUOTES: dict[str, list[Quote]] = {
    "README.md": [Quote(words, figures) for words, _, figures in README],
    "README.ko.md": [Quote(words, figures) for _, words, figures in README],
    "docs/learning.md": [
        Quote("regrets lie between {} and {} with and without",
              _regrets("moving-obstacles", BOTH, tuple(MEMORIES))),
        Quote("at a regret of {}; without one it finds {} % and {}",
              lambda r: [f"{perfect(r).regret:.3f}", *exact(r)]),
        Quote("without a memory reach {} and {} %, with an LSTM {} and {} %.",
              lambda r: [success(r, "glimpse", learner, memory) for memory in ("none", "lstm")
                         for learner in BOTH]),
        Quote("that has none in success ({} to {} %) and in regret ({} to {})",
              lambda r: [*least_and_most([success(r, "glimpse", "reinforce", m) for m in FOUR[:3]]),
                         *_regrets("glimpse", ("reinforce",), FOUR[:3])(r)]),
        Quote("in regret on average only ({} \u00b1 {})",
              lambda r: _interval(r, "deep-sarsa", "lstm", 1, ".2f")),
        Quote("REINFORCE with attention in both ({} \u00b1 {} %)",
              lambda r: _interval(r, "reinforce", "attention", 0, ".1f")),
        Quote("Deep SARSA with the others ({} to {} %, {} to {})",
              lambda r: [*least_and_most([success(r, "glimpse", "deep-sarsa", m)
                                          for m in ("rnn", "gru", "attention")]),
                         *_regrets("glimpse", ("deep-sarsa",), ("rnn", "gru", "attention"))(r)]),
        Quote("on `MovingObstacles-v0`, learners leave {} to {}.",
              _regrets("moving-obstacles", BOTH, tuple(MEMORIES))),
        Quote("difference for REINFORCE ({} to {} % with any, regrets of {} to {}, {} without)",
              lambda r: [*least_and_most([success(r, "crossing", "reinforce", m, 0) for m in FOUR]),
                         *_regrets("crossing", ("reinforce",), FOUR)(r),
                         regret(r, "crossing", "reinforce", "none")]),
        Quote("Deep SARSA something ({} and {} % with attention and an RNN, {} % without; the {} % "
              "of a GRU",
              lambda r: [success(r, "crossing", "deep-sarsa", m, 0)
                         for m in ("attention", "rnn", "none", "gru")]),
        Quote("it pays: {} and {} % with a GRU, {} and {} % without",
              lambda r: [success(r, "crossing", learner, m, 0, test=1) for m in ("gru", "none")
                         for learner in BOTH]),
        Quote("figures of {} and {} million are those of an H100",
              lambda r: [f"{FASTER_FROM[unit] / 1e6:.0f}" for unit in ("tick", "update")]),
    ],
    "docs/optimum.md": [
        Quote("it finds a mean return of {} and {} % success, below the {} and {} % of a perfect",
              lambda r: [f"{r['memory']['runs']['glimpse, best, none'][0][1]:.3f}", exact(r)[0],
                         f"{perfect(r).mean_return:.3f}", f"{100 * perfect(r).success:.0f}"]),
        Quote("with a mean return of {} where one who sees everything has {};",
              lambda r: [f"{perfect(r).mean_return:.4f}", solved(r)]),
    ],
    "docs/sequences.md": [
        Quote("reaches {} nats per held-out character after {} updates, a GRU {}, a plain RNN {}, "
              "and an LSTM of 512 with dropout {} after {},",
              lambda r: [nats(r, "LSTM 1 x 256"), updates(r, "LSTM 1 x 256"),
                         nats(r, "GRU 1 x 256"), nats(r, "RNN 1 x 256"), nats(r, LARGER),
                         updates(r, LARGER)]),
    ],
    "docs/translation.md": [
        Quote("of 16 to 20 digits {} % come back without a mistake with attention, {} % without",
              lambda r: [f"{100 * r['translation']['reversal'][how]['exact_16_to_20']:.1f}"
                         for how in ("additive", "none")]),
        Quote("reaches a BLEU of {} with attention and {} without, a chrF of {} and {},",
              lambda r: [f"{r['translation']['korean_english'][how][score]:.1f}"
                         for score in ("bleu", "chrf") for how in ("additive", "none")]),
    ],
}  # fmt: skip
"""Of every page that quotes records, by its path in the repository."""


def correct(root: Path, out: Path) -> list[str]:
    """Bring the numbers of all pages up to date; say which changed, and which words are gone.

    Args:
        root: the repository.
        out: the folder that has results/.
    """
    records, said = records_of(out), []
    for page in QUOTES:
        path = root / page
        text = path.read_text("utf-8")
        try:
            better = corrected(page, text, records)
        except (ValueError, KeyError) as error:
            said.append(f"{page}: left as it was: {error}")
            continue
        if better != text:
            path.write_text(better, "utf-8")
            said.append(f"{page}: numbers brought up to date; read it again")
    return said
