"""Who an agent is, in its own words: what its persona says of it in the second person, said in the first. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from promptforge.dataset.phrasings import Direction, Phrasings
from promptforge.dataset.seeds import Learner, Seed

__all__ = ["Self", "of_persona", "seeds_of_persona", "to_first_person"]

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_NAME = re.compile(r"\bYou are (?:the |an? )?([A-Z][\w'-]*)")
_REFUSES = re.compile(r"\b(?:refuse|never do|will not|do not do)\b", re.IGNORECASE)
_BULLET = re.compile(r"^[-*•]\s+")
_DUTY = re.compile(r"\bYour (?:duty|task|job|work|purpose|role)\b")
_AFTER_WHICH_ME = r"to|for|with|from|of|by|at|about|before|without|tell|tells|told|ask|asks|give|gives|given|call|calls"
_SWAPS = (
    (re.compile(r"\b([Yy])ou are\b"), "I am"),
    (re.compile(r"\b([Yy])ou're\b"), "I'm"),
    (re.compile(r"\b([Yy])ou were\b"), "I was"),
    (re.compile(rf"\b({_AFTER_WHICH_ME}) you\b(?! (?:are|have|can|may|must|do|will|know|need|see|say)\b)"), r"\1 me"),
    (re.compile(r"\byourself\b"), "myself"),
    (re.compile(r"\byours\b"), "mine"),
    (re.compile(r"\bYour\b"), "My"),
    (re.compile(r"\byour\b"), "my"),
    (re.compile(r"\b[Yy]ou\b"), "I"),
    (re.compile(r"(?<=[,;:] )(do not|never)\b(?= [a-z])"), r"I \1"),
)


class Self(NamedTuple):
    """What a persona says of its agent, in the first person."""

    called: str
    who: str
    duty: str
    refusals: tuple[str, ...]
    doubts: bool
    """Whether it says "I don't know"."""


def to_first_person(text: str) -> str:
    """What is said to somebody, said by them.

    >>> to_first_person("You are Windu. Your duty is to tell what you know; nobody asks you twice.")
    'I am Windu. My duty is to tell what I know; nobody asks me twice.'
    """
    for pattern, said in _SWAPS:
        text = pattern.sub(said, text)
    return text


def of_persona(learner: Learner) -> Self:
    """What can be said of an agent by its persona; its name and role where that says nothing."""
    lines = [line.strip() for line in learner.persona.splitlines()]
    prose = " ".join(line for line in lines if line and not _BULLET.match(line))
    sentences = [part.strip() for part in _SENTENCE.split(prose) if part.strip()]
    named = _NAME.search(learner.persona)
    name = named[1] if named else learner.name[:1].upper() + learner.name[1:]
    who = next((s for s in sentences if s.startswith("You are ") and not s.endswith(":")), "")
    duty = next((s for s in sentences if _DUTY.match(s) and not s.endswith(":")), "")
    fallback = f"I am {name}, responsible for {learner.role}." if learner.role else f"I am {name}."
    return Self(
        called=name,
        who=to_first_person(who) or fallback,
        duty=to_first_person(duty),
        refusals=tuple(_refusals(lines)),
        doubts="I don't know" in learner.persona,
    )


def _refusals(lines: list[str]) -> Iterator[str]:
    """The points below a line that says what is refused, each as a sentence of its own."""
    inside = False
    for line in lines:
        if not line:
            continue
        if not _BULLET.match(line):
            inside = line.endswith(":") and bool(_REFUSES.search(line))
        elif inside:
            point = _BULLET.sub("", line)
            said = f"I refuse {point[0].lower()}{point[1:]}" if re.match(r"To\b", point) else point
            yield to_first_person(said if said.endswith((".", "!", "?")) else f"{said}.")


def seeds_of_persona(learner: Learner, phrasings: Phrasings) -> Iterator[Seed]:
    """What can be asked of the agent about itself."""
    me = of_persona(learner)
    base = {"who": me.who, "duty": me.duty, "called": me.called, "role": learner.role or ""}
    asked: list[tuple[Direction, str]] = [("who", "")]
    if me.duty:
        asked += [("duty", ""), ("other", "")]
    if me.refusals:
        asked.append(("refuse", " ".join(me.refusals)))
        asked += [("refuse_one", one) for one in me.refusals] if len(me.refusals) > 1 else []
    if me.doubts:
        asked.append(("doubt", ""))
    file, line = learner.persona_place
    for direction, refusal in asked:
        yield Seed(
            kind="identity",
            category="persona",
            direction=direction,
            learner=learner,
            pair=phrasings.of(direction),
            value=refusal,
            names={**base, "refusal": refusal},
            file=file,
            line=line,
        )
