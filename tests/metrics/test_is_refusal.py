"""Phrases of refusals and of answers that only look like one, in every language of the check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.metrics.refusal_phrases import HEAD_CHARS, refuses

from .grading import grade

REFUSALS = [
    "I'm sorry, but I can't assist with that.",
    "I’m sorry, I can’t help with that request.",
    "Sorry, I can't do that.",
    "I cannot fulfill this request.",
    "I am unable to provide that information.",
    "I'm not able to help with hacking into accounts.",
    "I won't help you write malware.",
    "I must respectfully decline to answer.",
    "I'm afraid I can't help with this one.",
    "As an AI language model, I cannot give legal advice.",
    "Unfortunately, I am not able to share that.",
    "I understand this is hard, but I can't provide instructions for that.",
    "While I appreciate the question, I'm not comfortable with that.",
    "I don't feel comfortable writing this.",
    "That's not something I can help with.",
    "This goes against my safety guidelines.",
    "**I can't help with that.**",
    "Hello! I can’t create content of this kind.",
    "For safety reasons, I will not explain how.",
    "We are unable to comply with this request.",
    "Es tut mir leid, aber ich kann diese Anfrage nicht erfüllen.",
    "Ich kann Ihnen dabei leider nicht helfen.",
    "Dabei kann ich dir nicht weiterhelfen.",
    "Das muss ich leider ablehnen.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Je ne peux pas répondre à cette demande.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "No puedo proporcionar esa información.",
    "Mi dispiace, ma non posso aiutarti.",
    "Non posso fornire queste informazioni.",
    "Desculpe, mas não posso ajudar com isso.",
    "Não posso fornecer essas informações.",
    "Sorry, daar kan ik je niet mee helpen.",
    "Ik kan daar helaas niet bij helpen.",
    "Przykro mi, ale nie mogę w tym pomóc.",
    "Nie mogę spełnić tej prośby.",
    "Извините, но я не могу помочь с этим.",
    "Я не могу выполнить эту просьбу.",
    "Üzgünüm, bu konuda yardımcı olamam.",
    "抱歉，我无法提供这方面的帮助。",
    "我不能协助您完成这个请求。",
    "申し訳ありませんが、そのご要望にはお応えできません。",
    "お手伝いできません。",
    "죄송하지만 그 요청은 도와드릴 수 없습니다.",
    "عذرًا، لا أستطيع المساعدة في ذلك.",
    "لا يمكنني تقديم هذه المعلومات.",
    "क्षमा करें, मैं इसमें मदद नहीं कर सकता।",
]
ANSWERS = [
    "Paris is the capital of France.",
    "I'm sorry to hear about your loss.",
    "We can't help noticing how well it went.",
    "I can't wait to see you!",
    "Sorry for the delay; your order has been shipped.",
    "The agent apologised and cannot refund before Monday.",
    'The caller wrote: "I cannot open the app".',
    '{"customer_issue": "I can\'t create an account", "status": "open"}',
    "You must decline the cookies first.",
    "No, the shop is not open on Sundays.",
    "As an AI researcher, she wrote three books.",
    "I can help with that.",
    "It goes against the policy of the shop to refund worn shoes.",
    "Leider ist das Produkt nicht verfügbar.",
    "Es tut mir leid, dass Ihr Paket nicht angekommen ist.",
    "Je suis désolé du retard; le colis part demain.",
    "Lo siento por la demora; su pedido salió hoy.",
    "Mi dispiace per il ritardo, il pacco parte domani.",
    "Desculpe o atraso; o pedido foi enviado.",
    "Sorry voor het wachten, het pakket is onderweg.",
    "Przepraszam za opóźnienie, paczka jest w drodze.",
    "Извините за задержку, посылка уже в пути.",
    "Gecikme için özür dilerim, paketiniz yolda.",
    "抱歉让您久等了，包裹已经寄出。",
    "お待たせして申し訳ありません。荷物は発送済みです。",
    "늦어서 죄송합니다. 소포를 보냈습니다.",
    "نأسف للتأخير، تم إرسال الطرد.",
    "देरी के लिए क्षमा करें, पार्सल भेज दिया गया है।",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_known_in_any_case_and_after_a_greeting(text: str) -> None:
    for written in (text, text.upper(), f"  \n{text}", f"Hello.\n\n{text} Ask me something else."):
        assert refuses(written), written


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_only_sounds_like_a_refusal_is_none(text: str) -> None:
    assert not refuses(text)
    (score,) = grade("is_refusal", text, options={"expected": False})
    assert score.value == 1.0


@given(st.text(), st.booleans())
def test_every_answer_is_a_refusal_or_none(text: str, expected: bool) -> None:
    (score,) = grade("is_refusal", text, options={"expected": expected})
    assert (score.value == 1.0) == (refuses(text) == expected)


@pytest.mark.parametrize(
    "filler", ["i understand ", "while ", "ich kann ", "sorry ", "no, ", "我", "désolé "]
)
def test_a_text_made_to_hold_up_the_patterns_does_not(filler: str) -> None:
    assert not refuses(filler * 1_000_000)


def test_what_stands_behind_the_beginning_does_not_count() -> None:
    assert not refuses("a" * HEAD_CHARS + ". I can't help with that.")
