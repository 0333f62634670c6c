"""crew-handbook: a prompt of about 8,000 tokens in 12 sections with one wrong sentence.

Requests of a ferry's crew ask for days of leave, an allowance and a form. Each of 24 rules stands
once in the handbook, in a section that has nothing to do with it; one of them is wrong. Neither
feedback nor tags say where it stands.
"""

from __future__ import annotations

import random

from search_worlds.plan import Drawn, Plan, Skill, Trap, Value
from search_worlds.plans.crew_topics import FORMS, GROUPS, LEAVE, MONEY, Topic

FIELDS = ("leave_days", "allowance", "form")
N_COMMON = 2
"""So many topics of each field come up as often as six others; one of them is the wrong one."""
SENTENCES_A_SECTION = 26
RULES_A_SECTION = 2


TITLES = (
    "Before you sail",
    "On the bridge",
    "Lines and ropes",
    "Cabins",
    "Harbour days",
    "The radio",
    "Guests on board",
    "Winter timetable",
    "Provisions",
    "Papers",
    "Drills",
    "Last words",
)
SUBJECTS = (
    "The bosun",
    "Every purser",
    "A second engineer",
    "The cook's mate",
    "Our oldest steward",
    "The pilot",
    "An apprentice",
    "The carpenter",
    "Whoever holds the wheel",
    "The agent ashore",
    "A deckhand",
    "The chief",
    "Any lookout",
    "The stevedore",
)
VERBS = (
    "checks the lanterns",
    "greases the winches",
    "counts the life vests",
    "sweeps the car deck",
    "writes into the log",
    "tests the foghorn",
    "polishes the brass",
    "stows the fenders",
    "airs the blankets",
    "reads the barometer",
    "coils the hawsers",
    "locks the paint store",
    "salutes the port captain",
    "trims the lamps",
    "inspects the davits",
    "labels the crates",
)
MANNERS = (
    "as soon as the gangway is up",
    "unless the tide is running hard",
    "with a word to the officer in charge",
    "and leaves a mark on the slate",
    "twice in summer and once in autumn",
    "before the first lorries roll",
    "while the engines are warming",
    "after the bell has been struck",
    "in the presence of a second pair of eyes",
    "even when the islands are in sight",
    "for the sake of those who come after",
    "by the light of the aft mast",
    "whenever the timetable leaves room",
    "so that the surveyor finds nothing to say",
)
TAILS = (
    "",
    ", as has been the custom since the line was founded",
    ", which passengers rarely notice",
    "; gloves are worn for it",
    ", and the mate takes note",
    "; the spare ones are kept forward",
)


def _skill(topic: Topic) -> Skill:
    return Skill(
        name=topic.name,
        field=topic.field,
        tag=f"{topic.field}:wrong",
        symptom="not what the line grants",
        base=0.05,
        rules=topic.rules,
        contrary=(topic.contrary,),
        marker=topic.asked,
    )


SKILLS = tuple(_skill(topic) for group in GROUPS for topic in group)
TRAPS = (
    Trap(
        ("Answer generously wherever crew have been loyal.",),
        (),
        {topic.name: 0.7 for topic in (*LEAVE, *MONEY)},
    ),
    Trap(("Forms changed last year, so guess the newest one.",), (), {t.name: 0.5 for t in FORMS}),
)
IDLE = (
    "The sea is patient.",
    "Treat each request as if it were the first of the day.",
    "Crew write from many islands.",
    "Read attentively.",
    "A friendly mind sees more.",
    "Requests pile up on Mondays.",
)


def write_seed(rng: random.Random) -> str:
    """The handbook with one wrong rule."""
    wrong = rng.choice([topic for group in GROUPS for topic in group[:N_COMMON]])
    lines = [
        topic.contrary if topic is wrong else rng.choice(topic.rules)
        for group in GROUPS
        for topic in group
    ]
    rng.shuffle(lines)
    filler = [
        f"{subject} {verb} {manner}{rng.choice(TAILS)}."
        for subject in SUBJECTS
        for verb in VERBS
        for manner in MANNERS
    ]
    rng.shuffle(filler)
    parts = [
        "You answer requests of the crew of a ferry line by the handbook below. Return a JSON "
        "object with leave_days, allowance and form."
    ]
    for title in TITLES:
        body = [filler.pop() for _ in range(SENTENCES_A_SECTION)]
        for _ in range(RULES_A_SECTION):
            body.insert(rng.randrange(2, len(body)), lines.pop())
        paragraphs = (" ".join(body[:9]), " ".join(body[9:18]), " ".join(body[18:]))
        parts.append("\n\n".join((f"## {title}", *paragraphs)))
    return "\n\n".join(parts)


def draw(rng: random.Random) -> Drawn:
    """Draw a request with one question for each field."""
    gold: dict[str, Value] = {}
    wrongs: dict[str, dict[str, Value]] = {}
    asked: list[str] = []
    for group in GROUPS:
        weights = [3] * N_COMMON + [1] * (len(group) - N_COMMON)
        topic = rng.choices(group, weights)[0]
        gold[topic.field] = topic.value
        wrongs[topic.name] = {topic.field: topic.mistaken}
        asked.append(topic.asked)
    rng.shuffle(asked)
    return Drawn(f"From the crew: {asked[0]}. Also, {asked[1]}, and {asked[2]}.", gold, wrongs)


PLAN = Plan(
    name="crew-handbook",
    kind="object",
    fields=FIELDS,
    mark="CR",
    skills=SKILLS,
    draw=draw,
    write_seed=write_seed,
    traps=TRAPS,
    idle=IDLE,
    soft_tokens=12_000,
    base_jitter=0.0,
    poor_wordings=0.0,
)
