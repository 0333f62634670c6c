"""An OpenFeature provider: prompts as flags, resolved in the process like all of this client.

    from openfeature import api
    api.set_provider(PromptyardProvider("manifest.json"))
    details = api.get_client().get_object_details("support", {}, EvaluationContext("user-1"))

Needs the extra: pip install 'promptyard[flags]'.
"""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import FlagNotFoundError, ProviderNotReadyError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from promptyard.client.flags import Flag, flag_of
from promptyard.client.resolved import ResolvedPrompt
from promptyard.client.sdk import PRODUCTION, Promptyard
from promptyard.errors import NotFound

POINTER = "pointer"
"""The attribute of the context that names another pointer than `production`."""

LOOK_S = 0.5
"""How often the state is looked at for events; what is served does not wait for this."""

Object = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class PromptyardProvider(AbstractProvider):
    """Prompts as flags: the key is a prompt's name, the targeting key the subject.

    Objects have everything of a version (see `client.flags`), strings are the text of a prompt of
    one step. The attribute `pointer` of the context chooses another pointer. `track` records an
    outcome: its name is that of the prompt, its value the score, its attributes the arguments of
    `Promptyard.record`; with the attribute `outcome_id` it is feedback.
    """

    def __init__(self, source: Promptyard | str | Path, **options: Any) -> None:
        """Take a client, which stays the caller's, or what one is made of."""
        super().__init__()
        self._is_own = not isinstance(source, Promptyard)
        self.client = source if isinstance(source, Promptyard) else Promptyard(source, **options)
        self._ending = threading.Event()
        self._watch: threading.Thread | None = None

    def get_metadata(self) -> Metadata:
        """Return the name of the provider."""
        return Metadata(name="promptyard")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Load what can be served, for at most the deadline; then tell of changes.

        Raises ProviderNotReadyError where there is nothing at all, neither snapshot nor fallback.
        """
        del evaluation_context
        self.client.refresh()
        if not self.client.is_loaded:
            raise ProviderNotReadyError(self._trouble() or "nothing can be served")
        self._ending.clear()
        self._watch = threading.Thread(
            target=self._tell, name="promptyard-openfeature", daemon=True
        )
        self._watch.start()

    def shutdown(self) -> None:
        """Stop telling; close the client if it is the provider's own."""
        self._ending.set()
        if self._watch is not None:
            self._watch.join(timeout=2 * LOOK_S)
        if self._is_own:
            self.client.close()

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Object,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Object]:
        """Resolve a prompt with everything that it is made of."""
        del default_value
        flag = self._flag(flag_key, evaluation_context)
        return _details(copy.deepcopy(flag.value), flag)  # the caller may change it

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Resolve the text of a prompt of one step. Raises TypeMismatchError for several steps."""
        del default_value
        flag = self._flag(flag_key, evaluation_context)
        text = flag.value.get("text")
        if text is None:
            raise TypeMismatchError(f"'{flag_key}' has several steps; ask for an object")
        return _details(str(text), flag)

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Raise TypeMismatchError: a prompt is no boolean."""
        del default_value
        self._mismatch(flag_key, evaluation_context, "a boolean")

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Raise TypeMismatchError: a prompt is no number."""
        del default_value
        self._mismatch(flag_key, evaluation_context, "a number")

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Raise TypeMismatchError: a prompt is no number."""
        del default_value
        self._mismatch(flag_key, evaluation_context, "a number")

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Record an outcome of the prompt `tracking_event_name`, or feedback on one.

        An event that is no prompt's name is somebody else's and is passed over. Raises ValueError
        for attributes that cannot be recorded.
        """
        given = tracking_event_details or TrackingEventDetails()
        fields: dict[str, Any] = dict(given.attributes)
        outcome_id = fields.pop("outcome_id", None)
        try:
            resolved = self._resolved(tracking_event_name, evaluation_context)
        except FlagNotFoundError:
            return
        if outcome_id is not None:
            scores = {"score": given.value} if given.value is not None else {}
            scores.update(fields.pop("scores", {}))
            self.client.feedback(str(outcome_id), name=resolved.name, scores=scores, **fields)
        else:
            self.client.record(resolved, score=given.value, **fields)

    def _flag(self, key: str, context: EvaluationContext | None) -> Flag:
        return flag_of(self._resolved(key, context))

    def _resolved(self, key: str, context: EvaluationContext | None) -> ResolvedPrompt:
        subject = None if context is None else context.targeting_key
        pointer = PRODUCTION if context is None else context.attributes.get(POINTER, PRODUCTION)
        try:
            return self.client.prompt(key, subject=subject, pointer=str(pointer))
        except NotFound as error:
            kind = FlagNotFoundError if self.client.is_loaded else ProviderNotReadyError
            raise kind(str(error)) from None

    def _mismatch(self, key: str, context: EvaluationContext | None, kind: str) -> NoReturn:
        self._resolved(key, context)
        raise TypeMismatchError(f"'{key}' is a prompt: an object or a string, not {kind}")

    # events

    def _tell(self) -> None:
        """Tell the SDK what has changed, until the end."""
        before = self._state()
        while not self._ending.wait(LOOK_S):
            now = self._state()
            if now[0] != before[0]:
                self._emit(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, "a new manifest is served")
            if now[1] != before[1]:
                self._emit(
                    ProviderEvent.PROVIDER_STALE if now[1] else ProviderEvent.PROVIDER_READY,
                    self._trouble(),
                )
            before = now

    def _state(self) -> tuple[Any, bool]:
        """Return what is served, by its revision, and whether the source does not confirm it."""
        status = self.client.status()
        source = status["source"]
        return source.get("revision"), source.get("state") != "ok"

    def _trouble(self) -> str:
        return str(self.client.status()["source"].get("message") or "")

    def _emit(self, event: ProviderEvent, message: str) -> None:
        emit = cast(
            "Callable[[Any, ProviderEvent, ProviderEventDetails], None] | None",
            getattr(self, "_on_emit", None),
        )
        if emit is not None:
            emit(self, event, ProviderEventDetails(message=message or None))


def _details(value: Any, flag: Flag) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(
        value=value, reason=flag.reason, variant=flag.variant, flag_metadata=flag.metadata
    )
