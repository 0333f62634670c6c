"""freight-bills: five fields of a carrier's bill, where seven mistakes share the field `charge`."""

from __future__ import annotations

import random
from collections.abc import Callable

from search_worlds.plan import Drawn, Plan, Value
from search_worlds.plans.freight_skills import CLASHES, IDLE, SKILLS, TRAPS

CARRIERS = ("Halvorsen Lines", "Cormorant Haulage", "Tessel & Sons", "Meridian Barge")
PLACES = ("Ghent", "Turku", "Porto", "Leith", "Gdynia", "Bilbao", "Aarhus", "Trieste")
FIELDS = ("carrier", "charge", "payer", "goods_class", "dispute")


def write_seed(rng: random.Random) -> str:
    """The seed prompt with one wrong sentence, sometimes two."""
    wrong = rng.sample([text for skill in SKILLS for text in skill.contrary], rng.choice((1, 2)))
    return "\n".join(
        (
            "Read the bill of a carrier and fill in carrier, charge, payer, goods_class and "
            "dispute.",
            " ".join(("The result is one JSON object.", *wrong)),
        )
    )


def draw(rng: random.Random) -> Drawn:
    """Draw a bill."""
    wrongs: dict[str, dict[str, Value]] = {}
    sender, receiver = rng.sample(PLACES, 2)
    carrier = rng.choice(CARRIERS)
    lines = [f"{carrier}, from {sender} to {receiver}"]
    gold: dict[str, Value] = {"carrier": carrier}
    lines += _charge(rng, gold, wrongs)
    lines.append(_payer(rng, sender, receiver, gold, wrongs))
    word, letter = rng.choice((("perishable", "P"), ("hazardous", "H"), ("general", "G")))
    gold["goods_class"] = letter
    if rng.random() < 0.15:
        wrongs["goods_scale"] = {"goods_class": word}
    lines.append(f"Goods: {word}")
    lines.append(_dispute(rng, gold, wrongs))
    return Drawn("\n".join(lines), {name: gold[name] for name in FIELDS}, wrongs)


def _charge(
    rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]
) -> list[str]:
    total = rng.randrange(80, 900)
    ways: tuple[Callable[..., tuple[float, list[str]]], ...] = (
        _fuel,
        _tax,
        _credit,
        _waiting,
        _pallets,
        _later,
    )
    way = rng.choices((*ways, None), (6, 5, 4, 5, 5, 4, 5))[0]
    if way is None:
        gold["charge"] = total
        lines = [f"Total EUR {total}"]
    else:
        gold["charge"], lines = way(rng, total, wrongs)
    if rng.random() < 0.25:
        wrongs["text_amount"] = {"charge": f"EUR {gold['charge']}"}
    return lines


def _fuel(
    rng: random.Random, total: int, wrongs: dict[str, dict[str, Value]]
) -> tuple[float, list[str]]:
    extra = rng.randrange(5, 60)
    wrongs["fuel_share"] = {"charge": total}
    return total + extra, [f"Carriage EUR {total}", f"Fuel supplement EUR {extra}"]


def _tax(
    rng: random.Random, total: int, wrongs: dict[str, dict[str, Value]]
) -> tuple[float, list[str]]:
    net = total - total % 5
    gross = round(net * rng.choice((1.2, 1.25)), 2)
    wrongs["tax_inside"] = {"charge": gross}
    return net, [f"Total EUR {gross} incl. VAT of EUR {round(gross - net, 2)}"]


def _credit(
    rng: random.Random, total: int, wrongs: dict[str, dict[str, Value]]
) -> tuple[float, list[str]]:
    del rng
    wrongs["credit_note"] = {"charge": total}
    return -total, ["CREDIT NOTE", f"Total EUR {total}"]


def _waiting(
    rng: random.Random, total: int, wrongs: dict[str, dict[str, Value]]
) -> tuple[float, list[str]]:
    hours, rate = rng.randrange(2, 6), rng.choice((30, 40, 45))
    wrongs["free_hour"] = {"charge": total + hours * rate}
    line = f"Waiting time {hours} h at EUR {rate}"
    return total + (hours - 1) * rate, [f"Carriage EUR {total}", line]


def _pallets(
    rng: random.Random, total: int, wrongs: dict[str, dict[str, Value]]
) -> tuple[float, list[str]]:
    back = rng.randrange(2, 9)
    wrongs["pallet_refund"] = {"charge": total}
    return total - 8 * back, [
        f"Total EUR {total}",
        f"{back} pallets handed back, refund EUR 8 each",
    ]


def _later(
    rng: random.Random, total: int, wrongs: dict[str, dict[str, Value]]
) -> tuple[float, list[str]]:
    former = total + rng.choice((-40, -15, 20, 55))
    wrongs["superseded"] = {"charge": former}
    return total, [f"Total EUR {former}", f"Erratum: EUR {total} supersedes the figure above"]


def _payer(
    rng: random.Random,
    sender: str,
    receiver: str,
    gold: dict[str, Value],
    wrongs: dict[str, dict[str, Value]],
) -> str:
    forward = rng.random() < 0.5
    gold["payer"] = "receiver" if forward else "sender"
    firm = f"{receiver if forward else sender} Trading"
    if rng.random() < 0.35:
        wrongs["payer_terms"] = {"payer": "sender" if forward else "receiver"}
        return "Terms: carriage forward" if forward else "Terms: carriage paid"
    if rng.random() < 0.5:
        wrongs["payer_role"] = {"payer": firm}
    return f"Billed to {firm}, the {gold['payer']}"


def _dispute(
    rng: random.Random, gold: dict[str, Value], wrongs: dict[str, dict[str, Value]]
) -> str:
    if rng.random() < 0.5:
        gold["dispute"] = None
        if rng.random() < 0.5:
            wrongs["dispute_null"] = {"dispute": "no"}
        return "Objections: no"
    ground = rng.choice(("late delivery", "wet cartons", "wrong tariff", "short count"))
    gold["dispute"] = ground
    who = rng.choice(("the receiver", "the broker"))
    full = f"{who} objects on {rng.randrange(1, 28)} May: {ground}"
    if rng.random() < 0.5:
        wrongs["dispute_short"] = {"dispute": full}
    return f"Objections: {full}"


PLAN = Plan(
    name="freight-bills",
    kind="object",
    fields=FIELDS,
    mark="FB",
    skills=SKILLS,
    draw=draw,
    write_seed=write_seed,
    traps=TRAPS,
    clashes=CLASHES,
    idle=IDLE,
)
