"""What a benchmark sends: each arm's prompts with each case's question, barred where clearance says so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from promptforge.backends.base import Request
from promptforge.bench.cases import Case
from promptforge.bench.plan import Job, identity_of, request_for
from promptforge.bench.results import Arm, Held
from promptforge.bench.shown import GivenAway
from promptforge.estimate import estimate
from promptforge.model import Model, Prompt
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.variants import Compiled, prompt_of

__all__ = ["AskedOf", "Planner"]

Identity = Mapping[str, str]
_TEXT = 300
"""Characters of such a line."""
_LINES = 3
"""So many lines of a prompt are named that hold what a case expects."""


@dataclass(slots=True)
class Planner:
    """Makes the jobs of one revision of a project."""

    compiled: Mapping[str, Mapping[str, Compiled]]
    """By the arm's model, then agent."""
    models: Mapping[str, Model]
    """By name, as they are sent to: an older revision may have called a model local that is in the cloud today."""
    identities: Mapping[str, Identity]
    """By the name of the model that answers."""
    clearance: Clearance
    repeats: int = 1
    _prompts: dict[tuple[str, str, str], Prompt] = field(default_factory=dict)
    _index: dict[tuple[str, str, str], dict[str, list[int]]] = field(default_factory=dict)
    _bytes: dict[tuple[str, str, str], dict[int, bytes]] = field(default_factory=dict)
    """Of the same, by message (0: the system prompt), its text as the segments count in it."""

    def jobs(self, arms: Iterable[Arm], cases: Sequence[Case]) -> Iterator[Job]:
        """One for each arm, case, agent and repeat."""
        for arm in arms:
            for case in cases:
                for agent in case.agents:
                    yield from self._jobs(arm, case, agent)

    def _jobs(self, arm: Arm, case: Case, agent: str) -> Iterator[Job]:
        one = self.compiled[arm.model][agent]
        model = self.models[one.model.name]
        barred = one.barred or self.clearance.barred_agent(agent, model)
        barred = barred or self.clearance.barred_facts(case.shows, model, "the question")
        if one.entry is None or barred:
            yield from self._not_sent(arm, case, agent, model, barred)
            return
        prompt = self._prompt(arm, agent)
        params = model.settings.get("params", {})
        seeded = self.repeats > 1 and model.backend in ("compatible", "openai")
        for repeat in range(self.repeats):
            request = request_for(case, prompt.system, prompt.messages, params, repeat=repeat, seeded=seeded)
            if why := self._barred_prompt(arm, prompt, model) or self.clearance.barred(request, model):
                yield from self._not_sent(arm, case, agent, model, why)
                return
            yield Job(
                arm=arm,
                case=case,
                agent=agent,
                repeat=repeat,
                model=model.name,
                request=request,
                identity=identity_of(request, self.identities[model.name], repeat),
                prompt_tokens=prompt.tokens,
            )

    def _barred_prompt(self, arm: Arm, prompt: Prompt, model: Model) -> str:
        """An older revision's prompt was compiled for the clearance of its day."""
        if not arm.revision:
            return ""
        return self.clearance.barred_prompt({fact for one in prompt.segments for fact in one.facts}, model)

    def _not_sent(self, arm: Arm, case: Case, agent: str, model: Model, why: str) -> Iterator[Job]:
        for repeat in range(self.repeats):
            identity = f"barred: {arm} {case.id} {agent} {repeat}"
            request = Request(system="", messages=(("user", ""),))
            yield Job(
                arm=arm,
                case=case,
                agent=agent,
                repeat=repeat,
                model=model.name,
                request=request,
                identity=identity,
                barred=why,
            )

    def held(self, arms: Iterable[Arm], case: Case, wanted: Set[str]) -> tuple[Held, ...]:
        """The lines of prompts that hold the facts which a case expects, at most three an agent and variant."""
        found: dict[tuple[str, str], list[Held]] = {}
        for arm in arms if wanted else ():
            for agent in case.agents:
                if (agent, arm.variant) not in found and self.compiled[arm.model][agent].entry is not None:
                    lines = self._lines(arm, agent)
                    at = sorted({number for fact in wanted for number in lines.get(fact, ())})[:_LINES]
                    found[agent, arm.variant] = [self._held(arm, agent, number, wanted) for number in at]
        return tuple(one for some in found.values() for one in some)

    def _prompt(self, arm: Arm, agent: str) -> Prompt:
        """An agent's prompt in an arm. An ablation is cut out of the enriched one: once, not for every case."""
        key = (arm.model, arm.variant, agent)
        if key not in self._prompts:
            entry = self.compiled[arm.model][agent].entry
            assert entry is not None  # asked only for those that were compiled
            prompt = prompt_of(entry, arm.variant)
            self._prompts[key] = prompt if prompt.tokens else replace(prompt, tokens=_share(prompt, entry.enriched))
        return self._prompts[key]

    def _lines(self, arm: Arm, agent: str) -> Mapping[str, Sequence[int]]:
        """By fact, the numbers of the segments of a prompt that hold it."""
        key = (arm.model, arm.variant, agent)
        if key not in self._index:
            index = self._index[key] = {}
            for number, segment in enumerate(self._prompt(arm, agent).segments):
                for fact in segment.facts if segment.kind != "heading" else ():
                    index.setdefault(fact, []).append(number)
        return self._index[key]

    def _held(self, arm: Arm, agent: str, number: int, wanted: Set[str]) -> Held:
        prompt = self._prompt(arm, agent)
        segment = prompt.segments[number]
        texts = self._bytes.setdefault((arm.model, arm.variant, agent), {})
        if segment.message not in texts:
            text = prompt.messages[segment.message - 1][1] if segment.message else prompt.system
            texts[segment.message] = text.encode("utf-8", "surrogatepass")
        lines = texts[segment.message][segment.start : segment.end].decode("utf-8", "surrogatepass")
        return Held(
            agent=agent,
            variant=arm.variant,
            line=0 if segment.message else segment.first_line,
            file=segment.file,
            file_line=segment.line,
            fact=min(fact for fact in segment.facts if fact in wanted),
            text=" ".join(lines.split())[:_TEXT],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOf:
    """What is asked of one revision of a project."""

    cases: Mapping[str, Case]
    arms: Sequence[Arm]
    planner: Planner
    away: Mapping[str, GivenAway]
    """The cases that an example gives away."""


def _share(part: Prompt, whole: Prompt) -> int:
    """The tokens of a prompt that was cut out of another one: its share by estimate of those counted there."""
    sizes = [sum(estimate(text) for text in (one.system, *(t for _, t in one.messages))) for one in (part, whole)]
    return round(whole.tokens * sizes[0] / max(sizes[1], 1))
