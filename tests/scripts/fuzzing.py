"""Damaged and forged files through every reader, in a process of its own; run by test_fuzz.py.

    python tests/scripts/fuzzing.py --cases 10000 --seed 0

A case copies a run, a save, a replay or a level, changes it in one way, and reads it. It must be
taken or be refused: a command with exit code 2 and one line, a function with ValueError or OSError.
Whatever else comes is a failure; a crash of the interpreter is one too, and the last line of the
output then tells the case. Half of the cases are *forged*: their digests and identities are made
to agree again, so that what stands behind these is reached.
"""

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from sidestep.agents import DeepSARSA, EnvConfig
from sidestep.agents.runs import identity_of
from sidestep.envs import MovingObstaclesEnv
from sidestep.scripts import evaluate, forecast, lm, record, train, translate
from sidestep.scripts.sequences.translate_data import DataConfig, corpus_of
from sidestep.scripts.sequences.translate_task import TranslationTask, record_of
from sidestep.scripts.shared.finals import record_of as final_record
from sidestep.scripts.shared.finals import write_final
from sidestep.scripts.shared.settings_file import read_settings, words_of, write_settings
from sidestep.scripts.shared.train_flags import options_of
from sidestep.scripts.studies.found import found_run
from sidestep.scripts.studies.tables import csv_text, runs_tables, seeds_table
from sidestep.scripts.viewer.replay import Replay
from sidestep.sequence.fitting.checkpoint import load_checkpoint, save_checkpoint
from sidestep.sequence.fitting.fitted import begin_run, facts_of
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig

OLD = Path(__file__).parent / "golden" / "first_format"
SECONDS = 20
"""That a case may take; one that takes longer has asked for much work, which is no fault."""
MEMORY = 12 * 2**30
OWN = ("format", "tensors", "bytes", "sha256", "digest")

VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 7, 3.5, -0.5, 1e308, 10**9, 2**63, 10**30, "", "x", "\ud800",
    "a/b", "this:x/Y-v0", "\x1b[31m", [], [1], [[]], ["x"], [None, 1], {}, {"a": 1}, float("nan"),
    float("inf"), "y" * 5000, [0] * 1000,
]  # fmt: skip


def play(*words: str) -> Callable[[Path], None]:
    """A command, with RUN for the folder."""
    commands: dict[str, Callable[[list[str]], Any]] = {
        "evaluate": evaluate.main, "record": record.main, "train": train.main, "lm": lm.main,
        "forecast": forecast.main, "translate": translate.main,
    }  # fmt: skip

    def run(folder: Path) -> None:
        commands[words[0]]([word.replace("RUN", str(folder)) for word in words[1:]])

    return run


def tabled(folder: Path) -> None:
    runs = [found_run(folder)]
    for shown in [*runs_tables(runs), seeds_table(runs, 1)]:
        Console(file=io.StringIO()).print(shown)


def flagged(path: Path) -> None:
    settings = {k: v for k, v in read_settings(path).items() if k != "learner"}
    words_of(settings, options_of("deep-sarsa"), "", {})


LENGTH = ("--episodes", "2")
READERS: dict[str, list[Callable[[Path], None]]] = {
    "save": [lambda folder: DeepSARSA.load(folder / "model").env.close()],
    "sarsa": [
        play("evaluate", "RUN", *LENGTH),
        play("evaluate", "RUN", "--checkpoint", "best", *LENGTH),
        play("record", "RUN", "--out", "RUN/x.png", "--size", "160x120"),
        play("train", "resume", "RUN", "--total-steps", "2030", "--gif-episodes", "0", *LENGTH),
    ],
    "reinforce": [
        play("evaluate", "RUN", "--sampled", *LENGTH),
        play("train", "resume", "RUN", "--total-steps", "2030", "--gif-episodes", "0", *LENGTH),
    ],
    "lm": [
        play("lm", "sample", "RUN", "--length", "5"),
        play("lm", "resume", "RUN", "--updates", "22", "--file", "RUN/text.txt"),
    ],
    "forecast": [play("forecast", "resume", "RUN", "--updates", "22")],
    "translate": [play("translate", "run", "RUN", "the 4th of March 2021", "--search", "greedy")],
    "table": [lambda folder: csv_text([found_run(folder)]), lambda folder: tabled(folder)],
    "settings": [lambda folder: flagged(folder / "a.toml"), lambda folder: flagged(folder)],
    "replay": [lambda folder: Replay.load(folder / "game.json").make_env().close()],
    "level": [lambda folder: MovingObstaclesEnv(level=folder / "map.txt").close()],
}


def prepare(folder: Path) -> None:
    """Whole files of every kind, in the present format."""
    for name in ("save", "sarsa", "reinforce", "lm", "forecast"):
        shutil.copytree(OLD / name, folder / name)
        for path in (folder / name).glob("*.json"):
            if path.name != "config.json":
                rewrite(path, *load_checkpoint(path))
    for name in ("table", "settings"):
        (folder / name).mkdir()
        shutil.copy(OLD / "sarsa" / "config.json", folder / name)
    shutil.copy(OLD / "sarsa" / "metrics.jsonl", folder / "table")
    interval = [0.5, 0.25, None]
    figures = {"episodes": 9, "return_mean": interval, "success": interval, "length_mean": 7.5}
    write_final(folder / "table", final_record(figures, 3, 9999, EnvConfig()))
    write_settings(folder / "settings" / "a.toml", read_settings(folder / "settings"), "By hand.")
    (folder / "replay").mkdir()
    replay = {"format": "sidestep replay", "version": 1, "player": "x"}
    env = {"id": "sidestep/MovingObstacles-v0", "kwargs": ["level='S.G'"], "max_episode_steps": 9}
    episode = {"seed": 7, "level": "S.G", "actions": [2, 2], "total": 0.9, "success": True}
    text = json.dumps({**replay, "env": env, "episodes": [episode]})
    (folder / "replay" / "game.json").write_text(text)
    (folder / "level").mkdir()
    (folder / "level" / "map.txt").write_text("S..#\n.>..\n..?G\n")
    data, model = DataConfig(task="dates"), Seq2SeqConfig(hidden_size=4, embedding_size=3)
    fitting, corpus = FittingConfig(updates=2), corpus_of(None, data, model.max_source)
    settings = record_of(corpus, data, model, fitting)
    task, run = TranslationTask(corpus, data, model, fitting), folder / "translate"
    begin_run(run, "translate", settings)
    Fitter(task, fitting, run, facts_of(settings)).save()


def rewrite(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Save a checkpoint anew, with right digests."""
    own = {k: v for k, v in facts.items() if k not in OWN}
    save_checkpoint(path.parent, path.stem, tensors, own)


def pick_file(folder: Path, dice: random.Random, *endings: str) -> Path:
    files = sorted(p for p in folder.iterdir() if not endings or p.suffix in endings)
    return dice.choice(files)


def damage_bytes(folder: Path, dice: random.Random) -> str:
    path = pick_file(folder, dice)
    data = bytearray(path.read_bytes())
    at = dice.randrange(len(data) + 1)
    to = min(len(data), at + dice.choice([1, 1, 2, 8, 100]))
    kind = dice.choice(["flip", "cut", "delete", "insert", "twice", "empty", "zeros", "noise"])
    match kind:
        case "flip" if at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        case "cut":
            del data[at:]
        case "delete":
            del data[at:to]
        case "insert":
            data[at:at] = dice.randbytes(dice.choice([1, 3, 50]))
        case "twice":
            data += bytes(data)
        case "empty":
            data.clear()
        case "zeros":
            data[at:to] = bytes(to - at)
        case "noise":
            data[at:to] = dice.randbytes(to - at)
    path.write_bytes(data)
    return f"{kind} at {at} of {path.name}"


def damage_files(folder: Path, dice: random.Random) -> str:
    one, other = pick_file(folder, dice), pick_file(folder, dice)
    kind = dice.choice(["swap", "gone", "copied", "folder", "pipe"])
    match kind:
        case "swap":
            first = one.read_bytes()
            one.write_bytes(other.read_bytes())
            other.write_bytes(first)
        case "copied":
            one.write_bytes(other.read_bytes())
        case "gone":
            one.unlink()
        case "folder":
            one.unlink()
            one.mkdir()
        case "pipe":
            one.unlink()
            os.mkfifo(one)
    return f"{kind} {one.name} {other.name}"


def edit(value: Any, dice: random.Random) -> tuple[Any, str]:
    """A JSON value with one change somewhere, and where."""
    names: list[Any] = []
    if isinstance(value, dict):
        names = list(value)
    elif isinstance(value, list):
        names = list(range(len(value)))
    if not names or dice.random() < 0.15:
        new = dice.choice(VALUES)
        return new, f" = {new!r:.40}"
    name, copy = dice.choice(names), value.copy()
    if dice.random() < 0.15:
        del copy[name]
        return copy, f".{name} gone"
    if isinstance(copy, dict) and dice.random() < 0.05:
        copy["extra"] = dice.choice(VALUES)
        return copy, ".extra"
    copy[name], where = edit(value[name], dice)
    return copy, f".{name}{where}"


def edit_json(folder: Path, dice: random.Random) -> str:
    if not list(folder.glob("*.json*")):
        return damage_bytes(folder, dice)
    path = pick_file(folder, dice, ".json", ".jsonl")
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    number = dice.randrange(len(lines))
    changed, where = edit(json.loads(lines[number]), dice)
    lines[number] = json.dumps(changed)
    path.write_text("\n".join(lines) + "\n")
    return f"edit {path.name}{where}"


def checkpoints(folder: Path) -> list[Path]:
    others = ("config.json", "final.json", "game.json")
    return sorted(p for p in folder.glob("*.json") if p.name not in others)


def forge_facts(folder: Path, dice: random.Random) -> str:
    path = dice.choice(checkpoints(folder))
    tensors, facts = load_checkpoint(path)
    changed, where = edit({k: v for k, v in facts.items() if k not in OWN}, dice)
    rewrite(path, tensors, changed if isinstance(changed, dict) else {"x": changed})
    return f"forge facts of {path.name}{where}"


def forge_tensor(folder: Path, dice: random.Random) -> str:
    path = dice.choice(checkpoints(folder))
    tensors, facts = load_checkpoint(path)
    name = dice.choice(sorted(tensors))
    old = tensors[name]
    kind = dice.choice(["gone", "renamed", "empty", "type", "axis", "longer", "flat", "values",
                        "one value", "extra"])  # fmt: skip
    types = [torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool]
    match kind:
        case "gone":
            del tensors[name]
        case "renamed":
            tensors[name + dice.choice(["", ".", "x"]) + "y"] = tensors.pop(name)
        case "empty":
            tensors[name] = torch.empty(*dice.choice([(0,), (0, 3), (5, 0)]), dtype=old.dtype)
        case "type":
            tensors[name] = old.to(dice.choice(types))
        case "axis":
            tensors[name] = old.unsqueeze(dice.randrange(old.dim() + 1))
        case "longer":
            tensors[name] = torch.cat([old.reshape(-1)] * 2)
        case "flat":
            tensors[name] = old.reshape(-1)
        case "values":
            tensors[name] = torch.full_like(old, _extreme(old.dtype, dice))
        case "one value" if old.numel():
            flat = old.reshape(-1).clone()
            flat[dice.randrange(len(flat))] = _extreme(old.dtype, dice)
            tensors[name] = flat.reshape(old.shape)
        case _:
            tensors["extra." + name] = old
    rewrite(path, tensors, facts)
    return f"forge {path.name} {name} {kind}"


def _extreme(dtype: torch.dtype, dice: random.Random) -> Any:
    if dtype == torch.bool:
        return dice.random() < 0.5
    if dtype.is_floating_point:
        return dice.choice([float("nan"), float("inf"), -1.0, 1e30, 0.0])
    about = torch.iinfo(dtype)
    return dice.choice([about.min, about.max, 0, 1, 100])


def forge_config(folder: Path, dice: random.Random) -> str:
    """Change config.json, and make its checkpoints those of the changed one."""
    path = folder / "config.json"
    if not path.exists():
        return forge_facts(folder, dice)
    changed, where = edit(json.loads(path.read_text()), dice)
    path.write_text(json.dumps(changed))
    with contextlib.suppress(KeyError, TypeError, AttributeError):
        kind = {k: v for k, v in changed.items() if k != "kind"}
        run = facts_of(kind)["run"] if "fitting" in changed else identity_of(changed)
        for one in checkpoints(folder):
            tensors, facts = load_checkpoint(one)
            rewrite(one, tensors, {**facts, "run": run})
    return f"forge config{where}"


def forge_header(folder: Path, dice: random.Random) -> str:
    """Change a safetensors header, and make the JSON beside it agree."""
    path = dice.choice(checkpoints(folder))
    _, facts = load_checkpoint(path)
    file = folder / facts["tensors"]
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, where = edit(json.loads(data[8 : 8 + size]), dice)
    text = json.dumps(header).encode()
    length = dice.choice([len(text)] * 6 + [0, 1, 2**40, 2**63])
    new = length.to_bytes(8, "little") + text + data[8 + size :]
    file.write_bytes(new)
    changed = {**facts, "bytes": len(new), "sha256": sha256(new).hexdigest()}
    rest = json.dumps({k: v for k, v in changed.items() if k != "digest"}, sort_keys=True)
    path.write_text(json.dumps({**changed, "digest": sha256(rest.encode()).hexdigest()}))
    return f"forge header{where} length {length}"


PLAIN = [damage_bytes, damage_bytes, damage_files, edit_json, edit_json]
FORGED = [forge_facts, forge_tensor, forge_tensor, forge_config, forge_header]


class TooLong(BaseException):
    """A case took more than SECONDS."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def outcome(read: Callable[[Path], None], folder: Path) -> str:
    """taken, refused, long, or what went wrong."""
    said = io.StringIO()
    try:
        with limited(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            read(folder)
    except TooLong:
        return "long"
    except (ValueError, OSError) as error:
        lines = str(error).count("\n")
        return "refused" if lines == 0 and str(error) else f"FAILED: {lines} lines, {error!r}"
    except SystemExit as end:
        line = end.code if isinstance(end.code, str) else said.getvalue()
        fine = (end.code == 2 or isinstance(end.code, str)) and line.strip().count("\n") == 0
        return "refused" if fine else f"FAILED: exit {end.code}: {line}"
    except BaseException:
        return f"FAILED: {traceback.format_exc()}"
    return "taken"


def main() -> None:
    """Run the cases; the last line is JSON with the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    counts: dict[str, int] = {"taken": 0, "refused": 0, "long": 0, "failed": 0}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.chdir(root)
        prepare(root / "whole")
        for kind, readers in READERS.items():
            for read in readers:  # what is whole is taken
                shutil.rmtree(root / "case", ignore_errors=True)
                shutil.copytree(root / "whole" / kind, root / "case")
                assert outcome(read, root / "case") == "taken", (kind, read)
        for number in range(options.cases):
            dice = random.Random(options.seed * 10**6 + number)
            kind = options.only or dice.choice(list(READERS))
            read = dice.choice(READERS[kind])
            shutil.rmtree(root / "case", ignore_errors=True)
            shutil.copytree(root / "whole" / kind, root / "case")
            forged = checkpoints(root / "case") and dice.random() < 0.5
            change = dice.choice(FORGED if forged else PLAIN)(root / "case", dice)
            print(f"{number} {kind} {READERS[kind].index(read)} {change!r}", flush=True)
            found = outcome(read, root / "case")
            if "this" in sys.modules:
                found = "FAILED: a file has imported a module"
            counts[found if found in counts else "failed"] += 1
            if found.startswith("FAILED") or found == "long":
                print(found, flush=True)
    print(json.dumps(counts))
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
