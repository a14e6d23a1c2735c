"""README.md of a dataset: what it is, its mix drawn, what it rests on, how to train on it, what it cannot do."""

import json
from collections.abc import Iterator, Sequence

from promptforge.dataset.configs import Plan
from promptforge.dataset.manifest import FACTS, MANIFEST, RECIPE, ROWS, Manifest
from promptforge.dataset.rows import KINDS, SPLITS

__all__ = ["card"]

_BAR = 20
_FORGETTING = """\
Training on these rows makes the model better at them and, as a rule, worse at what they leave out. LoRA forgets less
than training every weight, because it learns less: both lie on the same curve of learning against forgetting
(Biderman and others 2024, arXiv 2405.09673). New facts are learnt slowly, and once learnt they raise the rate of
made-up answers about others (Gekhman and others 2024, arXiv 2405.05904). Replaying general rows helps, also with the
task itself (Kotha and Liang 2026, arXiv 2603.04964); no share of them is right for all. A few safety rows matter more
than their number (Bianchi and others 2023, arXiv 2309.07875). So measure before and after, on cases that no row here
gives away, and keep the untrained model to compare with. Facts that change belong in the prompt."""
_KIND = {
    "identity": "who the agent is",
    "infrastructure": "what the tables say",
    "domain": "the worked examples",
    "jailbreak": "refusals, and harmless look-alikes",
    "replay": "general rows of your own",
}


def card(manifest: Manifest, plan: Plan, start: str, notes: Sequence[str] = ()) -> str:
    """The dataset card, with the header by which `datasets.load_dataset` finds the files of each split."""
    parts = (
        *(_header(manifest), _what(manifest, notes), _mix(manifest, plan), _rests(manifest)),
        *(_use(plan, start), _limits(plan), ("## Forgetting", "", _FORGETTING, "")),
    )
    return "\n".join(line for part in parts for line in part)


def _header(manifest: Manifest) -> Iterator[str]:
    yield "---"
    yield f"pretty_name: {json.dumps(manifest.name, ensure_ascii=False)}"
    yield "configs:"
    yield "- config_name: default"
    yield "  data_files:"
    for split in SPLITS:
        if manifest.lines[split]:
            yield f"  - split: {split}"
            yield f"    path: {split}.jsonl"
    yield "---"
    yield ""


def _what(manifest: Manifest, notes: Sequence[str]) -> Iterator[str]:
    rows, lines = sum(manifest.rows.values()), sum(manifest.lines.values())
    more = "" if rows == lines else f", in {lines:,} lines: a row with several answers makes one for each"
    yield f"# {manifest.name}"
    yield ""
    yield f"{rows:,} rows{more}. For {manifest.model}, in the format {manifest.format}."
    yield f"Made by promptforge {manifest.promptforge} from {manifest.recipe}; its copy is {RECIPE}."
    if manifest.private:
        yield ""
        yield "**Private.** Rows may hold private facts in clear. Keep this folder, and what is trained on it, at home."
    yield from ("", *(f"- {note}" for note in notes), *([""] if notes else []))


def _mix(manifest: Manifest, plan: Plan) -> Iterator[str]:
    total = sum(manifest.rows.values()) or 1
    kinds = manifest.kinds()
    yield "## Mix"
    yield ""
    yield "| kind | what | asked | rows | share | |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for kind in KINDS:
        asked, share = plan.recipe.mix.get(kind, 0.0), kinds[kind] / total
        bar = "█" * round(share * _BAR) + "░" * (_BAR - round(share * _BAR))
        yield f"| {kind} | {_KIND[kind]} | {float(asked):.1%} | {kinds[kind]:,} | {share:.1%} | {bar} |"
    yield ""
    yield "| kind | category | " + " | ".join(SPLITS) + " |"
    yield "| --- | --- |" + " ---: |" * len(SPLITS)
    for kind in KINDS:
        names = {name for split in SPLITS for name in manifest.categories[split].get(kind, {})}
        for name in sorted(names):
            counts = [f"{manifest.categories[split].get(kind, {}).get(name, 0):,}" for split in SPLITS]
            yield f"| {kind} | {_cell(name)} | {' | '.join(counts)} |"
    yield "| all | | " + " | ".join(f"{manifest.rows[split]:,}" for split in SPLITS) + " |"
    yield ""
    yield "All rows that rest on a fact are on one side of the split."
    yield ""


def _rests(manifest: Manifest) -> Iterator[str]:
    longest = manifest.longest
    counted = "the model's own" if longest.exact else "not exactly the model's own"
    yield "## What it rests on"
    yield ""
    yield f"- {manifest.facts:,} facts. {FACTS} names the rows of each, {ROWS} where each row comes from."
    if manifest.knowledge:
        yield f"- Knowledge {manifest.knowledge[:12]}."
    for agent, digest in sorted(manifest.prompts.items()):
        yield f"- The prompt of {_cell(agent)}, {digest[:12]}."
    yield f"- No row has more than {longest.tokens:,} tokens (counted by {longest.tokenizer}, {counted}). The trainer's"
    yield f"  limit is {longest.limit:,}, so no answer is cut."
    yield f"- {MANIFEST} has the hash of every file."
    yield ""


def _use(plan: Plan, start: str) -> Iterator[str]:
    yield "## Training"
    yield ""
    yield f"    {start.format(config=plan.folder)}"
    yield ""
    yield "Started where the paths of the configuration hold: in the project's folder."
    yield ""


def _limits(plan: Plan) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "- The rows are made from templates and from files: few phrasings, one language, no conversation of people."
    yield "- A fact is as right as the knowledge was at the build; `promptforge diff` says when it no longer is."
    if not plan.lines.get("valid"):
        yield "- There is no valid split, so nothing tells when to stop."
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())
