"""The check `cross_field`: the fields of a JSON answer agree with each other."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.check import JsonCheck
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import shorten
from promptyard.metrics.rule_evaluation import Absent, Evaluation, Mistyped
from promptyard.metrics.rule_syntax import RuleError, parse_rule
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class CrossField(JsonCheck):
    """Check a rule over several fields of a JSON answer, such as `start <= end`.

    A rule is written as in Python, with few means: names of fields (`total`, `customer.name`,
    `lines[0].price`, `field("order-id")`), texts, numbers, `true`, `false`, `null`, lists,
    `== != < <= > >=`, `in`, `not in`, `+ - * / %`, `and`, `or`, `not`, and `implies`, which binds
    weakest: `status == "closed" implies closed_at != null`. Behind the name of an array a field
    means that of all its items: `sum(lines.price) == total`.

    Functions: `len` of a text, list or object; `sum`, `min`, `max` of a list of numbers; `abs`;
    `round(x, digits)`; `lower`; `exists(x)`; `default(x, other)` where x is absent.

    An absent field is neither null nor a value: a rule that comes to read one fails, except
    inside `exists` and `default`. `and`, `or` and `implies` read their right side only where it
    matters. Types count as in `equals` (true is not 1, "1" is not 1); texts are ordered by code
    points, so that ISO dates order by time; what cannot be ordered or added fails. Numbers are
    decimal: 0.1 * 3 is 0.3.

    Options:
        expression: the rule.
        allow_fence: as in `is_json`.

    Fails with `constraint_violation` where the rule does not hold, with `missing_required_field`
    and the field where it reads an absent one, with `wrong_type` where an operation does not go
    with a value, with `invalid_json`. Hard, validity.
    """

    name = "cross_field"
    tag = "constraint_violation"
    severity = "hard"
    dimension = "validity"
    option_names = ("expression", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.expression = self.options.text("expression")
        try:
            self.rule = parse_rule(self.expression)
        except RuleError as error:
            raise self.options.wrong("expression", str(error), self.expression) from None

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Evaluate the rule."""
        evaluation = Evaluation(value)
        field = None
        try:
            if evaluation.truth(self.rule):
                return self.passed()
        except Absent as error:
            field = str(error)
            tag, why = "missing_required_field", f"reads '{field}', which is missing"
        except Mistyped as error:
            tag, why = "wrong_type", f"cannot be checked: {error}"
        else:
            read = evaluation.read.items()
            shown = "; ".join(f"{path} is {shorten(found, 40)}" for path, found in read)
            tag, why = "constraint_violation", f"does not hold: {shown}".removesuffix(": ")
        reason = f"the rule {shorten(self.expression, 100)} {why}"
        return (self.failed(completion, reason, tags=(self.tag_override or tag,), field=field),)
