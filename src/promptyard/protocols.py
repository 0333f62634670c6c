"""The seams of the line: what a model, metric, generator, stage ... must do to fit in.

Everything that waits is async; everything that decides is a pure function of records. Each seam
has a contract suite in `promptyard.testing`, parametrised over its table of built-ins.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from promptyard.records.atoms import Atom
from promptyard.records.base import Json
from promptyard.records.calls import StoredCall
from promptyard.records.cases import Case, EvalSet, EvalSetVersion
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.events import Event
from promptyard.records.evidence import Attempt, Evidence, TrainTrial
from promptyard.records.imported import ImportedSet
from promptyard.records.judging import JudgeCertificate
from promptyard.records.measurements import Measurement
from promptyard.records.messages import Completion, Message, Request, Usage
from promptyard.records.origins import Origin
from promptyard.records.prompts import Demo, Program
from promptyard.records.runs import Progress, Run, RunHeader, RunStatus, StageOutcome
from promptyard.records.scores import Report, Score, StepVisit
from promptyard.records.verdicts import GateSettings, PairedReport, Verdict
from promptyard.records.versions import Move, Pointer, PromptVersion


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


class Store(Protocol):
    """The one store: completions, attempts, runs, versions, pointers.

    Every method is durable when it returns. Safe to use from one event loop; several processes
    may share a database.
    """

    url: str

    async def open(self) -> None:
        """Open and migrate. Raises StorageError saying what to do when that fails."""
        ...

    async def close(self) -> None:
        """Write what is queued and close. Safe to call twice."""
        ...

    # completions and attempts
    async def completions(self, keys: Sequence[str], run_id: str) -> Mapping[str, Completion]:
        """Look up stored answers: this run's own whatever their finish, others' only clean ones.

        Answers come back with `cached=True`.
        """
        ...

    async def start_attempt(self, run_id: str, role: str, key: str) -> int:
        """Record that an attempt is about to be sent; returns its id. Counts against the budget."""
        ...

    async def finish_attempt(
        self,
        attempt_id: int,
        *,
        outcome: str,
        body: Mapping[str, Json] | None = None,
        completion: Completion | None = None,
        base_url: str = "",
        replicate: int = 0,
    ) -> None:
        """Record how an attempt ended and, when `ok`, store its answer.

        Otherwise the outcome is a failure kind, `cancelled` (it was sent and is not waited for) or
        `unsent` (it was cancelled before). A caller that is cancelled does not take this back.
        """
        ...

    async def attempts(self, run_id: str) -> Sequence[Mapping[str, Any]]:
        """All attempts of a run: role, key, outcome (None while unknown), tokens, cost_usd."""
        ...

    async def calls(
        self, run_id: str, role: str | None = None, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredCall]:
        """Attempts of a run, or of one role in it, as started, with request and answer."""
        ...

    # runs, their journal, and what they measured
    async def start_run(self, header: RunHeader) -> None:
        """Record a new run. Raises Conflict when the id is taken."""
        ...

    async def run_header(self, run_id: str) -> RunHeader:
        """Return how a run was started. Raises NotFound."""
        ...

    async def set_run_status(
        self, run_id: str, status: RunStatus, result: Run | None = None, *, sentence: str = ""
    ) -> None:
        """Record how a run stands and, at its end, its result; `sentence` is for one without."""
        ...

    async def runs(self, task: str | None = None, limit: int = 50) -> Sequence[Mapping[str, Any]]:
        """List runs, newest first: id, task, status, started_at, sentence."""
        ...

    async def run_result(self, run_id: str) -> Run | None:
        """Return the result of a finished run, None while it has none. Raises NotFound."""
        ...

    async def append_journal(self, run_id: str, kind: str, payload: Mapping[str, Json]) -> None:
        """Append one entry to a run's journal."""
        ...

    async def journal(self, run_id: str) -> Sequence[Mapping[str, Any]]:
        """All entries of a run's journal in order: seq, kind, payload, at."""
        ...

    async def save_report(self, run_id: str, purpose: str, report: Report) -> None:
        """Store a report under (run, purpose, program, split); writing it again replaces it."""
        ...

    async def reports(self, run_id: str, purpose: str | None = None) -> Sequence[Report]:
        """Return the reports of a run, in the order in which they were stored. Raises NotFound."""
        ...

    async def save_measurement(self, measurement: Measurement) -> None:
        """Store what one report came to, for the history of metrics and failure patterns."""
        ...

    async def measurements(
        self, task: str, *, program_id: str | None = None, eval_set_version: str | None = None
    ) -> Sequence[Measurement]:
        """All measurements of a task, oldest first, of one program or eval set version if named."""
        ...

    async def save_certificate(self, certificate: JudgeCertificate) -> None:
        """Store what a calibration of a judge found. The same id again changes nothing."""
        ...

    async def certificates(self, prompt_hash: str | None = None) -> Sequence[JudgeCertificate]:
        """Certificates of one judge (by the hash of its prompt) or of all, oldest first."""
        ...

    async def looks(self, holdout_key: str) -> Sequence[str]:
        """Keys of the pairs that have looked at a set of holdout cases, oldest first."""
        ...

    async def count_look(self, holdout_key: str, pair_key: str) -> int:
        """Count a look at a set of holdout cases; the same pair again is no new look.

        Returns how many distinct pairs have looked at this set.
        """
        ...

    async def save_eval_set(
        self, eval_set: EvalSet, *, parent: str | None = None, change: str = ""
    ) -> None:
        """Store a version of an eval set, once, with the version it grew out of and why."""
        ...

    async def eval_set(self, version: str) -> EvalSet:
        """Return a version by its name or a unique beginning of 4 digits. Raises NotFound."""
        ...

    async def eval_set_versions(self, name: str) -> Sequence[EvalSetVersion]:
        """The versions of an eval set, oldest first."""
        ...

    # registry
    async def add_version(self, version: PromptVersion) -> PromptVersion:
        """Register a program; assigns number and time. The same digest returns its version."""
        ...

    async def versions(self, name: str) -> Sequence[PromptVersion]:
        """All versions of a prompt, oldest first."""
        ...

    async def version(self, name: str, number: int) -> PromptVersion:
        """One version. Raises NotFound naming the numbers that exist."""
        ...

    async def prompt_names(self) -> Sequence[str]:
        """Names of all prompts with versions."""
        ...

    async def pointers(self, name: str) -> Sequence[Pointer]:
        """All pointers of a prompt."""
        ...

    async def move_pointer(self, move: Move) -> Move:
        """Compare-and-set: move the pointer if it still is at `from_number`, and log it.

        Raises Conflict when it is not, NotFound when the target version does not exist.
        """
        ...

    async def moves(self, name: str, pointer: str | None = None) -> Sequence[Move]:
        """The log of moves, oldest first."""
        ...


ProgressSink: TypeAlias = Callable[[Progress], None]
"""Receives the progress of a run; must not raise and must be quick."""

EventSink: TypeAlias = Callable[[Event], None]
"""Receives every event of a run, in order; must be quick. What it raises becomes a note."""
