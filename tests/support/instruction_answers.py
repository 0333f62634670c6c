"""Answers that keep the instructions of IFEval's cases, and answers that break just one of them.

IFEval has no reference answers. These are built from the definitions of its instructions (Zhou et
al. 2023), without the code that grades them; they make no sense beyond that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

ENGLISH = (
    "the small dog ran to our park and had much fun there with all of us today",
    "we went there when the street was clear and the weather was sweet",
    "my dog and my cat sat on my mat and had fun at our park all day",
    "this is his ship and it is big with six white sails in still mist",
    "my young son loves to cook good food for us on sundays",
)
OTHERS: Mapping[str, str] = {
    "ar": "كان الطقس جميلا اليوم وذهبنا إلى الحديقة مع الأطفال",
    "bn": "আজ আবহাওয়া খুব সুন্দর ছিল এবং আমরা বাগানে গিয়েছিলাম",
    "de": "das Wetter war heute sehr schön und wir gingen mit den Kindern in den Garten",
    "fa": "امروز هوا بسیار خوب بود و ما با بچه‌ها به باغ رفتیم",
    "hi": "आज मौसम बहुत अच्छा था और हम बच्चों के साथ बगीचे में गए थे",
    "it": "oggi il tempo era molto bello e siamo andati nel giardino con i bambini",
    "kn": "ಇಂದು ಹವಾಮಾನ ತುಂಬಾ ಚೆನ್ನಾಗಿತ್ತು ಮತ್ತು ನಾವು ತೋಟಕ್ಕೆ ಹೋದೆವು",
    "ko": "오늘은 날씨가 아주 좋아서 우리는 아이들과 함께 정원에 갔습니다",
    "mr": "आज हवामान खूप छान होते आणि आम्ही मुलांसोबत बागेत गेलो होतो",
    "ne": "आज मौसम धेरै राम्रो थियो र हामी बच्चाहरूसँग बगैंचामा गएका थियौं",
    "pt": "hoje o tempo estava muito bom e nós fomos ao jardim com as crianças",
    "ru": "сегодня была очень хорошая погода и мы пошли с детьми в сад",
    "sw": "leo hali ya hewa ilikuwa nzuri sana na tulienda bustanini pamoja na watoto",
    "te": "ఈ రోజు వాతావరణం చాలా బాగుంది మరియు మేము తోటకు వెళ్ళాము",
    "th": "วันนี้อากาศดีมากและเราไปสวนกับเด็กๆ",
    "ur": "آج موسم بہت اچھا تھا اور ہم بچوں کے ساتھ باغ میں گئے تھے",
    "vi": "hôm nay thời tiết rất đẹp và chúng tôi đã đi ra vườn cùng với các con",
}
Args = Mapping[str, Any]
AT_LEAST = "at least"
NO_LIMIT = 10**9


class Wishes:
    """The instructions of one case; an id may stand in a case more than once."""

    def __init__(self, instructions: Sequence[Mapping[str, Any]]) -> None:
        self.args: dict[str, Args] = {item["id"]: item["args"] for item in instructions}
        self._all = [(item["id"], item["args"]) for item in instructions]

    def each(self, id_: str) -> list[Args]:
        """Return the arguments of every instruction of one kind."""
        return [args for known, args in self._all if known == id_]

    def get(self, id_: str, key: str, default: Any = None) -> Any:
        """Return an argument of an instruction, or the default where the case lacks it."""
        return self.args[id_][key] if id_ in self.args else default

    def bound(self, id_: str, relation: str, number: str) -> tuple[int, int]:
        """Return the least and the most (inclusive) that the instructions of one kind allow."""
        least, most = 0, NO_LIMIT
        for args in self.each(id_):
            if args[relation] == AT_LEAST:
                least = max(least, int(args[number]))
            else:
                most = min(most, int(args[number]) - 1)
        return least, most


def keeping(instructions: Sequence[Mapping[str, Any]]) -> str:
    """Build an answer that keeps all instructions, as far as they do not exclude each other."""
    wishes = Wishes(instructions)
    base = _base(wishes)
    extra = _wanted_words(wishes)
    least_s, most_s = wishes.bound(
        "length_constraints:number_sentences", "relation", "num_sentences"
    )
    least_w, most_w = wishes.bound("length_constraints:number_words", "relation", "num_words")
    words = [*extra, *base.split()]
    while len(words) < least_w:
        words += base.split()
    words = words[: max(len(extra), min(len(words), most_w - _reserve(wishes)))]
    n_sentences = max(1, least_s)
    while len(words) < n_sentences:
        words += base.split()
    stop = "." if least_s or most_s < NO_LIMIT or len(words) > 8 else ""
    body = _sentences(words, n_sentences, stop)
    return _dressed(wishes, body, base)


def breaking(id_: str, args: Args) -> str:
    """Build an answer that breaks one instruction."""
    one = _BREAKERS[id_]
    return one if isinstance(one, str) else one(args)


def _base(wishes: Wishes) -> str:
    language = wishes.get("language:response_language", "language", "en")
    pool = ENGLISH if language == "en" else (OTHERS[language],)
    forbidden = [*wishes.get("keywords:forbidden_words", "forbidden_words", ())]
    rare = (a for a in wishes.each("keywords:frequency") if a["relation"] != AT_LEAST)
    forbidden += [args["keyword"] for args in rare]
    letters = wishes.each("keywords:letter_frequency")
    scarce = [a["letter"].lower() for a in letters if a["let_relation"] != AT_LEAST]

    def badness(text: str) -> tuple[int, int]:
        banned = sum(word.lower() in re.findall(r"\w+", text) for word in forbidden)
        return banned, sum(map(text.count, scarce))

    return min(pool, key=badness)


def _wanted_words(wishes: Wishes) -> list[str]:
    """The words that must occur, as often as they must."""
    wanted = [*wishes.get("keywords:existence", "keywords", ())]
    for args in wishes.each("keywords:frequency"):
        if args["relation"] == AT_LEAST:
            wanted += [args["keyword"]] * int(args["frequency"])
    for args in wishes.each("keywords:letter_frequency"):
        if args["let_relation"] == AT_LEAST:
            wanted.append(args["letter"] * int(args["let_frequency"]))
    n_highlights = wishes.get("detectable_format:number_highlighted_sections", "num_highlights", 0)
    wanted += ["*dog*"] * n_highlights
    n_places = wishes.get("detectable_content:number_placeholders", "num_placeholders", 0)
    return wanted + ["[name]"] * n_places


def _reserve(wishes: Wishes) -> int:
    """How many words the other instructions put around the body."""
    around = [
        wishes.get("combination:repeat_prompt", "prompt_to_repeat", ""),
        wishes.get("startend:end_checker", "end_phrase", ""),
        wishes.get("detectable_content:postscript", "postscript_marker", "") and "p s bye",
        "title" if "detectable_format:title" in wishes.args else "",
    ]
    return sum(len(re.findall(r"\w+", text)) for text in around)


def _sentences(words: Sequence[str], n: int, stop: str) -> str:
    """Spread words over n sentences, each with its stop."""
    size, rest = divmod(len(words), n)
    pieces: list[str] = []
    start = 0
    for index in range(n):
        end = start + size + (index < rest)
        pieces.append(" ".join(words[start:end]) + stop)
        start = end
    return " ".join(pieces)


def _dressed(wishes: Wishes, body: str, base: str) -> str:
    """Put everything around the body that is asked for."""
    n_bullets = wishes.get("detectable_format:number_bullet_lists", "num_bullets", 0)
    if n_bullets:
        body += "\n" + "\n".join(f"* {base.split()[0]}" for _ in range(n_bullets))
    n_paragraphs = wishes.get("length_constraints:number_paragraphs", "num_paragraphs", 1)
    body = "\n***\n".join([body, *[base] * (n_paragraphs - 1)])
    for number in range(wishes.get("detectable_format:multiple_sections", "num_sections", 0)):
        head = wishes.get("detectable_format:multiple_sections", "section_spliter")
        body += f"\n\n{head} {number + 1}\n{base}"
    if "detectable_format:title" in wishes.args:
        body = f"<<{base.split()[1]}>>\n{body}"
    first = wishes.get("combination:repeat_prompt", "prompt_to_repeat")
    body = body if first is None else f"{first}\n{body}"
    marker = wishes.get("detectable_content:postscript", "postscript_marker")
    body = body if marker is None else f"{body}\n{marker} {base.split()[0]}"
    end = wishes.get("startend:end_checker", "end_phrase")
    body = body if end is None else f"{body}\n{end}"
    if "change_case:english_capital" in wishes.args:
        body = body.upper()
    if "change_case:english_lowercase" in wishes.args:
        body = body.lower()
    if "detectable_format:json_format" in wishes.args:
        body = json.dumps({"text": body}, ensure_ascii=False)
    return f'"{body}"' if "startend:quotation" in wishes.args else body


def _too_few_or_many(unit: str, relation: str, number: str) -> Callable[[Args], str]:
    """Break a bound: nothing where there must be some, `number` units where there must be fewer."""

    def build(args: Args) -> str:
        if args[relation] == AT_LEAST:
            return "–"
        return unit.format(**args) * int(args[number])

    return build


_BREAKERS: Mapping[str, str | Callable[[Args], str]] = {
    "change_case:english_capital": ENGLISH[0],
    "change_case:english_lowercase": ENGLISH[0].upper(),
    "combination:repeat_prompt": lambda args: f"Sure! {args['prompt_to_repeat']}",
    "detectable_content:number_placeholders": lambda args: (
        "[name] " * (args["num_placeholders"] - 1) + "(name)"
    ),
    "detectable_content:postscript": ENGLISH[0],
    "detectable_format:json_format": '{"text": "dog",}',
    "detectable_format:multiple_sections": lambda args: (
        "\n".join(f"{args['section_spliter']} {n}\ndog" for n in range(1, args["num_sections"]))
        or "dog"
    ),
    "detectable_format:number_bullet_lists": lambda args: "* dog\n" * (args["num_bullets"] + 1),
    "detectable_format:number_highlighted_sections": lambda args: (
        "*dog* " * (args["num_highlights"] - 1) + "dog"
    ),
    "detectable_format:title": "<title>\n" + ENGLISH[0],
    "keywords:existence": lambda args: " ".join(args["keywords"][:-1]) + " –",
    "keywords:forbidden_words": lambda args: f"– {args['forbidden_words'][-1].upper()}!",
    "keywords:frequency": _too_few_or_many("{keyword} ", "relation", "frequency"),
    "keywords:letter_frequency": _too_few_or_many("{letter}", "let_relation", "let_frequency"),
    "language:response_language": ENGLISH[0],
    "length_constraints:number_paragraphs": lambda args: "\n***\n".join(
        ["dog"] * (args["num_paragraphs"] + 1)
    ),
    "length_constraints:number_sentences": _too_few_or_many(
        "The dog ran. ", "relation", "num_sentences"
    ),
    "length_constraints:number_words": _too_few_or_many("dog ", "relation", "num_words"),
    "punctuation:no_comma": "First, a dog.",
    "startend:end_checker": lambda args: f"{args['end_phrase']} And one thing more",
    "startend:quotation": f'"{ENGLISH[0]}" indeed',
}
