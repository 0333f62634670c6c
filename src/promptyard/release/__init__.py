"""Station 5: whether a candidate may replace the baseline. One file and one line a gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.protocols import Gate
from promptyard.release.ceilings import CeilingGate
from promptyard.release.certificates import CertificateGate
from promptyard.release.holdout_gate import HoldoutGate
from promptyard.release.targets import TargetGate

GATES: Mapping[str, Callable[[], Gate]] = {
    "holdout": HoldoutGate,
    "targets": TargetGate,
    "ceilings": CeilingGate,
    "certificates": CertificateGate,
}
