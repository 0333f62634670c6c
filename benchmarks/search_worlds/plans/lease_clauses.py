"""lease-clauses: the topic of a clause of a lease, one label of ten. Right or wrong, no parts."""

from __future__ import annotations

import random

from search_worlds.plan import Drawn, Plan, Value
from search_worlds.plans.lease_skills import CLASHES, IDLE, SKILLS, TRAPS

LABELS = (
    "rent",
    "rent_review",
    "security_deposit",
    "upkeep",
    "entry_rights",
    "ending",
    "sub_letting",
    "services",
    "alteration",
    "liability",
)

PLAIN = {
    "rent": ("The Tenant pays {n} pounds on the first day of each month by standing order.",),
    "security_deposit": ("On signing, {n} pounds are lodged with the custodial scheme.",),
    "upkeep": ("The Landlord keeps roof, gutters and boiler in working order, {n} visits a year.",),
    "ending": ("Either party may bring this agreement to its close with {n} days of warning.",),
    "services": ("Water and heating are shared out among the {n} flats by floor area.",),
    "alteration": ("No wall is to be moved or opened without consent, which costs {n} pounds.",),
    "liability": ("The Tenant makes good any loss caused by guests, up to {n} pounds.",),
}
"""Clauses whose topic nobody mistakes."""

BOUNDARIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "deposit_deduction": (
        "security_deposit",
        "upkeep",
        (
            "The cost of mending broken fixtures is set off against the sum that is held, down to "
            "{n} pounds.",
            "From the sum that is held, {n} pounds may be kept back for cleaning and mending.",
        ),
    ),
    "entry_for_repairs": (
        "entry_rights",
        "upkeep",
        (
            "After {n} hours of warning the Landlord's workmen may come in to mend pipes.",
            "Workmen of the Landlord are let in within {n} hours where a leak is to be mended.",
        ),
    ),
    "entry_for_meters": (
        "entry_rights",
        "services",
        (
            "The supplier's reader is let in every {n} weeks to note the gas meter.",
            "Every {n} weeks somebody may come in for reading the water meter.",
        ),
    ),
    "review_by_index": (
        "rent_review",
        "rent",
        (
            "Each April the monthly payment moves with the index of prices, at most {n} per cent.",
            "The monthly payment is adjusted after {n} months to the index of prices.",
        ),
    ),
    "break_payment": (
        "ending",
        "rent",
        (
            "Whoever moves out early pays {n} monthly instalments as a final settlement.",
            "On moving out before the term is over, {n} further instalments fall due.",
        ),
    ),
    "long_guests": (
        "sub_letting",
        "liability",
        (
            "Guests who stay longer than {n} nights need the Landlord's consent.",
            "A lodger or a guest of more than {n} nights must be approved in writing.",
        ),
    ),
    "painting": (
        "alteration",
        "upkeep",
        (
            "Rooms may be painted in a shade of one's own if it covers within {n} coats.",
            "Wallpaper of the Tenant's choice is allowed in {n} rooms.",
        ),
    ),
    "neglect": (
        "liability",
        "upkeep",
        (
            "Damp that comes from failing to air the rooms {n} times a day is put right at the "
            "Tenant's cost.",
            "Where drains block {n} times through the Tenant's neglect, the Tenant bears the cost.",
        ),
    ),
    "heading_capitals": (
        "ending",
        "services",
        ("HEATING AND WATER. This agreement lapses {n} days after the building is condemned.",),
    ),
    "heading_brackets": (
        "services",
        "ending",
        ("[Termination] The cleaning of stairs and {n} lamps is billed to all flats alike.",),
    ),
    "first_duty": (
        "rent",
        "liability",
        (
            "The instalment of {n} pounds is due monthly, and breakages in the hall are paid by "
            "whoever causes them.",
            "Instalments are due monthly in advance; moreover {n} pounds are owed for lost keys.",
        ),
    ),
}
"""By skill: the right label, the label that is taken for it, and clauses."""


def write_seed(rng: random.Random) -> str:
    """The seed prompt with one wrong sentence, sometimes two."""
    wrong = rng.sample([text for skill in SKILLS for text in skill.contrary], rng.choice((1, 1, 2)))
    opening = rng.choice(
        ("You sort clauses of leases by topic.", "Clauses of leases are filed by topic here.")
    )
    return "\n".join((opening, "Topics: " + ", ".join(LABELS) + ".", " ".join(wrong)))


def draw(rng: random.Random) -> Drawn:
    """Draw a clause; two thirds stand at a boundary between topics."""
    wrongs: dict[str, dict[str, Value]] = {}
    number = rng.randrange(2, 900)
    if rng.random() < 0.72:
        names = list(BOUNDARIES)
        weights = [8, 7, 6, 9, 7, 6, 6, 6, 6, 6, 7]
        name = rng.choices(names, weights)[0]
        label, mistaken, clauses = BOUNDARIES[name]
        wrongs[name] = {"label": mistaken}
    else:
        label = rng.choice(list(PLAIN))
        clauses = PLAIN[label]
    if rng.random() < 0.25:
        wrongs["label_only"] = {"label": "The clause is about {}."}
    if "_" in label and rng.random() < 0.5:
        wrongs["label_spelling"] = {"label": label.replace("_", " ")}
    section = f"Section {rng.randrange(1, 30)}.{rng.randrange(1, 9)}"
    return Drawn(f"{section}\n{rng.choice(clauses).format(n=number)}", label, wrongs)


PLAN = Plan(
    name="lease-clauses",
    kind="label",
    fields=("label",),
    mark="LC",
    skills=SKILLS,
    draw=draw,
    write_seed=write_seed,
    traps=TRAPS,
    clashes=CLASHES,
    idle=IDLE,
    labels=LABELS,
)
