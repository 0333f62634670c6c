"""Texts that a spreadsheet would run: a cell that begins like a formula is one."""

from __future__ import annotations

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""What a cell must not begin with. Source: OWASP, CSV injection."""

ESCAPE = "'"
"""Spreadsheets take a cell that begins with it as text and do not show it."""


def is_formula(cell: str) -> bool:
    """Say whether a spreadsheet would take a text as a formula."""
    return cell.startswith(FORMULA_SIGNS)


def safe_cell(cell: str) -> str:
    """Write a text so that no spreadsheet runs it."""
    return f"{ESCAPE}{cell}" if is_formula(cell) else cell
