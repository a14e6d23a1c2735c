"""Datasets: the recipes of a project, judged as `check` does; and the rows of one of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from promptforge.bench.record import read_run
from promptforge.compiler.allow import settle
from promptforge.compiler.build import Build
from promptforge.compiler.choose import Chooser
from promptforge.compiler.load import Loaded
from promptforge.compiler.scan import neutralise
from promptforge.dataset.account import Account
from promptforge.dataset.dataset import Dataset, counted
from promptforge.dataset.examples import Attack, read_jailbreak, seeds_of_attacks, seeds_of_examples
from promptforge.dataset.facts import Lore
from promptforge.dataset.making import Maker
from promptforge.dataset.mix import Mixed, Stock, mix
from promptforge.dataset.persona import seeds_of_persona
from promptforge.dataset.phrasings import Phrasings, read_phrasings
from promptforge.dataset.recipe import read_recipes
from promptforge.dataset.replayed import Reader, Replay, sample
from promptforge.dataset.rows import SPLITS, Recipe
from promptforge.dataset.seeds import Learner, Seed
from promptforge.dataset.shares import dealt
from promptforge.dataset.split import Sides, split
from promptforge.dataset.weak import Weak, weakest
from promptforge.dataset.wording import Wording
from promptforge.dataset.written_cases import WrittenCases
from promptforge.document import Document
from promptforge.errors import InputError, UsageError
from promptforge.files import CONFIG
from promptforge.model import Fact, Text
from promptforge.source import Diagnostic, Span, did_you_mean, ordered
from promptforge.store import Store
from promptforge.text import Renderer, TextError
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.suites import Suites
from promptforge.workbench.variants import Compiled, compile_for, prompt_of
from promptforge.yamlio import parse

__all__ = ["Recipes", "Rephrase", "find_recipe", "load_recipes", "make_rows"]
