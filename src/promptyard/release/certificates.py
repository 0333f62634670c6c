"""Certificates: a judge of whom nobody knows how far people agree with it releases nothing."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.cases import Case
from promptyard.records.verdicts import Comparison, GateSettings, PairedReport, Verdict
from promptyard.release.folding import folded


class CertificateGate:
    """Passes where every judge behind a score has a certificate, or none is asked for."""

    name = "certificates"

    def judge(self, pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Verdict:
        """Look at the judges of both reports. Costs nothing."""
        del cases
        if settings.certificates == "noted":
            return folded([], nothing="certificates of judges are noted, not required")
        checks = (*pair.baseline.checks, *pair.candidate.checks)
        judged = {check.metric: check for check in checks if check.judge is not None}
        lacking = {check.metric: check for check in checks if check.uncalibrated}
        comparisons = [
            Comparison(
                dimension=check.dimension,
                rule="report",
                status="inconclusive" if name in lacking else "pass",
                n_cases=check.n_cases,
                uncalibrated=name in lacking,
                sentence=f"the judge of '{name}' has no certificate; `promptyard judge calibrate` "
                "makes one"
                if name in lacking
                else f"the judge of '{name}' has a certificate",
            )
            for name, check in judged.items()
        ]
        return folded(comparisons, nothing="no judge gave a score")
