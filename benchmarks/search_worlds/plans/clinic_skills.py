"""What the task model can learn in clinic-notes, and what misleads it."""

from __future__ import annotations

from search_worlds.plan import Clash, Skill, Trap

SKILLS = (
    Skill(
        "species_term",
        "species",
        "species:everyday_word",
        "an everyday word for the animal",
        0.15,
        (
            "Name the species by its zoological adjective: feline, canine, lagomorph, psittacine.",
            "species takes one of the adjectives feline, canine, lagomorph or psittacine.",
            "For species choose among feline, canine, lagomorph, psittacine and nothing else.",
        ),
        ("Give the species in a professional manner.",),
        ("Put down the animal under species with the owner's own word.",),
        sign=r'-> "(?:cat|dog|rabbit|parrot)"',
    ),
    Skill(
        "reason_single",
        "reason",
        "reason:side_remarks",
        "small talk is mixed into the reason",
        0.3,
        (
            "reason holds the medical complaint alone; leave the owner's small talk out.",
            "Strip chatter from reason so that just the medical complaint remains.",
            "Small talk of owners has no place in reason: write the complaint only.",
        ),
        ("Keep the reason tidy.",),
        sign=r'-> ".*; ',
        marker=r"mentions that",
    ),
    Skill(
        "weight_pounds",
        "weight_kg",
        "weight_kg:wrong_unit",
        "the number is in the wrong unit",
        0.15,
        (
            "Convert pounds to kilograms by dividing by 2.2 before filling weight_kg.",
            "A weight noted in pounds is divided by 2.2 to give weight_kg in kilograms.",
            "weight_kg always means kilograms; divide weights in pounds by 2.2.",
        ),
        ("Mind the scales used for weight.",),
        marker=r"\d lb\b",
        sign=r"^[\d.]+ -> [\d.]+$",
    ),
    Skill(
        "weight_bare",
        "weight_kg",
        "weight_kg:text_value",
        "text where a number belongs",
        0.3,
        (
            "weight_kg is a bare JSON number, written without kg or any other letters.",
            "Write weight_kg as a JSON number; drop the letters kg.",
            "Use digits alone for weight_kg, a JSON number and no letters such as kg.",
        ),
        ("Weights should be readable by machines.",),
        sign=r'^[\d.]+ -> "',
    ),
    Skill(
        "drug_generic",
        "drug",
        "drug:trade_name",
        "a trade name was used",
        0.15,
        (
            "Replace trade names of medicines by the generic substance in drug.",
            "drug names the generic substance, whatever trade name the vet wrote.",
            "Translate brands to the generic substance when you fill drug.",
        ),
        ("Medicine names deserve attention.",),
        ("Keep the trade name of the medicine as the vet wrote it.",),
        sign=r'-> "(?:Metacam|Synulox|Bravecto|Cerenia|Prednicare|Rimadyl)"',
    ),
    Skill(
        "drug_struck",
        "drug",
        "drug:withdrawn",
        "the note withdraws this medicine",
        0.2,
        (
            "Text between double tildes is struck out: a medicine there was withdrawn, so take its "
            "successor for drug.",
            "Ignore struck out medicines between double tildes; drug is the successor prescribed.",
        ),
        ("Look at marks and corrections in the note.",),
        marker=r"~~",
        sign=r'^"\w+" -> "[a-z]+"$',
    ),
    Skill(
        "dose_daily",
        "dose_mg",
        "dose_mg:wrong_amount",
        "not the amount that was meant",
        0.2,
        (
            "dose_mg is the daily total: multiply one administration by how often it is given.",
            "Compute the daily total for dose_mg, one administration times its frequency.",
            "Multiply a single administration by its frequency; that daily total is dose_mg.",
        ),
        ("Calculate doses with care.",),
        marker=r"twice daily|three times daily",
        sign=r"^[\d.]+ -> [\d.]+$",
    ),
    Skill(
        "dose_micro",
        "dose_mg",
        "dose_mg:wrong_amount",
        "not the amount that was meant",
        0.2,
        (
            "Micrograms become milligrams by dividing by 1000 before dose_mg is filled.",
            "Divide doses given in micrograms by 1000, since dose_mg counts milligrams.",
            "Where the dose is in micrograms, dose_mg is a thousandth of it: divide by 1000.",
        ),
        ("Calculate doses with care.",),
        marker=r"micrograms",
        sign=r"^[\d.]+ -> [\d.]+$",
    ),
    Skill(
        "revisit_form",
        "revisit",
        "revisit:form",
        "the day is not in the form that is stored",
        0.25,
        (
            "Dates go into revisit as year, month and day with hyphens: 2024-03-26.",
            "revisit has the form 2024-03-26, year first, month and day behind hyphens.",
            "Write revisit with hyphens, year before month before day, like 2024-03-26.",
        ),
        ("Dates should look alike everywhere.",),
        ("Copy the day of the next appointment into revisit letter by letter.",),
        sign=r'-> "\d{1,2} \w+ \d{4}"',
    ),
    Skill(
        "revisit_count",
        "revisit",
        "revisit:span",
        "a span of time where a day belongs",
        0.12,
        (
            "If the next appointment is given in weeks, count them from the date of the visit and "
            "put the resulting day into revisit.",
            "Count weeks until the next appointment from the date of the visit; revisit is the "
            "resulting day.",
        ),
        ("Think about when the animal comes back.",),
        marker=r"in (?:two|three|four|six) weeks",
        sign=r'-> "in \w+ weeks"',
    ),
    Skill(
        "allergy_none",
        "allergy",
        "allergy:should_be_null",
        "null was expected",
        0.2,
        (
            "Without any recorded allergy the field allergy is null rather than a word like none.",
            "allergy is null when the record shows no allergy; words like none are wrong.",
            "Use null in allergy instead of a word like none if no allergy is recorded.",
        ),
        ("Fill allergy sensibly.",),
        marker=r"Allergies: none",
        sign=r'^null -> "none',
    ),
    Skill(
        "allergy_suspected",
        "allergy",
        "allergy:should_be_null",
        "null was expected",
        0.15,
        (
            "An allergy that is merely suspected does not count: allergy stays null until a test "
            "confirms it.",
            "Suspected allergies leave allergy null; a confirming test is required.",
            "Only what a test confirms counts as allergy, a suspected one means null.",
        ),
        ("Fill allergy sensibly.",),
        marker=r"suspected",
        sign=r'^null -> "(?!none)',
    ),
    Skill(
        "paid_partial",
        "paid",
        "paid:deposit_counted",
        "a part payment was taken for the whole",
        0.2,
        (
            "paid is true only once the whole bill is settled; deposit or instalment means false.",
            "Set paid to false for a deposit or an instalment, and to true once the whole bill is "
            "settled.",
        ),
        ("Be fair about payments.",),
        marker=r"deposit|instalment",
        sign=r"^false -> true$",
    ),
    Skill(
        "urgency_scale",
        "urgency",
        "urgency:off_scale",
        "not how the clinic rates it",
        0.12,
        (
            "urgency follows the triage scale of the clinic: red for breathing and bleeding, amber "
            "for pain, green otherwise.",
            "Rate urgency by triage colour, red for breathing or bleeding, amber for pain, green "
            "for the rest.",
        ),
        ("Judge urgency like an experienced nurse.",),
        sign=r'-> "(?:high|medium|low)"',
        needs_demo=True,
    ),
)

TRAPS = (
    Trap(
        ("Correct whatever looks inconsistent in the note before you extract anything.",),
        ("weight_pounds", "dose_micro"),
        {"species_term": 0.6, "reason_single": 0.45, "paid_partial": 0.5},
    ),
    Trap(
        ("When in doubt, prefer a definite value over an empty one.",),
        ("drug_struck", "revisit_count"),
        {"allergy_none": 0.35, "allergy_suspected": 0.35, "paid_partial": 0.6},
    ),
    Trap(
        ("Answer in a warm tone and explain each field in a few words.",),
        (),
        {"weight_bare": 0.4, "revisit_form": 0.5, "species_term": 0.6, "urgency_scale": 0.5},
    ),
)
CLASHES = (
    Clash("revisit_form", "revisit_count", 0.55),
    Clash("weight_bare", "weight_pounds", 0.6),
)
IDLE = (
    "Work through the note at your own pace.",
    "Veterinary staff rely on this summary every morning.",
    "Think of the animal first.",
    "Stay calm even if the handwriting was hard to transcribe.",
    "A colleague may read over your shoulder.",
    "Good summaries are appreciated by everybody at the practice.",
    "Read the note from the first line to the last.",
    "Take a deep breath and begin.",
    "Every note is somebody's companion.",
    "Excellence is a habit.",
)
