"""The world: a grid whose obstacles move, as Gymnasium environments.

Importing this module registers the ids of `ENV_IDS`; `gym.make("sidestep.envs:ID")` imports it.
"""

from .config import WorldConfig as WorldConfig
from .env import MovingObstaclesEnv as MovingObstaclesEnv
from .level import Cell as Cell
from .level import Level as Level
from .level import Obstacle as Obstacle
from .memoryless import Memoryless as Memoryless
from .memoryless import best_memoryless as best_memoryless
from .registration import ENV_IDS as ENV_IDS
from .registration import register as _register
from .remembering import Remembering as Remembering
from .remembering import best_remembering as best_remembering
from .solver import Solution as Solution
from .solver import solve as solve
from .solver_levels import LevelSolutions as LevelSolutions
from .solver_levels import solve_levels as solve_levels
from .solver_tables import Unsolvable as Unsolvable
from .vector_checks import FaultyVectorEnv as FaultyVectorEnv
from .vector_checks import check_vector_env as check_vector_env
from .vector_checks import find_faults as find_faults
from .vector_env import MovingObstaclesVectorEnv as MovingObstaclesVectorEnv
from .vector_returns import Finding as Finding
from .world import Scene as Scene
from .world import State as State

_register()
