"""`sidestep gates`: force the gates of a cell, and see what is forgotten."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from sidestep.agents import load_agent, make_single
from sidestep.agents.player import Player
from sidestep.scripts.gating.course import Course
from sidestep.scripts.gating.episodes import ForcedPlayer, Played, Score, course_of, play
from sidestep.scripts.gating.figure import DONE, READ, gates_figure
from sidestep.scripts.gating.texts import Read, fitted_cell, read
from sidestep.scripts.sequences.lm_task import (
    configs_of,
    in_known_form,
    load_language_model,
    read_text,
    split_text,
    text_of,
)
from sidestep.scripts.shared.console import (
    add_row,
    check_folder,
    command,
    console,
    progress,
    say,
    table,
)
from sidestep.scripts.shared.curves import check_picture, save_figure
from sidestep.scripts.shared.forcing import EQUATIONS, Convention, Forcing, memory_of, parted
from sidestep.scripts.shared.modules import import_noted
from sidestep.scripts.viewer.session import action_names
from sidestep.sequence.fitting.fitted import read_run
from sidestep.sequence.fitting.folder import read_settings
from sidestep.sequence.limits import COUNT, LAST_SEED, NATURAL, at_least, check_fields
from sidestep.sequence.models.language import LanguageModel, Vocabulary

EXAMPLES = """\
  sidestep gates --cell gru --set z=1
  sidestep gates --cell gru --convention updates --set z=1 --text "hello hello"
  sidestep gates --cell lstm --set f=0 o=1 --from 2 --out gates.png
  sidestep gates runs/poems verse.txt --set f=0
  sidestep gates runs/glimpse --set f=0 --episodes 200 --out gates.png"""

HELLO, EPISODES, LENGTH, UNITS = "hello", 100, 200, 16
SHOWN = 24
"""Steps of a table; the figures below it are over all."""


@dataclass(frozen=True)
class Options:
    """Force gates of a cell to a value, beside the same cell with its own gates."""

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """A run of `sidestep lm` or of `sidestep train`; left out, a small cell is fitted to a text."""
    file: Annotated[Path | None, tyro.conf.Positional] = None
    """UTF-8 text for a language model to read; what its run held out if left out."""
    forced: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="GATE=VALUE ...")] = ()
    """Gates and what they are held at, 0 to 1: f, i, o of an LSTM, r, z of a GRU; the candidates g
    and n take -1 to 1. None: the cell is shown as it is."""
    convention: Convention = "keeps"
    """What an open z does: it keeps the past, as in this package, or updates it, as in papers that
    weigh the candidate by z."""
    start: Annotated[int, tyro.conf.arg(name="from")] = 0
    """The first step that is forced."""
    layer: int | None = None
    """Of several layers the one that is forced and shown, from 0."""
    cell: Literal["lstm", "gru", "rnn"] | None = None
    """Without a run: the cell, an LSTM if left out."""
    reset: Literal["after", "before"] | None = None
    """Without a run: where a GRU resets, after the product with h (if left out) or before it."""
    hidden_size: int | None = None
    """Without a run: units, 16 if left out."""
    text: str | None = None
    """What is read; without a run `hello` if left out."""
    length: int | None = None
    """Of a run of `sidestep lm`: characters that are read; if left out 200, of --text all."""
    episodes: int | None = None
    """Of an agent: how many are played for its success, 100 if left out."""
    seed: int = 0
    """Of a fitted cell's weights; of an agent's first episode."""
    checkpoint: str | None = None
    """Of a run: last, best, or a name; if left out best of a language model, last of an agent."""
    out: Path | None = None
    """Also draw gates, states, and how right each step was to this .png, .svg or .pdf."""
    modules: tuple[str, ...] = ()
    """Modules to import first: of a run's env whose id is `module:id`, or that register what the
    run is made of."""

    def __post_init__(self) -> None:
        """Check every field, and that each is for what is shown."""
        limits = {"length": at_least(2), "hidden_size": COUNT, "episodes": COUNT, "layer": NATURAL}
        check_fields(self, limits | {"seed": at_least(0, LAST_SEED)})
        if self.start < 0:
            raise ValueError(f"from: expected at least 0, got {self.start}")
        check_picture(self.out, "out")
        if self.run is None:
            self.refuse("without a run", "file", "length", "episodes", "checkpoint", "layer")
        else:
            self.refuse("beside a run", "cell", "reset", "hidden_size")
        if self.reset is not None and self.cell != "gru":
            raise ValueError(f"reset: expected --cell gru beside it, got {self.cell or 'lstm'}")
        if self.text is not None and self.file is not None:
            raise ValueError("text: expected a file or --text, got both")
        if self.start and not self.forced:
            raise ValueError("from: expected gates to force (--set) beside it, got none")
        parted(self).forcing()

    def forcing(self) -> Forcing:
        """What is forced."""
        return Forcing.of(self.forced, self.convention, self.layer)

    def refuse(self, words: str, *names: str) -> None:
        """Raise ValueError for options that would do nothing here."""
        for name in names:
            if _told(self, name):
                flag = name.replace("_", "-")
                raise ValueError(f"{flag}: expected none {words}, got {getattr(self, name)}")


def _told(options: Options, name: str) -> bool:
    return getattr(options, name) is not None


def gates(options: Options) -> None:
    """Show a cell with its own gates and with forced ones."""
    options = parted(options)
    torch.set_num_threads(1)
    check_folder(options.out, "out")
    forcing = options.forcing()
    if options.run is None:
        _fitted(options, forcing)
        return
    kind = read_settings(options.run).get("kind")
    if kind not in (None, "lm"):
        raise ValueError(
            f"run: expected one of `sidestep lm` or `sidestep train`, got one of {kind!r}"
        )
    import_noted(options.run)
    if kind == "lm":
        _language(options, forcing)
    else:
        _agent(options, forcing)


def _fitted(options: Options, forcing: Forcing) -> None:
    """A small cell that is fitted to the text."""
    cell, text = options.cell or "lstm", HELLO if options.text is None else options.text
    units, before = options.hidden_size or UNITS, options.reset == "before"
    model, vocabulary, updates = fitted_cell(text, cell, not before, units, options.seed)
    kind = cell.upper() + (", reset before," if before else "")
    name = f"{kind} of {units} units, fitted to {text[:24]!r} in {updates} updates"
    _over_text(options, forcing, model, vocabulary, text, name)


def _language(options: Options, forcing: Forcing) -> None:
    """A language model's run."""
    assert options.run is not None
    options.refuse("of a language model", "episodes")
    model, vocabulary = load_language_model(options.run, options.checkpoint or "best")
    forcing.check(model.recurrent)
    whole = _text(options, vocabulary)
    text = whole[: options.length or (LENGTH if options.text is None else None)]
    try:
        vocabulary.encode(text)
    except ValueError as error:
        raise ValueError(f"{options.file or 'text'}, {error}") from None
    name = f"{options.run.name}: {model.config.cell.upper()} of {model.config.hidden_size} units"
    _over_text(options, forcing, model, vocabulary, text, name)


def _text(options: Options, vocabulary: Vocabulary) -> str:
    """What is read: --text, the file's, or what the run held out."""
    if options.text is not None:
        return in_known_form(options.text, vocabulary)
    if options.file is not None:
        return in_known_form(read_text(options.file), vocabulary)
    assert options.run is not None
    record = read_run(options.run, "lm")
    _, _, stream = configs_of(options.run, record)
    text = text_of(options.run, record)
    _, held_out = split_text(vocabulary.encode(text), stream)
    return text[len(text) - len(held_out) :] if len(held_out) else text


def _over_text(
    options: Options,
    forcing: Forcing,
    model: LanguageModel,
    vocabulary: Vocabulary,
    text: str,
    name: str,
) -> None:
    """Table, figures and picture of a model over a text."""
    forcing = replace(forcing.on(model.recurrent), in_last=True)  # the forced layer is shown
    found = read(model, vocabulary, text, forcing, options.start)
    if model.config.num_layers > 1:
        name += f", layer {found.layer}"
    columns = ["step", "reads", "next", "gates", "p(next)"]
    courses = {"own": found.own} | ({str(forcing): found.forced} if found.forced else {})
    _show(options, forcing, model.recurrent, name, columns, courses)
    for words in _lost(options, forcing, found):
        say(words)
    _draw(options, forcing, model.recurrent, name, courses, "p(right next)", READ)


def _lost(options: Options, forcing: Forcing, found: Read) -> list[str]:
    """What was lost, in words."""
    own, many = found.nats(found.own), len(found.own)
    if found.forced is None:
        return [f"{own:.3f} nats a character over {many}."]
    after = found.nats(found.forced)
    change = "loses" if after >= own else "gains"
    return [
        f"With {_when(options, forcing)} it {change} {abs(after - own):.3f} nats a character over "
        f"{many}: {own:.3f} with its own gates, {after:.3f} forced."
    ]


def _when(options: Options, forcing: Forcing) -> str:
    where = "" if forcing.layer is None else f" in layer {forcing.layer}"
    return f"{forcing}{where}" + (f" from step {options.start} on" if options.start else "")


def _agent(options: Options, forcing: Forcing) -> None:
    """An agent's run: one episode looked into, many counted."""
    assert options.run is not None
    options.refuse("of an agent", "file", "text", "length")
    path = None
    if options.checkpoint not in (None, "last"):
        path = options.run / f"{str(options.checkpoint).removesuffix('.json')}.json"
    agent, run = load_agent(options.run, path, options.modules)
    memory = memory_of(agent)
    forcing = forcing.on(memory)
    players = {"own": Player(agent)}
    if forcing:
        players[str(forcing)] = ForcedPlayer(agent, forcing, options.start)
    env = make_single(run.env)
    try:
        looked = {name: play(env, player, options.seed, True) for name, player in players.items()}
        names = tuple(name.removeprefix("action ") for name in action_names(env))
        counted = _count(options, env, players)
    finally:
        env.close()
    courses = {name: course_of(one, names, forcing) for name, one in looked.items()}
    scores = looked["own"].ticks[0].insight.are_probabilities
    name = f"{options.run.name}: {type(memory).__name__} of {memory.hidden_size} units"
    top = memory.num_layers - 1
    name += f", layer {top}" * (top > 0)
    right = "p" if scores else "value"
    columns = ["tick", "sees", "does", "gates", right]
    title = f"{name}, seed {options.seed}"
    _show(options, forcing, memory, title, columns, courses)
    _tell_agent(options, forcing, looked, counted)
    _draw(options, forcing, memory, title, courses, f"{right} of what it does", DONE)


def _count(options: Options, env: Any, players: dict[str, Player]) -> dict[str, Score]:
    """What each player makes of the same episodes."""
    seeds = range(options.seed, options.seed + (options.episodes or EPISODES))
    counted = {}
    with progress(transient=True) as bar:
        for name, player in players.items():
            tracked = bar.track(seeds, description=name)
            counted[name] = Score.of([play(env, player, seed) for seed in tracked])
    return counted


def _tell_agent(
    options: Options,
    forcing: Forcing,
    looked: dict[str, Played],
    counted: dict[str, Score],
) -> None:
    """What was lost, as a table and in words."""
    last = options.seed + counted["own"].episodes - 1
    heading = f"{counted['own'].episodes:,} episodes, seeds {options.seed} to {last}, greedy"
    columns = ["gates", "success [95 %]", "mean return", "mean length"]
    console.print(table(heading, columns, [[n, *s.cells()] for n, s in counted.items()]))
    if not forcing:
        return
    own, forced = counted["own"], counted[str(forcing)]
    words = f"mean return {own.total:.3f} to {forced.total:.3f}"
    if own.successes is not None and forced.successes is not None:
        shares = [score.successes / score.episodes for score in (own, forced)]  # type: ignore[operator]
        words = f"success {shares[0]:.1%} to {shares[1]:.1%}, {words}"
    one, other = looked["own"], looked[str(forcing)]
    say(
        f"With {_when(options, forcing)} it goes from {words}. Seed {options.seed}: {one}; forced: "
        f"{other}."
    )


def _show(
    options: Options,
    forcing: Forcing,
    layer: Any,
    name: str,
    columns: list[str],
    courses: dict[str, Course],
) -> None:
    """The heading and the table, a row for each step and course."""
    if "z" in layer.gate_words:
        say(f"z {options.convention}: {EQUATIONS[options.convention]}")
    meaning = forcing.meaning()
    if meaning:
        say(f"{_when(options, forcing)}: {meaning}.")
    own = courses["own"]
    longest = max(map(len, courses.values()))
    rest = f"; the first {SHOWN} of {longest:,} steps" if longest > SHOWN else ""
    several = len(courses) > 1
    kept = [0, 1, 2] + ([3] if several else []) + [4]
    shown = table(f"{name}{rest}", [*(columns[k] for k in kept), *own.columns], [])
    for step in range(min(longest, SHOWN)):
        for course_name, course in courses.items():
            if step < len(course):
                told = course.labels[step]
                if course is not own and step < len(own) and told == own.labels[step]:
                    told = ("",) * len(told)
                add_row(shown, [*told, *([course_name] if several else []), *course.cells(step)])
        shown.rows[-1].end_section = several
    console.print(shown)


def _draw(
    options: Options,
    forcing: Forcing,
    layer: Any,
    title: str,
    courses: dict[str, Course],
    right: str,
    axis: int,
) -> None:
    """The picture, where one is asked for."""
    if options.out is None:
        return
    words = {name: forcing.word(name, word) for name, word in layer.gate_words.items()}
    when = f" from step {options.start} on" if options.start else ""
    marks = {name: f"{name}={value:g}{when}" for name, value in forcing.values.items()}
    marks = marks if forcing.in_last else {}
    names = {"own": "its own gates", str(forcing): f"forced: {_when(options, forcing)}"}
    named = {names[name]: course for name, course in courses.items()}
    figure = gates_figure(title, named, words, marks, right, axis, options.start)
    save_figure(figure, options.out)
    say(f"wrote {options.out}")


main = command("gates", Options, gates, EXAMPLES)

if __name__ == "__main__":
    main()
