"""The former name of `sidestep.scripts.viewer`, for one version."""

import sys

from sidestep.scripts.viewer import replay, session, view

for _module in (replay, session, view):  # the names that the docs gave
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module
