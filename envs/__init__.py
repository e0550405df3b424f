"""The world: a grid whose obstacles move, as Gymnasium environments.

Importing this module registers the ids of `ENV_IDS` and `RECALL_IDS`;
`gym.make("sidestep.envs:ID")` imports it.
"""

from .checker.check import FaultyVectorEnv as FaultyVectorEnv
from .checker.check import check_vector_env as check_vector_env
from .checker.check import find_faults as find_faults
from .checker.returned import Finding as Finding
from .config import WorldConfig as WorldConfig
from .env import MovingObstaclesEnv as MovingObstaclesEnv
from .levels.level import Level as Level
from .notebook import register as _register_pictures
from .observations.lanes import Lanes as Lanes
from .observations.table import Observation as Observation
from .observations.table import Shown as Shown
from .observations.table import register_observation as register_observation
from .observations.view import View as View
from .registration import ENV_IDS as ENV_IDS
from .registration import RECALL_IDS as RECALL_IDS
from .registration import register as _register
from .rules.grid import Cell as Cell
from .rules.grid import Grid as Grid
from .rules.grid import Obstacle as Obstacle
from .solver.by_level import LevelSolutions as LevelSolutions
from .solver.by_level import solve_levels as solve_levels
from .solver.hidden.memoryless import Memoryless as Memoryless
from .solver.hidden.memoryless import best_memoryless as best_memoryless
from .solver.hidden.remembering import Remembering as Remembering
from .solver.hidden.remembering import best_remembering as best_remembering
from .solver.solution import Solution as Solution
from .solver.solution import solve as solve
from .solver.tables import Unsolvable as Unsolvable
from .vector_env import MovingObstaclesVectorEnv as MovingObstaclesVectorEnv
from .world import Scene as Scene
from .world import State as State

_register()
_register_pictures()
