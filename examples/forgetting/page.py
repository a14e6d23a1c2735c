"""What the story came to, as a table and as a page: every number is read from what the commands said."""

import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

__all__ = ["arms", "page", "table"]

Told = Mapping[str, Any]
_VARIANTS = {"base": "bare", "enriched": "enriched"}
_RECIPES = {
    "persona-64": "76 % identity, rank 64",
    "persona-16": "76 % identity, rank 16",
    "balanced": "balanced, rank 16",
}
_NO_FALL = ": no fall against the untrained model"
_ADAPTER = re.compile(r"the (?:adapter|champion) ([0-9a-f]{12})")
_RUN = re.compile(r" \(run [^)]*\)")


def arms(story: Told) -> Iterator[tuple[str, str, Told]]:
    """(model, prompt, score) of every arm of one seed."""
    told = {"untrained": story["untrained"], **story["chapters"]}
    for name, one in told.items():
        for variant, words in _VARIANTS.items():
            yield _RECIPES.get(name, name), words, one["arms"][variant]


def table(told: Told) -> str:
    """Each arm: its score of each seed with its interval, and the mean."""
    stories: Sequence[Told] = told["stories"]
    head = ["model", "prompt", *(f"seed {story['seed']}" for story in stories), *(["mean"] if len(stories) > 1 else [])]
    rows = []
    for same in zip(*(arms(story) for story in stories), strict=True):
        name, prompt, _ = same[0]
        scores = [score["overall"] for *_, score in same]
        means = [f"**{fmean(one['value'] for one in scores):.3f}**"] if len(stories) > 1 else []
        rows.append([name, prompt, *map(_level, scores), *means])
    return _markdown(head, rows)


def page(told: Told) -> str:
    """The whole page, in Markdown."""
    return "\n".join(_parts(told)).rstrip() + "\n"


def _parts(told: Told) -> Iterator[str]:
    first: Told = told["stories"][0]
    count = len(told["stories"])
    seeds = f"{_number(count)} seed{'s' if count > 1 else ''}"
    yield "<!-- Written by `make forgetting`; do not edit. -->\n# Forgetting, measured\n"
    yield (
        "A model that was told its house answered well, and after a training on who it is it answered badly: that is "
        "how this project began, on a machine and a model that nobody else has. Here the same is done on any machine: "
        "[a small project](../examples/forgetting/README.md), a language model of 1.7 million parameters that really "
        f"reads its prompt, real servers, real trainings, {seeds}, every step by a command of promptforge. "
        "These are its numbers, whatever they are.\n"
    )
    yield "Each score is the mean of five categories over 109 questions, with its 95 % interval.\n"
    yield table(told) + "\n"
    yield from _about(told)
    yield "## By category\n"
    yield _over(told, "The mean of the seeds") + _categories(told) + "\n"
    yield "## What the audit said before anything was trained\n"
    yield from _audits(first)
    yield "## What the gate said\n"
    yield (
        "Each adapter against the untrained model, both with the enriched prompt, each behind a fresh server of its "
        "own. Every seed has a history of its own, so its recipes are its first, second and third look at the suite.\n"
    )
    yield _gate(told) + "\n"
    yield "## What `advise` said\n"
    yield from _advice(told)
    yield "## How it was made\n"
    yield from _made(told)


def _told(story: Told) -> Iterator[tuple[str, str]]:
    return ((recipe, _RECIPES[recipe]) for recipe in story["chapters"])


def _over(told: Told, words: str) -> str:
    return f"{words}.\n\n" if len(told["stories"]) > 1 else ""


def _about(told: Told) -> Iterator[str]:
    """The differences that the story is about, as they came out."""
    stories: Sequence[Told] = told["stories"]
    gain = stories[0]["untrained"]["gain"]["overall"]
    yield f"- **The prompt**, untrained: {_moved(gain)}; {_shown(gain)}."
    for recipe, words in _told(stories[0]):
        effects = [story["chapters"][recipe]["verdict"]["overall"] for story in stories]
        falls = sum(one["high"] < 0 for one in effects)
        gains = sum(one["low"] > 0 for one in effects)
        moved = fmean(one["estimate"] for one in effects)
        of = f"of {_number(len(effects))}"
        yield (
            f"- **{words}**, with the enriched prompt: {_signed(moved)} on average; "
            f"the interval is below 0 in {_number(falls)} {of}, above 0 in {_number(gains)} {of}."
        )
    means = {
        f"{name}, {prompt} prompt": fmean(one[2]["overall"]["value"] for one in same)
        for same in zip(*(arms(story) for story in stories), strict=True)
        for name, prompt, _ in same[:1]
    }
    best = max(means, key=lambda name: means[name])
    yield f"- **The best of all**: {best}, {means[best]:.3f}.\n"


def _categories(told: Told) -> str:
    stories: Sequence[Told] = told["stories"]
    names = list(stories[0]["untrained"]["arms"]["base"]["categories"])
    asked = stories[0]["untrained"]["arms"]["base"]["categories"]
    rows = []
    for same in zip(*(arms(story) for story in stories), strict=True):
        name, prompt, _ = same[0]
        means = [fmean(score["categories"][one]["value"] for *_, score in same) for one in names]
        rows.append([name, prompt, *(f"{mean:.2f}" for mean in means)])
    return _markdown(["model", "prompt", *(f"{name} ({asked[name]['cases']})" for name in names)], rows)


def _audits(story: Told) -> Iterator[str]:
    refused = story["refused"]
    for recipe, audit in {**{k: v["rows"]["audit"] for k, v in story["chapters"].items()}, **refused}.items():
        shares = ", ".join(f"{kind} {one['share']:.0%}" for kind, one in audit["kinds"].items() if one["rows"])
        yield f"- `{recipe}` ({shares}): **{audit['verdict']}**"
        for finding in audit["findings"]:
            if finding["level"] in ("flag", "refuse"):
                yield f"  - {finding['text']}"
    yield "\nA refused set is not trained: `promptforge train no-refusals` ended with exit code 1, and no adapter.\n"


def _gate(told: Told) -> str:
    rows = []
    for recipe, words in _told(told["stories"][0]):
        for story in told["stories"]:
            verdict = story["chapters"][recipe]["verdict"]
            why = _why([one["name"] for one in verdict["conditions"] if not one["holds"]])
            moved = _moved(verdict["overall"]) if verdict["overall"] else "not judged"
            rows.append([words, str(story["seed"]), f"**{verdict['verdict']}**", moved, why])
    return _markdown(["adapter", "seed", "verdict", "overall, against the untrained model", "why"], rows)


def _why(failed: Sequence[str]) -> str:
    """The falls that are shown; without any, the conditions that are not met."""
    fell = [name.removesuffix(_NO_FALL) for name in failed if name.endswith(_NO_FALL)]
    if fell:
        return f"a fall is shown: {', '.join(fell)}"
    return f"not met: {', '.join(failed)}" if failed else "everything holds"


def _advice(told: Told) -> Iterator[str]:
    (before,) = told["stories"][0]["advice"]["models"]
    yield f"Before any training: {before['sentence']}\n"
    if before["settle"]:
        yield f"What would settle it: {before['settle']}.\n"
    yield "After the trainings it adds what they did:\n"
    for story in told["stories"]:
        (after,) = story["advice_after"]["models"]
        names = {one["verdict"]["digest"][:12]: f"`{recipe}`" for recipe, one in story["chapters"].items()}
        for note in after["notes"]:
            if found := _ADAPTER.search(note):
                said = _RUN.sub("", note).replace(found[0], f"the adapter of {names[found[1]]}")
                yield f"- seed {story['seed']}: {said}"
    yield ""


def _made(told: Told) -> Iterator[str]:
    machine, first = told["machine"], told["stories"][0]
    adapter = next(iter(first["chapters"].values()))["adapter"]
    versions = ", ".join(f"{name} {version}" for name, version in adapter["versions"].items())
    system = f"{machine['system']}, Python {machine['python']}"
    yield f"- {system}; {machine['cores']} cores, of which a trainer or a server takes {machine['threads']}"
    yield f"- served by mlx_lm.server (mlx-lm {machine['mlx-lm']}, mlx {machine['mlx']}); trained by {versions}"
    yield f"- {adapter['iterations']} steps each, {adapter['rows']['train']} rows, the same rows for every seed"
    minutes = [one["adapter"]["minutes"] for story in told["stories"] for one in story["chapters"].values()]
    whole = [story["times"]["all"] / 60 for story in told["stories"]]
    beside = f", {_number(machine['at_once'])} seeds beside each other" if machine["at_once"] > 1 else ""
    took = f"a training took {min(minutes):.1f} to {max(minutes):.1f} minutes"
    yield f"- {took}, a whole seed {fmean(whole):.0f} minutes{beside}"
    yield f"- weights of the tiny model: {adapter['base_digest'][:12]}\n"
    yield (
        "**The dose was chosen by looking**: rates and steps were tried on seed 1, the balanced mix was changed once, "
        "and the dose kept is the one at which the lighter persona is past doubt. A lighter one forgot much less (rank "
        "16 at half as many steps 0.620, balanced 0.664). So seed 1 is no test of its own, and how much is forgotten "
        "is no finding; seeds 2 and 3 were run once. examples/forgetting/README.md has every dose that was tried.\n"
    )
    yield (
        "The direction is what can be compared with the story that it repeats (0.704, 0.765, and 0.252 after the "
        "training), not the height: model, house and questions are others, and the mean of the categories weighs the "
        "general questions at a fifth."
    )


# --- words ------------------------------------------------------------------------------------------------------------


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _level(one: Told | None) -> str:
    return "withheld" if one is None else f"{one['value']:.3f} ({one['low']:.2f} to {one['high']:.2f})"


def _moved(effect: Told) -> str:
    interval = f"{_signed(effect['low'], 2)} to {_signed(effect['high'], 2)}"
    return f"{effect['before']:.3f} → {effect['after']:.3f}, {_signed(effect['estimate'])} ({interval})"


def _shown(effect: Told) -> str:
    return "the gain is shown" if effect["low"] > 0 else "a fall is shown" if effect["high"] < 0 else "not shown"


def _signed(value: float, digits: int = 3) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _number(count: int) -> str:
    return ("none", "one", "two", "three", "four", "five")[count] if count < 6 else str(count)
