"""How Sphinx builds the site of these pages: `sidestep docs`."""

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

project = "sidestep"
author = "The sidestep authors"
project_copyright = author
release = version = installed("sidestep")
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_parser",
    "docstrings",
    "languages",
    "mathml",
    "players",
    "public",
    "search_korean",
    "sources",
]
exclude_patterns = ["_ext", "_static", "**/.ipynb_checkpoints"]

# Pages in Markdown, as GitHub shows them.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
html_math_renderer = "mathml"
html_search_language = "en-ko"

# The API, from what is installed.
default_role = "name"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# The look.
html_theme = "furo"
html_title = "sidestep"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options: dict[str, object] = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#0b6e75", "color-brand-content": "#0b6e75"},
    "dark_css_variables": {"color-brand-primary": "#5fd0d6", "color-brand-content": "#5fd0d6"},
}
if repository := os.environ.get("GITHUB_REPOSITORY"):  # where the workflow publishes it
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    html_theme_options |= {
        "source_repository": f"{server}/{repository}",
        "source_branch": os.environ.get("GITHUB_REF_NAME", "main"),
        "source_directory": "docs/",
    }
