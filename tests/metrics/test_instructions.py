"""Every constraint of IFEval with answers that keep it and answers that break it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import MetricError
from promptyard.metrics.instruction_rules import RULES
from promptyard.metrics.language import LANGUAGES, language_code
from promptyard.metrics.text_units import count_sentences, words
from promptyard.records.base import Json
from promptyard.records.scores import HitCounts

from .grading import grade

SENTENCES = "One is here. Two is here! Is three here? Four is here."

CONSTRAINTS: list[tuple[str, Mapping[str, Json], list[str], list[str]]] = [
    (
        "change_case:english_capital",
        {},
        ["THIS IS AN ANSWER IN CAPITAL LETTERS. 42!", "YES"],
        ["This is an answer", "THIS IS AN ANSWER WITH ONE SMALL LETTER: a", "42", ""],
    ),
    (
        "change_case:english_lowercase",
        {},
        ["this is an answer in small letters. 42!", "yes"],
        ["this is an Answer", "dies ist eine antwort auf deutsch und nicht auf englisch", ""],
    ),
    (
        "change_case:capital_word_frequency",
        {"capital_relation": "at least", "capital_frequency": 2},
        ["NASA and ESA work together", "I AM"],
        ["NASA works alone", ""],
    ),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Write a riddle. "},
        ["Write a riddle. What has a dome?", "\n WRITE A RIDDLE.\nWhat?"],
        ["Sure! Write a riddle. What?", "What has a dome?"],
    ),
    (
        "combination:two_responses",
        {},
        ["One.\n******\nTwo.", "******\nOne.\n******\nTwo."],
        ["One.", "One.\n******\nOne.", "One.\n******\n", "1\n******\n2\n******\n3"],
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        ["Dear [name], meet me at [address].", "[a][b][c]"],
        ["Dear [name]", "Dear [na\nme], [x", ""],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        ["Bye.\nP.S. I love you", "Bye. p. s. I do"],
        ["Bye.\nPS I love you", "Bye. ups. x", ""],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.P.S"},
        ["Bye.\nP.P.S. One more", "Bye.\nP.P.S One more"],
        ["Bye.\nP.S. One", ""],
    ),
    (
        "detectable_format:constrained_response",
        {},
        ["My answer is yes.", "Well. My answer is maybe."],
        ["Yes.", "my answer is no", ""],
    ),
    (
        "detectable_format:json_format",
        {},
        ['{"a": [1]}', '```json\n{"a": 1}\n```', "```\n[]\n```"],
        ["{'a': 1}", 'Here it is: {"a": 1}', ""],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        ["Section 1\na\nSection 2\nb", "**Section 1** a\n## Section 2: b"],
        ["Section 1\na, see Section 2", "SECTION 1\na\nSECTION 2\nb", ""],
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* one\n* two", "Here:\n  - one\n  - two\nEnd.", "* one\n- two"],
        ["* one", "* one\n* two\n* three", "**one**\n-5\n---", ""],
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*one* and *two*", "**one** and *two*", "*a* *b* *c*"],
        ["*one*", "** ** and * *", "* one\n* two", ""],
    ),
    (
        "detectable_format:title",
        {},
        ["<<A title>>\ntext", "text <<A>> text", "<<a <b> c>>"],
        ["<A title>", "<<>>", "<< >>", "<<A\ntitle>>", ""],
    ),
    (
        "keywords:existence",
        {"keywords": ["ink", "Memoirs"]},
        ["Ink and memoirs.", "memoirs of a thinker"],
        ["ink alone", ""],
    ),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["step", "steps"]},
        ["Walk this way.", "a stepfather, stepping"],
        ["Take one Step.", "two steps"],
    ),
    (
        "keywords:frequency",
        {"relation": "at least", "keyword": "grid", "frequency": 2},
        ["Grid, grid!", "gridgrid grid"],
        ["grid", ""],
    ),
    (
        "keywords:frequency",
        {"relation": "less than", "keyword": "grid", "frequency": 1},
        ["no such word", ""],
        ["off-grid"],
    ),
    (
        "keywords:letter_frequency",
        {"let_relation": "at least", "letter": "n", "let_frequency": 3},
        ["Nine nuns", "nnn"],
        ["Nine", ""],
    ),
    (
        "keywords:letter_frequency",
        {"let_relation": "less than", "letter": "!", "let_frequency": 2},
        ["Hello!", ""],
        ["Hello!!"],
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "president"},
        ["One two.\n\nPresident of it.", 'One.\n\n"president" two'],
        ["One.\n\nTwo president.", "President.", "1\n\npresident\n\n3", ""],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["One.\n***\nTwo.", "***\nOne.\n***\nTwo.\n***"],
        ["One.", "One.\n***\n\n***\nTwo.", "1 *** 2 *** 3", ""],
    ),
    (
        "length_constraints:number_sentences",
        {"relation": "at least", "num_sentences": 4},
        [SENTENCES, "Eins. Zwei. Drei. Vier. Fünf."],
        ["Mr. Smith paid 3.5 dollars, e.g. to J. R. Doe. The end.", ""],
    ),
    (
        "length_constraints:number_sentences",
        {"relation": "less than", "num_sentences": 4},
        ["One. Two. Three.", ""],
        [SENTENCES],
    ),
    (
        "length_constraints:number_words",
        {"relation": "at least", "num_words": 4},
        ["one two-three four", "eins zwei drei vier fünf"],
        ["one two three", "- - - -", ""],
    ),
    (
        "length_constraints:number_words",
        {"relation": "less than", "num_words": 4},
        ["one two three", ""],
        ["one two three four"],
    ),
    ("punctuation:no_comma", {}, ["No comma; none、here", ""], ["one, two"]),
    (
        "startend:end_checker",
        {"end_phrase": "Any questions?"},
        ["That is it. Any questions?", 'I asked: "ANY QUESTIONS?" \n'],
        ["Any questions? Ask me.", ""],
    ),
    (
        "startend:quotation",
        {},
        ['"This is it."', '\n "a" \n'],
        ["This is it.", '"', '"half', "“curly”", ""],
    ),
    (
        "language:response_language",
        {"language": "en"},
        ["This is a short answer in English, as it was asked for."],
        ["Dies ist eine kurze Antwort auf Deutsch und nicht auf Englisch."],
    ),
]

IN_LANGUAGES = {
    "hi": "यह एक छोटी कविता है जो हिंदी में लिखी गई है।",
    "bn": "এটি একটি ছোট গল্প যা বাংলায় লেখা হয়েছে।",
    "kn": "ಇದು ಕನ್ನಡದಲ್ಲಿ ಬರೆದ ಒಂದು ಸಣ್ಣ ಕಥೆ.",
    "ur": "یہ اردو میں لکھی گئی ایک چھوٹی سی کہانی ہے۔",
    "ne": "यो नेपाली भाषामा लेखिएको एउटा छोटो कथा हो। मलाई पढ्न मन पर्छ।",
    "te": "ఇది తెలుగులో రాసిన ఒక చిన్న కథ.",
    "ko": "이것은 한국어로 쓴 짧은 이야기입니다.",
    "de": "Dies ist eine kurze Geschichte auf Deutsch.",
    "ru": "Это короткая история на русском языке.",
    "fa": "این یک داستان کوتاه به زبان فارسی است.",
    "ar": "هذه قصة قصيرة باللغة العربية.",
    "th": "นี่คือเรื่องสั้นที่เขียนเป็นภาษาไทย",
    "pt": "Esta é uma pequena história em português.",
    "vi": "Đây là một câu chuyện ngắn bằng tiếng Việt.",
    "mr": "ही एक छोटी गोष्ट आहे जी मराठीत लिहिली आहे.",
    "it": "Questa è una breve storia in italiano.",
    "sw": "Hii ni hadithi fupi iliyoandikwa kwa Kiswahili.",
    "gu": "આ ગુજરાતીમાં લખેલી એક નાની વાર્તા છે.",
    "pa": "ਇਹ ਪੰਜਾਬੀ ਵਿੱਚ ਲਿਖੀ ਇੱਕ ਛੋਟੀ ਕਹਾਣੀ ਹੈ।",
    "ta": "இது தமிழில் எழுதப்பட்ட ஒரு சிறுகதை.",
    "fi": "Tämä on lyhyt tarina suomeksi.",
    "bg": "Това е кратка история на български език.",
}


def _value(id_: str, args: Mapping[str, Json], answer: str) -> float:
    (score,) = grade("instructions", answer, expected=[{"id": id_, "args": args}])
    assert score.value == 1.0 or score.field == id_
    return score.value


@pytest.mark.parametrize(("id_", "args", "keeping", "breaking"), CONSTRAINTS)
def test_a_constraint_holds_or_is_broken(
    id_: str, args: Mapping[str, Json], keeping: list[str], breaking: list[str]
) -> None:
    assert keeping
    assert breaking
    assert [answer for answer in keeping if _value(id_, args, answer) != 1.0] == []
    assert [answer for answer in breaking if _value(id_, args, answer) != 0.0] == []


def test_every_constraint_is_tested() -> None:
    assert {id_ for id_, *_ in CONSTRAINTS} == set(RULES)
    assert len(RULES) == 25


@pytest.mark.parametrize("language", IN_LANGUAGES)
def test_a_language_is_told_from_all_others(language: str) -> None:
    for code, text in IN_LANGUAGES.items():
        held = _value("language:response_language", {"language": language}, text)
        assert held == float(code == language), (language, code)


@pytest.mark.parametrize(
    ("code", "known"),
    [("pt-BR", "pt"), ("zh_CN", "zh"), ("nb", "no"), (" EN ", "en"), ("xx", None), ("", None)],
)
def test_codes_of_languages_are_read_as_people_write_them(code: str, known: str | None) -> None:
    assert language_code(code) == known
    assert known is None or known in LANGUAGES


def test_without_the_detector_only_cases_that_need_it_are_unscored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from promptyard.metrics import language

    monkeypatch.setitem(__import__("sys").modules, "py3langid.langid", None)
    language._identifier.cache_clear()  # pyright: ignore[reportPrivateUsage] - as in a new process
    try:
        assert _value("punctuation:no_comma", {}, "yes") == 1.0
        with pytest.raises(MetricError, match=r"pip install 'promptyard\[language\]'"):
            _value("language:response_language", {"language": "en"}, "Hello there, my friend.")
    finally:
        language._identifier.cache_clear()  # pyright: ignore[reportPrivateUsage] - for the others


def test_each_broken_instruction_is_a_finding_with_its_id_and_what_was_counted() -> None:
    expected: Json = [
        {"id": "punctuation:no_comma", "args": {}},
        {"id": "keywords:existence", "args": {"keywords": ["ink"]}},
        {"id": "length_constraints:number_words", "args": {"relation": "at least", "num_words": 9}},
    ]
    scores = grade("instructions", "one, two ink", expected=expected)
    assert [(score.field, score.reason) for score in scores] == [
        ("punctuation:no_comma", "commas: 1, must be 0"),
        ("length_constraints:number_words", "words: 3, must be at least 9"),
    ]
    assert sum(score.weight for score in scores) == pytest.approx(1.0)
    assert scores[0].counts == HitCounts(n_hits=1, n_given=3, n_expected=3)
    assert scores[1].counts is None


@pytest.mark.parametrize(
    "args",
    [
        {"relation": "about", "num_words": 3},
        {"relation": "at least", "num_words": "3"},
        {"relation": "at least", "num_words": True},
        {"relation": "at least", "num_words": -1},
        {"relation": "at least", "num_words": 1.5},
        {"num_words": 3},
        [],
        "many",
    ],
)
def test_arguments_of_the_wrong_form_leave_the_case_unscored(args: Json) -> None:
    with pytest.raises(MetricError):
        grade(
            "instructions",
            "one",
            expected=[{"id": "length_constraints:number_words", "args": args}],
        )


@given(st.integers(0, 30), st.sampled_from([" ", "\n", "\n\n"]))
def test_sentences_and_words_are_counted(n_sentences: int, between: str) -> None:
    text = between.join(f"This is sentence {n} of it." for n in range(n_sentences))
    assert count_sentences(text) == n_sentences
    assert len(words(text)) == 6 * n_sentences


@given(st.text(), st.text())
def test_an_empty_line_parts_sentences(left: str, right: str) -> None:
    together = count_sentences(f"{left}\n\n{right}")
    assert together <= count_sentences(left) + count_sentences(right) + 1


@pytest.mark.parametrize(
    ("text", "n_sentences"),
    [
        ("", 0),
        ("...", 0),
        ("No end", 1),
        ("Wait... what?! Yes.", 3),
        ('He said "Stop!" Then he left.', 2),
        ("It costs 3.50 dollars. Cheap.", 2),
        ("1. First item\n2. Second item", 2),
        ("A title\n\nA sentence.", 2),
        ("- one\n- two\n- three", 3),
        ("これは文です。次の文です。", 2),
        ("Is it? No. It is not.", 3),
        ("It is I. Nobody else.", 2),
    ],
)
def test_what_a_sentence_is(text: str, n_sentences: int) -> None:
    assert count_sentences(text) == n_sentences


@pytest.mark.no_cover  # large, so that tracing is most of it
@pytest.mark.parametrize("piece", ["[", "*", "<<", ". ", "\n- ", "***", "A ", "P.", '"', "a.b"])
def test_a_large_answer_is_graded(piece: str) -> None:
    expected: list[Json] = [{"id": id_, "args": args} for id_, args, *_ in CONSTRAINTS]
    scores = grade("instructions", piece * (500_000 // len(piece)), expected=expected)
    assert scores
