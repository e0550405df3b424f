"""The directive `player`: an episode in a page with a player, recorded while the site is built.

    ```{player} glimpse-gru
    :seed: 3
    :panels: values units
    ```

The name is that of an example run; options are flags of `sidestep record`, and `:as:` another name
for the page. A page is made again where the viewer or the examples have changed since.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
MADE_BY = ("viewer/**/*.py", "data/player.html", "data/examples/**/*", "record.py")
FLAGS = ("seed", "episodes", "pick", "panels", "size", "fps", "set")
RECORD = """
import json, sys
from sidestep.scripts.cli import main
for words in json.load(sys.stdin):
    main(words)
"""


class PlayerFrame(nodes.General, nodes.Element):
    """A frame with a player in it."""


class Player(SphinxDirective):
    """A frame with the recording of an example run."""

    required_arguments = 1
    option_spec: ClassVar = dict.fromkeys([*FLAGS, "as"], directives.unchanged)

    def run(self) -> list[nodes.Node]:
        """Note what to record, and make the frame."""
        name = self.arguments[0]
        file = f"players/{self.options.pop('as', name)}.html"
        words = ["record", "--example", name]
        for flag, value in self.options.items():
            words += [f"--{flag}", *value.split()]
        self.env.metadata[self.env.docname].setdefault("players", {})[file] = words
        uri = relative_uri(f"{self.env.docname}.html", file)
        return [PlayerFrame("", uri=uri, title=f"Player: {name}")]


def frame(writer: nodes.NodeVisitor, node: nodes.Element) -> None:
    """Write the frame, and a link to its page alone."""
    uri, title = node["uri"], node["title"]
    writer.body.append(  # type: ignore[attr-defined]
        f'<iframe class="player" src="{uri}" title="{title}" loading="lazy"></iframe>\n'
        f'<p class="player-alone"><a href="{uri}">The player alone</a></p>\n'
    )
    raise nodes.SkipNode


def record(app: Sphinx, error: Exception | None) -> None:
    """Record what is missing or older than what records it, in one process."""
    if error is not None or app.builder.format != "html":
        return
    wanted = {
        file: words
        for page in app.env.metadata.values()
        for file, words in page.get("players", {}).items()
    }
    newest = max(path.stat().st_mtime for glob in MADE_BY for path in SCRIPTS.glob(glob))
    todo = []
    for file, words in wanted.items():
        out = Path(app.outdir) / file
        if not out.exists() or out.stat().st_mtime < newest:
            out.parent.mkdir(exist_ok=True)
            todo.append([*words, "--out", str(out)])
    if not todo:
        return
    recorder = subprocess.run(
        [sys.executable, "-c", RECORD], input=json.dumps(todo), capture_output=True, text=True
    )
    if recorder.returncode:
        raise SphinxError(f"expected {len(todo)} players, got: {recorder.stderr.strip()}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the recording."""
    app.add_node(PlayerFrame, html=(frame, None))
    app.add_directive("player", Player)
    app.connect("build-finished", record)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
