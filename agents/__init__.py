"""The learners: Deep SARSA and REINFORCE, on any Gymnasium env with discrete actions."""

from .agent import Agent as Agent
from .agent import LearnerConfig as LearnerConfig
from .deep_sarsa import DeepSarsa as DeepSarsa
from .deep_sarsa import DeepSarsaConfig as DeepSarsaConfig
from .environments import EnvConfig as EnvConfig
from .environments import make_single as make_single
from .environments import make_vector as make_vector
from .evaluation import Evaluation as Evaluation
from .evaluation import evaluate as evaluate
from .library import REINFORCE as REINFORCE
from .library import DeepSARSA as DeepSARSA
from .networks import NetworkConfig as NetworkConfig
from .reinforce import Reinforce as Reinforce
from .reinforce import ReinforceConfig as ReinforceConfig
from .rollout import Collector as Collector
from .runs import RunConfig as RunConfig
from .runs import load_agent as load_agent
from .settings import TrainingConfig as TrainingConfig
from .training import Progress as Progress
from .training import Trainer as Trainer
