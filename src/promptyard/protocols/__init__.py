"""The seams of the line: what a model, metric, generator, stage ... must do to fit in.

Everything that waits is async; everything that decides is a pure function of records. Each seam
has a contract suite in `promptyard.testing`, parametrised over its table of built-ins.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from promptyard.protocols.release_store import ReleaseStore as ReleaseStore
from promptyard.protocols.service_store import ServiceStore as ServiceStore
from promptyard.protocols.store import Store as Store
from promptyard.protocols.traffic_store import TrafficStore as TrafficStore
from promptyard.records.atoms import Atom
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.events import Event
from promptyard.records.evidence import Attempt, Evidence, TrainTrial
from promptyard.records.imported import ImportedSet
from promptyard.records.messages import Completion, Message, Request, Usage
from promptyard.records.origins import Origin
from promptyard.records.prompts import Demo, Program
from promptyard.records.runs import Progress, StageOutcome
from promptyard.records.scores import Report, Score, StepVisit
from promptyard.records.verdicts import GateSettings, PairedReport, Verdict


@runtime_checkable
class Model(Protocol):
    """One model behind one address. Stateless: retries, limits, cache and budget are the runner's.

    `body` is pure and gives the exact request that `send` would post; its hash is the identity
    of the call. `send` makes exactly one attempt.
    """

    name: str
    base_url: str

    def body(self, request: Request) -> Mapping[str, Json]:
        """Return the wire form of a request: plain JSON data, the same for equal requests."""
        ...

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        """Make one attempt and return the answer.

        Raises a ModelError of the fitting kind: RateLimited, ServerError, ModelTimeout,
        Unreachable, AuthFailed, InvalidRequest or BadResponse. Never returns an error as text.
        """
        ...

    def cost_usd(self, usage: Usage) -> float | None:
        """Price of a usage in USD, or None when no price is known."""
        ...

    async def close(self) -> None:
        """Give connections back. Safe to call twice."""
        ...


@runtime_checkable
class Judge(Protocol):
    """The judge model as metrics see it: one pinned model, within budget, store and limits."""

    name: str

    async def ask(self, request: Request, *, replicate: int = 0) -> Completion:
        """Ask the judge. Costs one judge call, unless stored; each replicate is a call of its own.

        Raises JudgeError when the call failed, BudgetExceeded or ModelUnusable when no call can
        be made any more.
        """
        ...


@runtime_checkable
class Metric(Protocol):
    """Grades one completion against one case. Deterministic unless it asks a judge.

    A metric may also have these attributes, with these meanings:

    - `severity`: `hard` or `soft`. Hard metrics run before soft ones.
    - `after`: `hard` leaves the metric out where a hard finding has failed.
    - `asks_judge`: True where it costs judge calls; such metrics run last, side by side.
    - `grades_finishes`: finish reasons (`length`, `content_filter`) of answers that it grades
      although they are not whole. Without such a metric an unfinished answer is an error.
    - `for_program(program)`: returns the metric that grades this program's answers.
    - `score_now(case, completion)`: `score` without a coroutine, for a metric that never waits; it
      is then used instead.
    """

    name: str

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Return at least one finding; values in [0, 1], higher is better.

        A failed finding carries tags. Raises MetricError when the case cannot be graded (its
        expectation is missing or has the wrong form); the trial is then unscored, never 0. Raises
        CheckSkipped where it does not apply; the case is then left to its other metrics.
        """
        ...


class Bench(Protocol):
    """What a generator may use. It cannot name a dev or holdout case."""

    async def complete(
        self,
        role: Literal["optimizer", "judge"],
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Json] | None = None,
        replicate: int = 0,
    ) -> Completion:
        """Ask the optimizer or judge model once. Costs one call.

        With a JSON Schema the answer is forced into its form, where the server can do that.
        Raises BudgetExceeded or ModelError.
        """
        ...

    async def run(
        self, program: Program, train_case_ids: Sequence[str], replicate: int = 0
    ) -> Report:
        """Run a program on train cases. Costs one task call a case and step, unless stored."""
        ...


class Generator(Protocol):
    """Turns evidence into proposals. Holds no state between calls."""

    name: str

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Propose edits of `base`. Edits, not prompts: the line splices and validates them.

        Returns nothing when the evidence gives no reason to act. Unusable replies of the
        optimizer come back as proposals without edits, whose `raw` and `hypothesis` say why.
        """
        ...


CaseRun: TypeAlias = Callable[[Program, Sequence[Case], int], Awaitable[Report]]
"""Runs a program on cases of the one split that a stage may open; the number is the replicate."""


class Stage(Protocol):
    """One stage of the funnel: measures candidates on few cases and says who goes on.

    `split` is the only split whose cases it is given.
    """

    name: str
    split: Literal["train", "dev", "holdout"]

    def max_trials(self, n_candidates: int, n_cases: int) -> int:
        """Return how many trials the stage makes at most, the baseline's included."""
        ...

    async def run(
        self,
        candidates: Sequence[Candidate],
        baseline: Candidate,
        evidence: Evidence,
        cases: Sequence[Case],
        run_cases: CaseRun,
    ) -> StageOutcome:
        """Measure and decide. Candidates that stay are returned best first, ties in given order."""
        ...


class SearchContext(Protocol):
    """What a search policy may ask of the line. Every answer is journaled by the line.

    `train` are the train cases in a seeded order, balanced over label, kind and tags. `stochastic`
    says that the same call may give another answer. `confirms` says that a sealed holdout decides
    afterwards. `labels` are the answers of a label task, empty elsewhere. `past_origins` are those
    of the sentences in stored versions of this prompt, with what was measured of them.
    """

    seed: int
    baseline: Candidate
    train: Sequence[Case]
    stochastic: bool
    confirms: bool
    labels: Sequence[str]
    past_origins: Sequence[Origin]

    @property
    def generators(self) -> Sequence[str]:
        """Names of the generators, in the order in which the task names them."""
        ...

    @property
    def task_calls_left(self) -> int | None:
        """Task calls that the search may still make; None where nothing limits them."""
        ...

    async def run(
        self,
        candidate: Candidate,
        cases: Sequence[Case],
        *,
        purpose: str,
        replicate: int = 0,
        priority: float = 0.0,
        settled: Callable[[TrainTrial], bool] | None = None,
    ) -> Sequence[TrainTrial]:
        """Run a candidate on train cases; what it has run before is not run or paid again.

        Rows come in the order of `cases`. `settled` sees them in that order, each as soon as those
        before it are there, known ones too; when it says True, calls in flight are cancelled and
        the rows up to that one are returned. The highest `priority` goes first for free call slots.
        """
        ...

    def scores(self, candidate: Candidate) -> Mapping[str, float]:
        """Return every score of a candidate on train so far, by case id."""
        ...

    def evidence(
        self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
    ) -> Evidence:
        """Sort rows of a program into evidence: buckets, failures, successes, example bank."""
        ...

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        """Ask one generator; return the candidates that passed the validators and are new.

        Their edits are edits of `base`. `attempt` numbers repeated questions.
        """
        ...

    async def compose(
        self,
        atoms: Sequence[Atom],
        demos: Sequence[Demo] | None = None,
        *,
        generator: str,
        buckets: Sequence[str] = (),
    ) -> Candidate | None:
        """Apply atoms and demonstrations to the baseline; None where the validators refuse."""
        ...

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        """Join candidates of one parent whose edits do not collide; None when nothing new."""
        ...

    async def stage(self, name: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Run one stage of the funnel and return the survivors, best first."""
        ...

    async def emit(self, event: Event) -> None:
        """Add an event to the stream of the run."""
        ...

    def serve(
        self, candidate: Candidate, origins: Sequence[Origin], *, n_cases: int, difference: float
    ) -> None:
        """Note a candidate that beats the baseline on unseen cases, and where it comes from."""
        ...

    def blame(self, candidate: Candidate, origins: Sequence[Origin]) -> None:
        """Keep where the sentences of a candidate come from, for the registry."""
        ...


class SearchPolicy(Protocol):
    """Decides who proposes next and who survives."""

    name: str

    async def search(self, context: SearchContext) -> Candidate | None:
        """Search until done; return the finalist, or None to keep the baseline.

        BudgetExceeded may be left to the line, which then decides with what it has.
        """
        ...


class Gate(Protocol):
    """A pure judgement over a stored pair of reports."""

    name: str

    def judge(self, pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Verdict:
        """Compare candidate and baseline. The same pair gives the same verdict."""
        ...


StepCall: TypeAlias = Callable[[str, Request], Awaitable[Completion]]


class Workflow(Protocol):
    """Runs the steps of a program on one case. Made anew for each run of cases.

    A workflow whose first request depends on nothing but the case may also have
    `first_request(program, case) -> Request`: the runner then looks the first answers of many
    cases up at once.
    """

    name: str

    async def run(self, program: Program, case: Case, call: StepCall) -> Sequence[StepVisit]:
        """Make the calls of one trial in order; the last visit is the answer."""
        ...


class Importer(Protocol):
    """Reads rows of an eval set out of a file."""

    name: str

    def read(self, path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
        """Yield (line number, row). Streams; raises EvalSetError naming file and line."""
        ...


class ForeignImporter(Protocol):
    """Reads an eval set in the format of another tool. Keeps nothing between files."""

    name: str

    def recognises(self, path: Path, head: bytes) -> bool:
        """Say whether a file looks like this format, by its name and its first bytes. Never raises.

        `head` is the beginning of the file, the whole of it where it is small.
        """
        ...

    def read(self, path: Path) -> ImportedSet:
        """Read the whole set; nothing of the source is run, fetched or read outside its folder.

        What cannot be run here becomes a `skip` check, never nothing. Raises EvalSetError in one
        line with file and place.
        """
        ...


ProgressSink: TypeAlias = Callable[[Progress], None]
"""Receives the progress of a run; must not raise and must be quick."""

EventSink: TypeAlias = Callable[[Event], None]
"""Receives every event of a run, in order; must be quick. What it raises becomes a note."""
