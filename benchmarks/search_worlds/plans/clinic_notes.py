"""clinic-notes: eleven fields out of the notes of an animal clinic. Answers are JSON objects."""

from __future__ import annotations

import random
from datetime import date, timedelta

from search_worlds.plan import Drawn, Plan, Value
from search_worlds.plans.clinic_skills import CLASHES, IDLE, SKILLS, TRAPS

ANIMALS = (("feline", "cat"), ("canine", "dog"), ("lagomorph", "rabbit"), ("psittacine", "parrot"))
NAMES = ("Biscuit", "Juno", "Waffles", "Odin", "Pebble", "Saffron", "Mochi", "Tarka", "Bramble")
SIGNS = (
    "limping on the left hind leg",
    "scratching both ears",
    "refusing dry food",
    "coughing at night",
    "drinking far more than usual",
    "losing fur around the collar",
    "a swollen eyelid",
    "shaking its head",
    "sneezing since the move",
    "a broken claw",
)
ASIDES = (
    "the neighbour is minding the garden",
    "the carrier is borrowed",
    "a sibling from the same litter is well",
    "the family is moving house in spring",
    "the new sofa is to blame, the owner jokes",
)
DRUGS = (
    ("meloxicam", "Metacam"),
    ("amoxicillin", "Synulox"),
    ("fluralaner", "Bravecto"),
    ("maropitant", "Cerenia"),
    ("prednisolone", "Prednicare"),
    ("carprofen", "Rimadyl"),
)
ALLERGENS = ("penicillin", "latex", "chicken protein", "iodine")
FIELDS = (
    "species",
    "reason",
    "weight_kg",
    "drug",
    "dose_mg",
    "revisit",
    "allergy",
    "paid",
    "urgency",
    "vet",
)
VETS = ("Dr Amari", "Dr Lindqvist", "Dr Petrosyan", "Dr Odhiambo")


def write_seed(rng: random.Random) -> str:
    """The seed prompt: the task, a few remarks, and one or two sentences that are wrong."""
    wrong = rng.sample([text for skill in SKILLS for text in skill.contrary], rng.choice((1, 2)))
    remarks = rng.sample(
        (
            "The notes come from three branches of the practice.",
            "Some were dictated.",
            "Nurses abbreviate a lot.",
        ),
        2,
    )
    return "\n".join(
        (
            "You prepare notes of an animal clinic for the practice's database.",
            "Return a JSON object with species, reason, weight_kg, drug, dose_mg, revisit, "
            "allergy, paid, urgency and vet.",
            " ".join((remarks[0], *wrong)),
            remarks[1],
        )
    )


def draw(rng: random.Random) -> Drawn:
    """Draw a note."""
    wrongs: dict[str, dict[str, Value]] = {}
    species, word = rng.choice(ANIMALS)
    visit = date(2024, 1, 8) + timedelta(days=rng.randrange(320))
    lines = [
        f"Visit of {visit:%d %B %Y}, seen by {(vet := rng.choice(VETS))}",
        f"Patient: {rng.choice(NAMES)}, a {rng.randrange(1, 14)} year old {word}.",
    ]
    if rng.random() < 0.5:
        wrongs["species_term"] = {"species": word}
    gold: dict[str, Value] = {"species": species, "vet": vet}
    lines.append(_reason(rng, gold, wrongs))
    lines.append(_weight(rng, gold, wrongs))
    lines.append(_drug(rng, gold, wrongs))
    lines.append(_revisit(rng, visit, gold, wrongs))
    lines.append(_allergy(rng, gold, wrongs))
    lines.append(_paid(rng, gold, wrongs))
    lines.append(_urgency(rng, gold, wrongs))
    ordered = {name: gold[name] for name in FIELDS}
    return Drawn("\n".join(lines), ordered, wrongs)


def _reason(rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]) -> str:
    sign = rng.choice(SIGNS)
    gold["reason"] = sign
    if rng.random() < 0.35:
        aside = rng.choice(ASIDES)
        wrongs["reason_single"] = {"reason": f"{sign}; {aside}"}
        return f"Complaint: {sign}. The owner mentions that {aside}."
    return f"Complaint: {sign}."


def _weight(rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]) -> str:
    kilos = rng.randrange(4, 60) / 2
    gold["weight_kg"] = kilos
    if rng.random() < 0.3:
        pounds = round(kilos * 2.2, 1)
        wrongs["weight_pounds"] = {"weight_kg": pounds}
        return f"On the scales: {pounds} lb."
    if rng.random() < 0.4:
        wrongs["weight_bare"] = {"weight_kg": f"{kilos} kg"}
    return f"On the scales: {kilos} kg."


def _drug(rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]) -> str:
    (generic, brand), (other, _) = rng.sample(DRUGS, 2)
    gold["drug"] = generic
    shown = generic
    if rng.random() < 0.4:
        shown = brand
        wrongs["drug_generic"] = {"drug": brand}
    struck = ""
    if rng.random() < 0.2:
        struck = f"~~{other}~~ "
        wrongs["drug_struck"] = {"drug": other}
    single = rng.choice((2, 5, 8, 10, 25, 40, 50))
    chance = rng.random()
    if chance < 0.22:
        times, word = rng.choice(((2, "twice daily"), (3, "three times daily")))
        gold["dose_mg"] = single * times
        wrongs["dose_daily"] = {"dose_mg": single}
        return f"Prescribed: {struck}{shown}, {single} mg {word}."
    gold["dose_mg"] = single
    if chance < 0.4:
        wrongs["dose_micro"] = {"dose_mg": single * 1000}
        return f"Prescribed: {struck}{shown}, {single * 1000} micrograms once daily."
    return f"Prescribed: {struck}{shown}, {single} mg once daily."


def _revisit(
    rng: random.Random, visit: date, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]
) -> str:
    n_weeks, word = rng.choice(((2, "two"), (3, "three"), (4, "four"), (6, "six")))
    day = visit + timedelta(weeks=n_weeks)
    gold["revisit"] = day.isoformat()
    if rng.random() < 0.25:
        wrongs["revisit_count"] = {"revisit": f"in {word} weeks"}
        return f"Next appointment in {word} weeks."
    written = f"{day.day} {day:%B %Y}"
    if rng.random() < 0.45:
        wrongs["revisit_form"] = {"revisit": written}
    return f"Next appointment on {written}."


def _allergy(
    rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]
) -> str:
    allergen = rng.choice(ALLERGENS)
    chance = rng.random()
    gold["allergy"] = None
    if chance < 0.25:
        wrongs["allergy_none"] = {"allergy": "none known"}
        return "Allergies: none known."
    if chance < 0.45:
        wrongs["allergy_suspected"] = {"allergy": allergen}
        return f"Allergies: {allergen} is suspected, test pending."
    gold["allergy"] = allergen
    return f"Allergies: {allergen}, confirmed by test."


def _paid(rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]) -> str:
    gold["paid"] = rng.random() < 0.5
    if gold["paid"]:
        return "Bill settled at the desk."
    if rng.random() < 0.5:
        wrongs["paid_partial"] = {"paid": True}
        return rng.choice(("Owner paid a deposit.", "Owner paid the first instalment today."))
    return "Bill to be sent by post."


def _urgency(
    rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]
) -> str:
    colour, plain, seen = rng.choice(
        (
            ("red", "high", "Breathing was laboured on arrival."),
            ("amber", "medium", "Pain on touch."),
            ("green", "low", "Bright and alert."),
        )
    )
    gold["urgency"] = colour
    if rng.random() < 0.15:
        wrongs["urgency_scale"] = {"urgency": plain}
    return seen


PLAN = Plan(
    name="clinic-notes",
    kind="object",
    fields=FIELDS,
    mark="VN",
    skills=SKILLS,
    draw=draw,
    write_seed=write_seed,
    traps=TRAPS,
    clashes=CLASHES,
    idle=IDLE,
)
