"""The answer to "which prompt?": a version, why it was chosen, how old it is; and its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptyard.client.contents import Served
from promptyard.errors import PromptError

if TYPE_CHECKING:
    from promptyard.client.view import Reason
    from promptyard.records.live import Arm
    from promptyard.records.messages import Message, Part
    from promptyard.records.prompts import Program

_WHY: Mapping[str, str] = {
    "static": "this version was asked for by its number",
    "pointer": "the pointer is at this version",
    "split": "the hash of the subject puts it into this arm of a rollout",
    "cached": "it is in memory; the source could not be read just now",
    "stale": "it is a copy; the source could not be read for long, and rollouts pause",
    "snapshot": "it is the snapshot on this machine; the source has not confirmed it yet",
    "fallback": "it is bundled with the application; nothing newer could be read",
}


class ResolvedPrompt:
    """A version of a prompt, as it was resolved for one call.

    Attributes:
        reason: why this version: `static` (asked for by number), `pointer`, `split` (by hash into
            an arm of a rollout); or why although the source does not confirm it: `cached`, `stale`,
            `snapshot`, `fallback`. With a rollout and no subject the pointer's version is served.
        age_s: seconds since the source was last known to say so, at least 0; None where that
            cannot be known (bare texts as fallback).
        subject: who it was resolved for, as the application names it; never written anywhere.
        arm: `control` or `treatment` for a subject that is enrolled in a rollout, else None.
        rollout_id: that rollout, else None.
        shadow: in a rollout in shadow mode the treatment, to be run beside and not to be shown.
        pair: the id that outcomes of this prompt and of its shadow share, else None.
    """

    __slots__ = ("_served", "age_s", "arm", "pair", "reason", "rollout_id", "shadow", "subject")

    def __init__(
        self,
        served: Served,
        reason: Reason,
        age_s: float | None,
        subject: str | None,
        arm: Arm | None = None,
        rollout_id: str | None = None,
        shadow: ResolvedPrompt | None = None,
        pair: str | None = None,
    ) -> None:
        self._served = served
        self.reason: Reason = reason
        self.age_s = age_s
        self.subject = subject
        self.arm: Arm | None = arm
        self.rollout_id = rollout_id
        self.shadow = shadow
        self.pair = pair

    @property
    def name(self) -> str:
        """The name of the prompt."""
        return self._served.name

    @property
    def version(self) -> int:
        """The number of the version; 0 for a bare text that is bundled as fallback."""
        return self._served.version

    @property
    def digest(self) -> str:
        """The digest of the program: equal ones mean equal bytes."""
        return self._served.digest

    @property
    def program(self) -> Program:
        """The program itself; its bytes were proved against the digest when they were read."""
        return self._served.program

    @property
    def kept(self) -> dict[str, Any]:
        """What was made of this version once, for this process: see `Served`."""
        return self._served.kept

    @property
    def text(self) -> str:
        """The file of a prompt of one step, byte for byte. Raises PromptError for several steps."""
        return self.program.prompt.text

    @property
    def params(self) -> Mapping[str, Any]:
        """Model parameters of a prompt of one step (temperature ...), as they are to be sent."""
        return self.program.prompt.params

    @property
    def why(self) -> str:
        """One sentence: which version was served and why."""
        which = f"v{self.version}" if self.version else "a bare text"
        arm = f" ({self.arm} of rollout {self.rollout_id})" if self.arm else ""
        return f"'{self.name}': {which}{arm}: {_WHY[self.reason]}"

    def render(self, /, step: str | None = None, **inputs: Any) -> tuple[Message, ...]:
        """Render the messages as they are to be sent.

        `step` names one of several prompts. A variable that is itself called `step` is given by
        `.program.render({"step": ...})`. Raises PromptError for an unknown step, a variable that is
        not given and a value that is neither text nor JSON.
        """
        try:
            return self.program.render(inputs, step=step)
        except (TypeError, ValueError) as error:
            raise PromptError(f"an input is neither text nor JSON: {error}") from None

    def messages(self, /, step: str | None = None, **inputs: Any) -> list[dict[str, Any]]:
        """Render to plain dicts, as chat completions take them: `role` and `content`.

        `content` is the text, or a list of text and image parts where there are images.
        """
        return plain_messages(self.render(step, **inputs))

    def __repr__(self) -> str:
        return f"<ResolvedPrompt {self.why}>"


def plain_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages as plain dicts: `role` and `content`, a text or a list of parts."""
    return [{"role": message.role, "content": _content(message.parts)} for message in messages]


def _content(parts: tuple[Part, ...]) -> str | list[dict[str, Any]]:
    if all(part.kind == "text" for part in parts):
        return "".join(part.text for part in parts if part.kind == "text")
    content: list[dict[str, Any]] = []
    for part in parts:
        if part.kind == "text":
            content.append({"type": "text", "text": part.text})
        elif part.kind == "image":
            content.append({"type": "image_url", "image_url": {"url": part.url}})
    return content
