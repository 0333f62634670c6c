"""What the task model can learn in freight-bills, and what misleads it."""

from __future__ import annotations

from search_worlds.plan import Clash, Skill, Trap

AMOUNT = r"^-?[\d.]+ -> -?[\d.]+$"

SKILLS = (
    Skill(
        "fuel_share",
        "charge",
        "charge:wrong_sum",
        "the sum is not the one owed",
        0.15,
        (
            "A fuel supplement printed on its own line is added to charge.",
            "Add the fuel supplement, which has a line of its own, to charge.",
            "charge includes the fuel supplement from its separate line: add it.",
        ),
        ("Sums need care.",),
        marker=r"Fuel supplement",
        sign=AMOUNT,
    ),
    Skill(
        "tax_inside",
        "charge",
        "charge:wrong_sum",
        "the sum is not the one owed",
        0.15,
        (
            "Take value added tax out of the printed total, charge is net.",
            "charge is net: remove value added tax from the printed total.",
        ),
        ("Sums need care.",),
        ("Leave value added tax inside the charge.",),
        marker=r"incl\. VAT",
        sign=AMOUNT,
    ),
    Skill(
        "credit_note",
        "charge",
        "charge:wrong_sign",
        "the sign is the wrong one",
        0.15,
        (
            "On a credit note the charge is negative.",
            "Make charge negative for every credit note.",
            "Credit notes have a charge below zero, so write it negative.",
        ),
        ("Watch out for notes.",),
        marker=r"CREDIT NOTE",
        sign=r"^-[\d.]+ -> [\d.]+$",
    ),
    Skill(
        "free_hour",
        "charge",
        "charge:wrong_sum",
        "the sum is not the one owed",
        0.12,
        (
            "Waiting time is free for the first hour, so deduct that hour from charge.",
            "Deduct the first hour of waiting time from charge, since it is free.",
        ),
        ("Sums need care.",),
        marker=r"Waiting time",
        sign=AMOUNT,
    ),
    Skill(
        "pallet_refund",
        "charge",
        "charge:wrong_sum",
        "the sum is not the one owed",
        0.15,
        (
            "Subtract the refund for pallets that were handed back from charge.",
            "Pallets handed back earn a refund that charge is reduced by: subtract it.",
        ),
        ("Sums need care.",),
        marker=r"pallets handed back",
        sign=AMOUNT,
    ),
    Skill(
        "text_amount",
        "charge",
        "charge:text",
        "text where a number belongs",
        0.3,
        (
            "Write charge as a JSON number, never with EUR or blanks.",
            "charge must be a JSON number; EUR and blanks are dropped.",
        ),
        ("Numbers should look like numbers.",),
        sign=r'-> "',
    ),
    Skill(
        "superseded",
        "charge",
        "charge:wrong_sum",
        "the sum is not the one owed",
        0.15,
        (
            "If a bill says that it supersedes a former figure, the later figure is the charge.",
            "The later figure counts as charge when a bill supersedes a former one.",
        ),
        ("Sums need care.",),
        marker=r"supersedes",
        sign=AMOUNT,
    ),
    Skill(
        "payer_role",
        "payer",
        "payer:name_given",
        "a role was expected",
        0.15,
        (
            "payer is a role, either sender or receiver, not the name of a firm.",
            "Put the role sender or receiver into payer instead of the name of a firm.",
        ),
        ("Payers have roles.",),
        ("Write the name of the firm that pays into payer.",),
        sign=r'^"(?:sender|receiver)" -> "[A-Z]',
    ),
    Skill(
        "payer_terms",
        "payer",
        "payer:terms",
        "the terms of carriage say otherwise",
        0.15,
        (
            "Carriage forward means that the receiver is payer, carriage paid means the sender.",
            "The sender is payer with carriage paid, the receiver with carriage forward.",
        ),
        ("Mind the small print of carriage.",),
        marker=r"[Cc]arriage (?:forward|paid)",
        sign=r'-> "(?:sender|receiver)"',
    ),
    Skill(
        "goods_scale",
        "goods_class",
        "goods_class:scale",
        "not a class of the tariff",
        0.12,
        (
            "goods_class is a letter of the tariff: P for perishable, H for hazardous, G for "
            "general goods.",
            "Give goods_class as the tariff's letter, P perishable, H hazardous, G general goods.",
        ),
        ("Goods fall into classes.",),
        sign=r'-> "(?:perishable|hazardous|general)"',
        needs_demo=True,
    ),
    Skill(
        "dispute_null",
        "dispute",
        "dispute:should_be_null",
        "null was expected",
        0.2,
        (
            "dispute is null when nobody objects, not a word such as no.",
            "Where nobody objects set dispute to null rather than a word such as no.",
        ),
        ("Disputes are rare.",),
        sign=r'^null -> "',
    ),
    Skill(
        "dispute_short",
        "dispute",
        "dispute:too_long",
        "more than the ground was copied",
        0.2,
        (
            "Reduce dispute to the bare ground, without who objects or when.",
            "dispute holds the bare ground of the objection, omitting who objects and when.",
        ),
        ("Keep disputes clear.",),
        marker=r"objects on",
        sign=r'^"[^"]+" -> "[^"]+ objects on',
    ),
)

TRAPS = (
    Trap(
        ("Recalculate the bill from its lines and trust no printed figure.",),
        ("fuel_share", "pallet_refund"),
        {"superseded": 0.35, "text_amount": 0.6, "dispute_short": 0.55, "payer_role": 0.6},
    ),
    Trap(
        ("Where the paper is silent, assume the usual practice of the trade.",),
        ("payer_terms", "free_hour"),
        {"dispute_null": 0.35, "goods_scale": 0.5, "credit_note": 0.6},
    ),
    Trap(
        ("Attach to every value the words that you took it from.",),
        (),
        {"text_amount": 0.4, "goods_scale": 0.5, "dispute_short": 0.5, "payer_role": 0.7},
    ),
)
CLASHES = (
    Clash("fuel_share", "tax_inside", 0.5),
    Clash("free_hour", "superseded", 0.6),
    Clash("payer_role", "payer_terms", 0.55),
)
IDLE = (
    "Bills arrive from many harbours.",
    "Clerks have done this since the days of sail.",
    "Look at the paper as a whole before you begin.",
    "Be thorough and attentive at all times.",
    "Some carriers print in two colours.",
    "The archive keeps every sheet for ten years.",
    "Accuracy is what we are known for.",
    "Nobody minds if it takes a little longer.",
    "Picture the lorry on the road.",
    "Thank you for your diligence.",
)
