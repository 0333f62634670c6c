"""Eval sets of other tools, read into our terms.

An importer is one file (or folder) and one line in `FOREIGN_IMPORTERS`. It knows what the fields
of its format mean and gives an `ImportedSet`; nothing of the source is run, and what cannot be run
here becomes a `skip` check that is counted. Native tables are read by `evalset.IMPORTERS` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from promptyard.evalset.foreign.braintrust import Braintrust
from promptyard.evalset.foreign.deepeval import DeepEval
from promptyard.evalset.foreign.head import HEAD_BYTES
from promptyard.evalset.foreign.inspect_ai import InspectAi
from promptyard.evalset.foreign.langfuse import Langfuse
from promptyard.evalset.foreign.mlflow import MLflow
from promptyard.evalset.foreign.openai_evals import OpenAiEvals
from promptyard.evalset.foreign.promptfoo.importer import Promptfoo
from promptyard.evalset.foreign.pydantic_evals import PydanticEvals
from promptyard.protocols import ForeignImporter

FOREIGN_IMPORTERS: Mapping[str, Callable[[], ForeignImporter]] = {
    "promptfoo": Promptfoo,
    "pydantic_evals": PydanticEvals,
    "openai_evals": OpenAiEvals,
    "langfuse": Langfuse,
    "mlflow": MLflow,
    "deepeval": DeepEval,
    "braintrust": Braintrust,
    "inspect": InspectAi,
}
"""The built-in importers by the name of their format, the more particular ones first."""


def recognised_formats(
    path: Path, importers: Mapping[str, Callable[[], ForeignImporter]] = FOREIGN_IMPORTERS
) -> Sequence[str]:
    """Return the formats that a file may be in, the likeliest first. Reads its beginning."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return [name for name, make in importers.items() if make().recognises(path, head)]


__all__ = ["FOREIGN_IMPORTERS", "recognised_formats"]
