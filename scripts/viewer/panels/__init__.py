"""What a view shows of a moment: one file a panel, a row each in the registry.

`register_panel` adds one from outside.
"""

from .moment import Moment as Moment
from .pen import Pen as Pen
from .registry import Panel as Panel
from .registry import register_panel as register_panel
