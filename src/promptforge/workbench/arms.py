"""What a benchmark sends: each arm's prompts with each case's question, barred where clearance says so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptforge.backends.base import Request
from promptforge.bench.cases import Case
from promptforge.bench.plan import Job, identity_of, request_for
from promptforge.bench.results import Arm, Held
from promptforge.model import Model, Prompt
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.variants import Compiled, prompt_of

__all__ = ["Planner"]

Identity = Mapping[str, str]


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
        prompt = prompt_of(one.entry, arm.variant)
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
                prompt_tokens=prompt.tokens or one.entry.enriched.tokens,
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

    def held(self, arms: Iterable[Arm], case: Case) -> tuple[Held, ...]:
        """The lines of prompts that hold the facts which a case expects, at most three an agent and variant."""
        wanted = {fact for fact, _ in case.expects}
        lines: dict[tuple[str, str], list[Held]] = {}
        for arm in arms:
            for agent in case.agents:
                entry = self.compiled[arm.model][agent].entry
                if entry is None or (agent, arm.variant) in lines:
                    continue
                found = lines[agent, arm.variant] = []
                for segment in prompt_of(entry, arm.variant).segments if wanted else ():
                    facts = wanted.intersection(segment.facts) if segment.kind != "heading" else ()
                    if facts and len(found) < 3:
                        line = 0 if segment.message else segment.first_line
                        found.append(
                            Held(
                                agent=agent,
                                variant=arm.variant,
                                line=line,
                                file=segment.file,
                                file_line=segment.line,
                                fact=min(facts),
                            )
                        )
        return tuple(one for some in lines.values() for one in some)
