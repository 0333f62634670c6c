"""What task.yaml and promptyard.yaml say: their shape, and how they are read.

`shape.py` has the keys, `load.py` reads the files and the environment, `yaml_file.py` knows the
line of every key, and `problems.py` words what is wrong. Every mistake is one line: file, line,
key, what is wrong, the nearest known key. `place_in_task` and `place_in_project` find the line of
what only others can judge: names of metrics, models, strategies. Secrets come from the environment
only: a file names the variable that holds a key, and a value that might be a secret is never
repeated in a message.
"""

from __future__ import annotations

from promptyard.config.load import (
    TASK_FILE,
    load_project_config,
    load_task_config,
    place_in_project,
    place_in_task,
)
from promptyard.config.shape import (
    CheckEntry,
    LimitsConfig,
    ModelsConfig,
    OptimizeConfig,
    PriceConfig,
    ProgramConfig,
    ProjectConfig,
    ReleaseConfig,
    SplitsConfig,
    TaskConfig,
)
from promptyard.config.yaml_file import location_text

__all__ = [
    "TASK_FILE",
    "CheckEntry",
    "LimitsConfig",
    "ModelsConfig",
    "OptimizeConfig",
    "PriceConfig",
    "ProgramConfig",
    "ProjectConfig",
    "ReleaseConfig",
    "SplitsConfig",
    "TaskConfig",
    "load_project_config",
    "load_task_config",
    "location_text",
    "place_in_project",
    "place_in_task",
]
