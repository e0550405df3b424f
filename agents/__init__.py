"""The learners: Deep SARSA and REINFORCE, on any Gymnasium env with discrete actions."""

from sidestep.sequence.fitting.runs import Progress as Progress

from .acting.collector import Collector as Collector
from .acting.evaluation import Evaluation as Evaluation
from .acting.evaluation import evaluate as evaluate
from .algorithms.deep_sarsa import DeepSarsa as DeepSarsa
from .algorithms.deep_sarsa import DeepSarsaConfig as DeepSarsaConfig
from .algorithms.learner import Agent as Agent
from .algorithms.learner import LearnerConfig as LearnerConfig
from .algorithms.presets import Presets as Presets
from .algorithms.registry import Learner as Learner
from .algorithms.registry import preset as preset
from .algorithms.registry import register_learner as register_learner
from .algorithms.reinforce import Reinforce as Reinforce
from .algorithms.reinforce import ReinforceConfig as ReinforceConfig
from .environments import EnvConfig as EnvConfig
from .environments import make_single as make_single
from .environments import make_vector as make_vector
from .models import REINFORCE as REINFORCE
from .models import DeepSARSA as DeepSARSA
from .networks import Network as Network
from .networks import NetworkConfig as NetworkConfig
from .runs import RunConfig as RunConfig
from .runs import load_agent as load_agent
from .settings import TrainingConfig as TrainingConfig
from .training import Trainer as Trainer
from .traits import Traits as Traits
