"""`export`: a suite as a folder for promptfoo, a run as logs for Inspect; clearance is looked at before and after."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptforge.backends.base import Request
from promptforge.bench.cases import Case
from promptforge.bench.elsewhere import facts_up_to, plain_case, plain_known
from promptforge.bench.guard import texts_of
from promptforge.bench.inspectlog import inspect_logs
from promptforge.bench.known import known
from promptforge.bench.plan import Job
from promptforge.bench.promptfoo import (
    CONFIG_FILE,
    MARK,
    AskedPrompt,
    FooTest,
    LeftOut,
    promptfoo_files,
    unfit,
)
from promptforge.bench.promptfooscore import CASES
from promptforge.bench.results import Arm, Run
from promptforge.compiler.build import Build
from promptforge.errors import InputError, UsageError, WriteError
from promptforge.files import INPUT_FOLDERS
from promptforge.model import LEVELS, Prompt
from promptforge.workbench.arms import Planner
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.disk import exclusive, replace_files
from promptforge.workbench.scope import Asked, Revision, Scope, scope_of
from promptforge.workbench.suites import Suites
from promptforge.workbench.variants import prompt_of

__all__ = [
    "GENERATED",
    "Exported",
    "Wishes",
    "check_folder",
    "export_inspect",
    "export_promptfoo",
    "holds_export",
    "holds_logs",
    "write_export",
]

GENERATED = "generated (--generated takes them along)"

_ABOVE = "above what each model of this export may see"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks for."""

    suite: str = ""
    models: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("base", "enriched")
    agents: tuple[str, ...] = ()
    pass_mark: float = 1.0
    """The least score of a test that passes."""
    heldout: bool = False
    generated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A folder before it is written."""

    suite: str
    files: Mapping[str, bytes]
    tests: tuple[FooTest, ...]
    models: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    level: str
    """The most sensitive facts that may be in it: public, internal or private."""

    @property
    def private(self) -> bool:
        """Whether only its owner shall read it: its models may see private facts."""
        return self.level == "private"


def export_promptfoo(build: Build, suites: Suites, wishes: Wishes) -> Exported:
    """The folder that promptfoo runs. Raises UsageError where nothing of what is asked for can be exported."""
    asked = Asked(suite=wishes.suite, models=wishes.models, variants=wishes.variants, agents=wishes.agents)
    scope = scope_of([Revision(name="", build=build, suites=suites)], asked)
    left_out: list[LeftOut] = []
    cases = list(_asked_cases(scope, suites, wishes, left_out))
    making = _Making(scope, Clearance([build]), left_out)
    if making.no_server:
        able = [name for name, model in build.project.config.models.items() if not unfit(model)]
        hint = f"--model NAME, of {', '.join(able)}" if able else "promptfoo asks OpenAI-compatible servers"
        raise UsageError(f"nothing of {scope.suite.name} can be exported: {making.no_server}", hint=hint)
    tests = tuple(making.tests(cases))
    if not tests:
        why = next((one.detail or one.why for one in left_out), "no agent is asked")
        hint = "look at --model, --agent, --heldout and --generated; promptfoo asks OpenAI-compatible servers"
        raise UsageError(f"nothing of {scope.suite.name} can be exported: {why}", hint=hint)
    level = making.level
    facts = known(facts_up_to(build.project.tables, level))
    files = promptfoo_files(
        scope.suite,
        tests,
        scope.models,
        plain_known(facts),
        pass_mark=wishes.pass_mark,
        left_out=left_out,
    )
    making.look_again(files)
    return Exported(
        suite=scope.suite.name,
        files=files,
        tests=tests,
        models=tuple(dict.fromkeys(prompt.model for test in tests for prompt in test.prompts)),
        left_out=tuple(left_out),
        level=level,
    )


def _asked_cases(scope: Scope, suites: Suites, wishes: Wishes, left_out: list[LeftOut]) -> Iterator[Case]:
    """The cases that have a score and count; the others are noted."""
    away = suites.given_away.get(scope.suite.name, {})
    for case in scope.cases[""]:
        if case.generated and not wishes.generated:
            left_out.append(LeftOut(case=case.id, why=GENERATED, chosen=True))
        elif case.tier == "heldout" and not wishes.heldout:
            left_out.append(LeftOut(case=case.id, why="held out (--heldout takes them along)", chosen=True))
        elif not case.checks:
            left_out.append(LeftOut(case=case.id, why="only a judge could say: it has a rubric and no checks"))
        elif case.id in away and not case.shown:
            left_out.append(LeftOut(case=case.id, why="given away by an example, so that its answer is no evidence"))
        else:
            yield case


class _Making:
    """Makes the tests of a folder, and looks at what they would show."""

    def __init__(self, scope: Scope, clearance: Clearance, left_out: list[LeftOut]) -> None:
        self._compiled = scope.compiled[""]
        self._clearance, self._left_out = clearance, left_out
        self._models = scope.models
        self._planner = Planner(self._compiled, scope.models, {name: {} for name in scope.models}, clearance)
        self._arms = [Arm(model=model, variant=variant) for model in self._compiled for variant in scope.variants]
        self._prompts: dict[tuple[Arm, str], Prompt] = {}
        asked = [one.model for by_agent in self._compiled.values() for one in by_agent.values()]
        fit = [model for model in asked if not unfit(model)]
        self.no_server = unfit(asked[0]) if asked and not fit else ""
        """Why promptfoo can ask none of the models, or nothing where it can."""
        self._strictest = min(fit, key=lambda model: LEVELS[clearance.allowed(model)], default=None)

    @property
    def level(self) -> str:
        """The most sensitive facts that may be in the folder: those that each of its models may see."""
        return self._clearance.allowed(self._strictest) if self._strictest else "public"

    def tests(self, cases: Sequence[Case]) -> Iterator[FooTest]:
        """One for each case and agent that some model may be asked."""
        for case in cases:
            for agent in case.agents:
                prompts = tuple(self._asked(case, agent))
                if prompts:
                    yield FooTest(case=case, agent=agent, prompts=prompts)

    def _asked(self, case: Case, agent: str) -> Iterator[AskedPrompt]:
        for arm in self._arms:
            for job in self._planner.jobs([arm], [replace(case, agents=(agent,))]):
                model = self._models[job.model]
                prompt = None if job.barred or unfit(model) else self._prompt(arm, agent)
                why = "" if prompt is None else self._above(case, agent, prompt, job.request)
                if prompt is not None and not why:
                    yield AskedPrompt(
                        model=model.name,
                        agent=agent,
                        variant=arm.variant,
                        system=prompt.system,
                        messages=tuple((role, text) for role, text in prompt.messages),
                    )
                    continue
                self._note(job, unfit(model), job.barred or why)

    def _note(self, job: Job, unfit_: str, barred: str) -> None:
        self._left_out.append(
            LeftOut(
                case=job.case.id,
                why=unfit_ or _ABOVE,
                detail="" if unfit_ else barred,
                agent=job.agent,
                model=job.model,
                variant=job.arm.variant,
            )
        )

    def _prompt(self, arm: Arm, agent: str) -> Prompt:
        key = (arm, agent)
        if key not in self._prompts:
            entry = self._compiled[arm.model][agent].entry
            assert entry is not None  # a job without one is barred
            self._prompts[key] = prompt_of(entry, arm.variant)
        return self._prompts[key]

    def _above(self, case: Case, agent: str, prompt: Prompt, request: Request) -> str:
        """Why this may not lie in one folder with what the strictest model of it is sent, or nothing."""
        strictest, clearance = self._strictest, self._clearance
        assert strictest is not None  # this prompt has a model that is fit
        facts = {fact for segment in prompt.segments for fact in segment.facts}
        return (
            clearance.barred_agent(agent, strictest)
            or clearance.barred_prompt(facts, strictest)
            or clearance.barred_facts(case.shows, strictest, "the question")
            or clearance.barred_facts(case.answer_shows, strictest, "the expectation")
            or clearance.barred_texts([*texts_of(request), *_texts(plain_case(case))], strictest)
        )

    def look_again(self, files: Mapping[str, bytes]) -> None:
        """The last look, at the bytes. Raises InputError where one holds what it may not."""
        assert self._strictest is not None  # there are tests
        for path, content in files.items():
            texts = _texts(json.loads(content)) if path.endswith(".json") else [content.decode()]
            if why := self._clearance.barred_texts(texts, self._strictest):
                hint = "look at the names of cases, categories and models; or export for local models: --model NAME"
                raise InputError(f"nothing was written: in {path}, {why}", hint=hint)


def _texts(value: object) -> Iterator[str]:
    """Every text in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


# --- the folder -------------------------------------------------------------------------------------------------------


_OWN = (*INPUT_FOLDERS, "schemas", ".promptforge", ".git")
"""A project's folders that are no place for what is made for others."""
_LOG = re.compile(r".+\.eval|\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d[+-]\d\d-\d\d_.+\.json")
"""How Inspect names a log, and we ours."""


def holds_export(folder: Path) -> bool:
    """Whether an earlier export for promptfoo is in the folder."""
    ours = folder / CONFIG_FILE
    return ours.is_file() and ours.read_text(encoding="utf-8", errors="replace").startswith(MARK)


def holds_logs(folder: Path) -> bool:
    """Whether logs of Inspect are in the folder, ours or its own."""
    return any(_LOG.fullmatch(path.name) for path in folder.iterdir())


def check_folder(root: Path, folder: Path, ours: Callable[[Path], bool]) -> None:
    """Refuse one of the project's own folders, and one that holds what is not `ours`. Raises UsageError, WriteError."""
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"the output '{folder}' is a file", hint="name a folder: --output FOLDER")
        for name in _OWN:
            if folder.resolve().is_relative_to((root / name).resolve()):
                message = f"the folder '{folder}' lies in {name}/, which is the project's own"
                raise UsageError(message, hint="name a folder of its own: --output FOLDER")
        if folder.is_dir() and any(folder.iterdir()) and not ours(folder):
            hint = "name a new folder, or one that an earlier export made: --output FOLDER"
            raise UsageError(f"the folder '{folder}' holds something else", hint=hint)
    except OSError as problem:
        raise _cannot(folder, problem) from problem


def write_export(root: Path, folder: Path, exported: Exported) -> tuple[Path, ...]:
    """Write the files, and take away the prompts of an earlier export; those that differed. Raises WriteError."""
    check_folder(root, folder, holds_export)
    with exclusive(root):
        before = _earlier(folder)
        contents = {folder / path: (content, exported.private) for path, content in exported.files.items()}
        written = replace_files(root, contents)
        try:
            for path in before - exported.files.keys():
                (folder / path).unlink(missing_ok=True)
        except OSError as problem:
            raise _cannot(folder, problem) from problem
    return written


def export_inspect(root: Path, run: Run, folder: Path, *, include_private: bool = False) -> tuple[Path, ...]:
    """Write a run as Inspect's logs, beside what else is in the folder; where.

    Raises InputError, UsageError, WriteError.
    """
    if not run.replies:
        hint = "make it anew: its answers are kept, and not asked again; or name another: promptforge history list"
        raise InputError(f"the run {run.id} did not end, so there is nothing to export", hint=hint)
    check_folder(root, folder, holds_logs)
    logs = inspect_logs(run, include_private=include_private)
    with exclusive(root):
        replace_files(root, {folder / name: (content, include_private) for name, content in logs.items()})
    return tuple(folder / name for name in logs)


def _earlier(folder: Path) -> set[str]:
    """The prompts that an earlier export wrote."""
    try:
        listed = json.loads((folder / CASES).read_text(encoding="utf-8"))["files"]
        return {str(path) for path in listed if str(path).startswith("prompts/") and ".." not in str(path)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _cannot(path: Path, problem: OSError) -> WriteError:
    reason = (problem.strerror or str(problem)).lower()
    return WriteError(f"cannot write {path}: {reason}", hint="name another folder: --output FOLDER")
