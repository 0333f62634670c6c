from __future__ import annotations

import subprocess
import sys

import pytest

import promptyard.testing


@pytest.mark.parametrize("name", promptyard.testing.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(promptyard.testing, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'ScriptedMetric'"):
        promptyard.testing.__getattr__("ScriptedMetric")
    assert dir(promptyard.testing) == sorted(promptyard.testing.__all__)


def test_the_tools_are_not_loaded_before_they_are_used() -> None:
    program = (
        "import sys, promptyard.testing\n"
        "assert not any(name.startswith('promptyard.testing.') for name in sys.modules)\n"
        "from promptyard.testing import ModelContract, ScriptedModel\n"
        "assert not {'aiohttp', 'sqlalchemy', 'pytest'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
