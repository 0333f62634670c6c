"""Letters of other alphabets that look like a Latin one. Pure.

The single letters of Cyrillic, Greek and Armenian that Unicode lists as confusable with an ASCII
letter (Unicode Technical Standard 39, confusables.txt), as the letter of their own case where there
are two. Cherokee, Lisu and rarer scripts, digits for letters and pairs such as "rn" are left out.
"""

from __future__ import annotations

_CYRILLIC = (
    "АВЕԌНІЈКМОРЅСТѴԜХУҮӀЬаеҽһіꙇӏјорԛгѕсѵѡԝхуүԁ",
    "ABEGHIJKMOPSCTVWXYYlbaeehiiijopqrscvwwxyyd",
)
_GREEK = ("ΑΒΕϜΖΗΙͿΚΜϺΝΟΡΤΥΧαιϳοσρᴦυνγχ", "ABEFZHIJKMMNOPTYXaijoopruvyx")
_ARMENIAN = ("ՕՏՍքցհոռօգզսա", "OSUfghnnoqquw")

LATIN_LOOK_ALIKES = str.maketrans(
    _CYRILLIC[0] + _GREEK[0] + _ARMENIAN[0], _CYRILLIC[1] + _GREEK[1] + _ARMENIAN[1]
)
"""For `str.translate`: the Latin letter that each of them looks like."""
