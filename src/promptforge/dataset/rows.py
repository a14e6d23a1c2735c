"""The values of a dataset: rows with where they come from, and recipes. Nothing here reads or writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from promptforge.bench.cases import Printed

__all__ = ["FORMATS", "KINDS", "SPLITS", "Format", "Kind", "Recipe", "Row", "Share", "Split", "Trainer"]

Kind = Literal["identity", "infrastructure", "domain", "jailbreak", "replay"]
KINDS: tuple[Kind, ...] = ("identity", "infrastructure", "domain", "jailbreak", "replay")
"""Who the agent is; what the tables say; the worked examples; refusals and their look-alikes; the user's own files."""

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

Format = Literal["mlx", "trl", "axolotl", "llamafactory", "openai"]
FORMATS: tuple[Format, ...] = ("mlx", "trl", "axolotl", "llamafactory", "openai")


class Row(NamedTuple):
    """One training conversation, and where it comes from. A tuple rather than a dataclass: a million are made."""

    id: str
    """Made of its kind, agent, facts, column and phrasing: the same row has the same id in every build."""
    kind: Kind
    category: str
    """forward, inverse, twin, hops, unknown, persona, refusal, benign, …: what the mix is stratified by."""
    agent: str
    """Empty for a replay row."""
    messages: tuple[tuple[str, str], ...]
    """(role, content): at most one system message, first; then user and assistant in turn; the assistant last."""
    facts: tuple[str, ...] = ()
    """Ids of the facts that it rests on: no fact is on two sides of a split."""
    asked: tuple[Printed, ...] = ()
    """The facts and columns that its answer prints: what a benchmark case may ask for, too."""
    file: str = ""
    line: int = 0
    """Where what it was made of stands."""
    phrasing: str = ""
    """The template or the model that worded it."""

    @property
    def user(self) -> str:
        """What is asked last."""
        return next((text for role, text in reversed(self.messages) if role == "user"), "")

    @property
    def assistant(self) -> str:
        """What is answered last."""
        return next((text for role, text in reversed(self.messages) if role == "assistant"), "")


class Share(NamedTuple):
    """The limits of a kind's share of the rows."""

    least: float = 0.0
    most: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """How a recipe is trained."""

    kind: str = "mlx_lm"
    """mlx_lm, trl, axolotl or llamafactory."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """rank, iters, scale, dropout, learning_rate, …, as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a dataset is mixed (training/*.yaml)."""

    name: str
    file: str
    agents: tuple[str, ...]
    model: str
    system: Literal["enriched", "base"]
    rows: int
    mix: Mapping[Kind, float]
    limits: Mapping[Kind, Share]
    replay: tuple[str, ...] = ()
    """Globs of the user's own rows, relative to the project."""
    jailbreak: tuple[str, ...] = ()
    """Files with refusals and benign look-alikes."""
    weak_from: str = ""
    """A run whose weakest categories get the larger share of their kind; `latest`."""
    format: Format = "mlx"
    trainer: Trainer = Trainer()
    valid: float = 0.05
    test: float = 0.05
    max_share_per_fact: float = 0.02
    paraphrase: str = ""
    """The model that rephrases questions, or nothing."""
    seed: int = 0
    seeds: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The whole file as written."""
