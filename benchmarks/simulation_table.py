"""One line of a table that sets a simulated figure beside the one it should reproduce."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HEAD = (
    "| quantity | anchor | ours | Monte-Carlo error | within error |\n"
    "| --- | ---: | ---: | ---: | --- |"
)


@dataclass(frozen=True)
class Row:
    """One line of the table; a figure is None where the anchor has none or no effect can be seen.

    `errors` are standard errors of our simulation; empty where nothing was simulated.
    """

    quantity: str
    anchor: tuple[float | None, ...]
    ours: tuple[float | None, ...]
    digits: int
    errors: tuple[float, ...] = ()

    @property
    def within_error(self) -> bool:
        """Whether each figure lies within rounding and twice the error of the difference."""
        errors = self.errors or (0.0,) * len(self.ours)
        for anchor, own, error in zip(self.anchor, self.ours, errors, strict=True):
            if anchor is None or own is None:
                if anchor is not own:
                    return False
            elif abs(anchor - own) > 0.5 * 10.0**-self.digits + 2.0 * math.sqrt(2.0) * error + 1e-9:
                return False
        return True

    def line(self) -> str:
        """The row as Markdown; our figures get one digit more where they were simulated."""
        digits = self.digits + bool(self.errors)
        known = any(value is not None for value in self.anchor)
        cells = (
            self.quantity,
            " / ".join(shown(value, self.digits) for value in self.anchor) if known else "",
            " / ".join(shown(value, digits) for value in self.ours),
            " / ".join(shown(error, digits + 1) for error in self.errors) or "exact",
            ("yes" if self.within_error else "**no**") if known else "",
        )
        return "| " + " | ".join(cells) + " |"


def shown(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def rate_row(quantity: str, anchor: float | None, hits: int, n: int, digits: int = 2) -> Row:
    rate = hits / n
    near = (hits + 0.5) / (n + 1)  # no hit is no certainty
    return Row(quantity, (anchor,), (rate,), digits, (math.sqrt(near * (1.0 - near) / n),))


def mean_row(quantity: str, anchor: float | None, values: Sequence[float], digits: int) -> Row:
    drawn = np.array(values)
    error = float(drawn.std(ddof=1) / math.sqrt(len(drawn)))
    return Row(quantity, (anchor,), (float(drawn.mean()),), digits, (error,))
