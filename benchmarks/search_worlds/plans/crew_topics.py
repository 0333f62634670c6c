"""What the crew of crew-handbook ask about, and the rules for it."""

from __future__ import annotations

from dataclasses import dataclass

from search_worlds.plan import Value


@dataclass(frozen=True)
class Topic:
    """One thing that crew ask about: how they ask, what is right, and what the handbook may say."""

    name: str
    field: str
    asked: str
    value: Value
    mistaken: Value
    rules: tuple[str, str]
    contrary: str


LEAVE = (
    Topic(
        "marriage",
        "leave_days",
        "I am getting married at the town hall",
        2,
        5,
        (
            "Marrying at a town hall or in church entitles crew to 2 days of leave.",
            "Crew marrying in church or at the town hall are entitled to 2 days of leave.",
        ),
        "For a wedding 5 free days are customary.",
    ),
    Topic(
        "moving",
        "leave_days",
        "I move to another flat",
        1,
        3,
        (
            "Moving one's household to another flat gives crew 1 day of leave.",
            "For moving a household into another flat crew have 1 day of leave.",
        ),
        "A change of address takes 3 free days.",
    ),
    Topic(
        "mourning",
        "leave_days",
        "my grandmother has died",
        3,
        1,
        (
            "The death of a grandparent, parent or sibling gives crew 3 days of leave.",
            "Crew have 3 days of leave after the death of a parent, grandparent or sibling.",
        ),
        "Mourning is met with 1 free day.",
    ),
    Topic(
        "examination",
        "leave_days",
        "I sit the examination for mates",
        4,
        0,
        (
            "Sitting an examination for mates or engineers earns crew 4 days of leave.",
            "Crew sitting the mates' or engineers' examination earn 4 days of leave.",
        ),
        "Tests are taken in one's spare time, 0 free days.",
    ),
    Topic(
        "blood",
        "leave_days",
        "I gave blood at the hospital",
        1,
        2,
        (
            "Giving blood or plasma at a hospital brings crew 1 day of leave.",
            "Crew giving plasma or blood at a hospital receive 1 day of leave.",
        ),
        "Donors rest for 2 free days.",
    ),
    Topic(
        "jury",
        "leave_days",
        "the court has summoned me as a witness",
        2,
        4,
        (
            "A summons by a court as witness or juror means 2 days of leave for crew.",
            "Crew whom a court summons as juror or witness, have 2 days of leave.",
        ),
        "Legal duties ashore cost 4 free days.",
    ),
    Topic(
        "jubilee",
        "leave_days",
        "I complete ten years with the line",
        6,
        3,
        (
            "Completing ten years of service with the line brings crew 6 days of leave.",
            "Ten completed years of service bring crew 6 days of leave from the line.",
        ),
        "A jubilee is honoured with 3 free days.",
    ),
    Topic(
        "school",
        "leave_days",
        "my daughter starts school",
        1,
        0,
        (
            "A child's first morning at school gives a parent among crew 1 day of leave.",
            "Parents among crew have 1 day of leave when a child starts at school, first morning.",
        ),
        "Family events of pupils bring 0 free days.",
    ),
)
MONEY = (
    Topic(
        "night",
        "allowance",
        "I worked between midnight and five",
        18,
        9,
        (
            "Work between midnight and five in the morning pays an allowance of 18.",
            "Between midnight and five in the morning work earns an allowance of 18.",
        ),
        "Nocturnal duty is rewarded with 9 extra.",
    ),
    Topic(
        "gale",
        "allowance",
        "we sailed in a force nine gale",
        25,
        15,
        (
            "Sailing in a gale of force nine or more pays an allowance of 25.",
            "A gale of force nine or above while sailing brings an allowance of 25.",
        ),
        "Storms are worth 15 extra.",
    ),
    Topic(
        "language",
        "allowance",
        "I interpreted for passengers in Danish",
        30,
        20,
        (
            "Interpreting for passengers in a second language pays an allowance of 30.",
            "Those interpreting a second language for passengers get an allowance of 30.",
        ),
        "Polyglots collect 20 extra.",
    ),
    Topic(
        "mentor",
        "allowance",
        "I trained a newcomer all week",
        40,
        10,
        (
            "Training a newcomer for a whole week pays an allowance of 40.",
            "A whole week of training a newcomer is paid with an allowance of 40.",
        ),
        "Mentors see 10 extra.",
    ),
    Topic(
        "standby",
        "allowance",
        "I was on standby at home by the telephone",
        15,
        30,
        (
            "Standby at home by the telephone pays an allowance of 15.",
            "Whoever is on standby at home, near the telephone, has an allowance of 15.",
        ),
        "Being reachable brings 30 extra.",
    ),
    Topic(
        "galley",
        "allowance",
        "I helped out in the galley during the rush",
        12,
        24,
        (
            "Helping in the galley during a rush of meals pays an allowance of 12.",
            "An allowance of 12 is paid for helping during a rush of meals in the galley.",
        ),
        "Kitchen hands take 24 extra.",
    ),
    Topic(
        "painting",
        "allowance",
        "I painted railings in dry dock",
        22,
        11,
        (
            "Painting railings or hull in dry dock pays an allowance of 22.",
            "In dry dock painting of hull or railings has an allowance of 22.",
        ),
        "Brush work is valued at 11 extra.",
    ),
    Topic(
        "watch",
        "allowance",
        "I kept watch in the harbour on Sunday",
        28,
        14,
        (
            "Keeping watch in a harbour on a Sunday pays an allowance of 28.",
            "A Sunday watch kept in harbour carries an allowance of 28.",
        ),
        "Guards on weekends see 14 extra.",
    ),
)
FORMS = (
    Topic(
        "badge",
        "form",
        "I lost my badge",
        "K-3",
        "K-5",
        (
            "A lost badge or key card is reported on form K-3.",
            "Use form K-3 to report a lost key card or badge.",
        ),
        "Missing identification goes through sheet K-5.",
    ),
    Topic(
        "uniform",
        "form",
        "I need a larger uniform jacket",
        "U-1",
        "U-6",
        (
            "A uniform jacket or trousers of another size are ordered on form U-1.",
            "Order uniform trousers or a jacket of another size by form U-1.",
        ),
        "Clothing is requested by sheet U-6.",
    ),
    Topic(
        "locker",
        "form",
        "I want the locker next to the stairs",
        "L-7",
        "L-2",
        (
            "Exchange of a locker or bunk with somebody is noted on form L-7.",
            "To exchange a bunk or locker with somebody note it on form L-7.",
        ),
        "Storage wishes belong on sheet L-2.",
    ),
    Topic(
        "near_miss",
        "form",
        "a hook fell and nearly hit somebody",
        "S-9",
        "S-4",
        (
            "Near accidents without an injury are described on form S-9.",
            "Describe a near accident on form S-9 even without an injury.",
        ),
        "Scares go on sheet S-4.",
    ),
    Topic(
        "overtime",
        "form",
        "I stayed two hours longer",
        "O-2",
        "O-8",
        (
            "Hours that a shift lasted longer are claimed on form O-2.",
            "Claim the hours by which a shift lasted longer on form O-2.",
        ),
        "Surplus time is filed by sheet O-8.",
    ),
    Topic(
        "travel",
        "form",
        "I paid the train to the yard myself",
        "T-4",
        "T-1",
        (
            "Train or bus tickets to the yard are refunded through form T-4.",
            "Form T-4 refunds tickets for train and bus to the yard.",
        ),
        "Journeys are reimbursed by sheet T-1.",
    ),
    Topic(
        "complaint",
        "form",
        "a colleague insulted me",
        "H-8",
        "H-3",
        (
            "Insults or threats by a colleague are confided to form H-8.",
            "Confide threats and insults by a colleague to form H-8.",
        ),
        "Quarrels are settled on sheet H-3.",
    ),
    Topic(
        "swap",
        "form",
        "I swap my Tuesday with Ane",
        "W-5",
        "W-9",
        (
            "Swapping a roster Tuesday or any other turn with someone takes form W-5.",
            "For swapping turns of the roster with someone, Tuesday or any other, take form W-5.",
        ),
        "Trades of duty are entered in sheet W-9.",
    ),
)
GROUPS = (LEAVE, MONEY, FORMS)
