"""The figures of the policy `auto`, with where they come from."""

from __future__ import annotations

from pydantic import Field

from promptyard.records.base import Record


class AutoSettings(Record):
    """Sizes and bars of the search. Source: anchors on search, sections 2 and 3 (ADR-0015).

    Counts are train cases where nothing else is said, z values are standard errors.
    """

    baseline_cases: int = Field(default=30, ge=1)
    cases_per_label: int = Field(default=2, ge=1)
    baseline_budget_share: float = Field(default=0.2, gt=0, le=1)
    max_buckets: int = Field(default=12, ge=1)
    max_passes: int = Field(default=3, ge=1)
    slice_cases_per_bucket: int = Field(default=2, ge=1)
    min_slice_cases: int = Field(default=8, ge=0)
    max_slice_cases: int = Field(default=30, ge=1)
    max_vain_attempts: int = Field(default=4, ge=1)
    vain_attempts_before_demos: int = Field(default=2, ge=1)
    vain_attempts_before_hunt: int = Field(default=3, ge=1)
    demos_per_bucket: int = Field(default=2, ge=0)
    max_replies: int = Field(default=3, ge=1)
    replies_per_vain: float = Field(default=0.5, ge=0)
    min_check_cases: int = Field(default=12, ge=1)
    max_check_cases: int = Field(default=24, ge=1)
    max_critical_cases: int = Field(default=12, ge=0)
    accept_z: float = 2.0
    paired_accept_z: float = 0.5
    open_z: float = 1.0
    max_long_check: int = Field(default=72, ge=1)
    serve_z: float = 2.0
    serve_paired_z: float = 1.64
    serve_z_without_holdout: float = 2.33
    min_suspicious: int = Field(default=2, ge=1)
    suspicious_share: float = Field(default=0.08, ge=0, le=1)
    max_suspicious: int = Field(default=5, ge=1)
    cured_share: float = Field(default=0.6, gt=0, le=1)
    strikes_before_ban: int = Field(default=2, ge=1)
    max_idle_rounds: int = Field(default=10, ge=1)
    max_vain_rounds: int = Field(default=4, ge=1)
    arm_cases: int = Field(default=48, ge=1)
    first_arm_cases: int = Field(default=24, ge=1)
    max_variants: int = Field(default=3, ge=1)
    arm_accept_z: float = 1.0
    only_demos_z: float = 1.64
    many_labels: int = Field(default=20, ge=2)
    rare_failures: float = Field(default=0.2, ge=0, le=1)
    plateau_rounds: int = Field(default=4, ge=1)
    arm_headroom: float = Field(default=0.2, ge=0, le=1)
    lean_budget_share: float = Field(default=0.25, ge=0, le=1)
    max_finalists: int = Field(default=3, ge=1)
    low_headroom: float = Field(default=0.03, ge=0, le=1)


def first_cases(
    settings: AutoSettings, *, n_train: int, n_labels: int, calls_left: int | None
) -> int:
    """Return how many train cases the baseline runs on first; more where there are many labels."""
    wanted = max(settings.baseline_cases, settings.cases_per_label * n_labels)
    if calls_left is not None:
        share = int(settings.baseline_budget_share * calls_left)
        wanted = min(wanted, max(settings.baseline_cases, share))
    if n_train < 2 * settings.min_check_cases:
        return min(wanted, n_train)  # too few to keep any back: dev has to do for a check
    # Half of train at least stays fresh.
    return min(wanted, n_train // 2)
