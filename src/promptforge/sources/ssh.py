"""OpenSSH's client configuration: aliases, and where they lead. Nothing is run: `Match exec` is passed over.

As OpenSSH has it, the first value of a key wins, and a `Host *` below fills what is still missing.
"""

import glob
import heapq
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from promptforge.sources.base import Observation, Seen
from promptforge.sources.clean import Texts, identifier
from promptforge.sources.dump import head_of, lines_of, shown, wrong
from promptforge.sources.gather import Gathering, fields, identity_of
from promptforge.sources.looks import DUMPS, looks_like
from promptforge.sources.marks import address_values, first_label, is_loopback, plain_address, port_of

__all__ = ["SOURCE", "Ssh"]

_DEEPEST = 16
"""As OpenSSH itself (READCONF_MAX_DEPTH)."""
_MOST_FILES = 256
_MOST_ALIASES = 20_000
_READ = fields("hostname user port proxyjump")
_LINE = re.compile(r"\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*)")
_WORD = re.compile(r'"([^"]*)"|(\S+)')
_FORGES = fields("github.com gitlab.com bitbucket.org codeberg.org git.sr.ht ssh.github.com altssh.gitlab.com")


class _Condition(NamedTuple):
    """A line that begins with Host or Match."""

    place: str
    patterns: tuple[str, ...]
    of_target: bool = False
    """Whether it means where the alias leads, as far as that is known at this line: `Match host`."""


_Conditions = tuple[_Condition, ...]


class _Setting(NamedTuple):
    conditions: _Conditions
    """Of every block that it stands in, also across an Include; all must hold."""
    key: str
    value: str


@dataclass(slots=True)
class _Config:
    """What the files say, in the order in which OpenSSH would read it."""

    made: Gathering
    root: Path
    settings: list[_Setting] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    """Alias to its first place."""
    read: set[Path] = field(default_factory=set)
    hosts: dict[str, str] = field(default_factory=dict)
    """What HostName says to the host's name: two aliases may lead to one host."""
    by_alias: dict[str, list[int]] = field(default_factory=dict)
    """The settings that only one name can have, so that thousands of aliases do not try thousands of settings."""
    general: list[int] = field(default_factory=list)

    def set(self, setting: _Setting) -> None:
        """Take a setting."""
        last = setting.conditions[-1] if setting.conditions else None
        position = len(self.settings)
        self.settings.append(setting)
        if not last or last.of_target or any(set(pattern) & set("*?!") for pattern in last.patterns):
            self.general.append(position)
        else:
            for name in dict.fromkeys(last.patterns):
                self.by_alias.setdefault(name.lower(), []).append(position)


class Ssh:
    """What one types after ssh."""

    name = "ssh"
    about = f"Aliases of OpenSSH; {DUMPS['ssh'].command}"
    options: tuple[str, ...] = ("home",)

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every alias without a wildcard. Forges of code and the machine itself are noise.

        Options: `home` for `~` and relative includes; by default the folder of the file is `~/.ssh`.
        """
        made = Gathering(self.name, files)
        for path in files:
            root = Path(options["home"]) / ".ssh" if options.get("home") else path.parent
            config = _Config(made=made, root=root)
            if looks_like(head_of(path)) not in ("", "table", self.name) or not _read(config, path, (), ()):
                raise wrong(self.name, path)
            for alias, place in config.aliases.items():
                _take(config, alias, place)
        return made.observation()


def _read(config: _Config, path: Path, outer: _Conditions, chain: tuple[Path, ...]) -> bool:
    """Take a file's settings; whether any line of it was one of OpenSSH's."""
    conditions: _Conditions | None = outer
    config.read.add(path.resolve())
    ours = False
    for number, line in lines_of(path, config.made.source):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            config.made.pass_over("lines that are no setting")
            continue
        key, words, place = match[1].lower(), _words(match[2]), f"{shown(path)}:{number}"
        if key == "host" and words:
            conditions, ours = (*outer, _Condition(place, tuple(words))), True
            _name(config, words, place)
        elif key == "match" and words:
            conditions, ours = _matching(config, outer, words, place), True
        elif key == "include" and words:
            ours = True
            if conditions is not None:
                _include(config, words, conditions, (*chain, path.resolve()), place)
        elif key in _READ and words:
            ours = True
            if conditions is not None:
                config.set(_Setting(conditions, key, words[0]))
    return ours


def _words(rest: str) -> list[str]:
    """Words as OpenSSH splits them; a `#` begins a comment where a word would begin."""
    words: list[str] = []
    for match in _WORD.finditer(rest):
        if match[0].startswith("#"):
            break
        words.append(match[1] if match[1] is not None else match[2])
    return words


def _name(config: _Config, words: Sequence[str], place: str) -> None:
    for word in words:
        if not word.startswith("!") and not set(word) & set("*?") and len(config.aliases) < _MOST_ALIASES:
            config.aliases.setdefault(word, place)


def _matching(config: _Config, outer: _Conditions, words: Sequence[str], place: str) -> _Conditions | None:
    """The conditions of a Match that can be known from the file alone; nothing where it would take running it."""
    kind = words[0].lower()
    if kind == "all" and len(words) == 1:
        return outer
    if kind in ("host", "originalhost") and len(words) == 2:
        return (*outer, _Condition(place, tuple(words[1].split(",")), kind == "host"))
    reason = "exec, which is never run" if any(w.lower().lstrip("!") == "exec" for w in words) else "a condition"
    config.made.note(f"{place}: passed over a Match block with {reason}")
    return None


def _include(
    config: _Config, words: Sequence[str], conditions: _Conditions, chain: tuple[Path, ...], place: str
) -> None:
    for word in words:
        pattern = _pattern(config, word)
        if not pattern:
            config.made.note(f"{place}: passed over an Include with a variable")
            continue
        found = sorted(glob.iglob(pattern))  # noqa: PTH207  # the pattern may be absolute
        if not found and not set(word) & set("*?["):
            config.made.note(f"{place}: the included file is not there")
        for name in found:
            path = Path(name)
            if path.resolve() in chain:
                config.made.note(f"{place}: passed over an Include of a file that is being read")
            elif len(chain) >= _DEEPEST or len(config.read) >= _MOST_FILES:
                config.made.note(f"{place}: passed over an Include, {_DEEPEST} deep or after {_MOST_FILES} files")
            elif path.is_file() and path.stat().st_size:
                _read(config, path, conditions, chain)


def _pattern(config: _Config, word: str) -> str:
    """Where an Include leads: `~` and relative names start from the home and the folder of the configuration."""
    if "%" in word or "$" in word:
        return ""
    if word.startswith("~/"):
        word = word[2:].removeprefix(".ssh/") if word.startswith("~/.ssh/") else f"../{word[2:]}"
    return word if os.path.isabs(word) else f"{glob.escape(str(config.root))}/{word}"  # noqa: PTH117


# ---- One alias -------------------------------------------------------------------------------------------------------


def _settings_of(config: _Config, alias: str) -> dict[str, str]:
    found: dict[str, str] = {}
    held: dict[_Condition, bool] = {}
    for position in heapq.merge(config.general, config.by_alias.get(alias.lower(), ())):
        setting = config.settings[position]
        for condition in setting.conditions:
            if condition not in held:
                name = found.get("hostname", alias) if condition.of_target else alias
                held[condition] = _matches(name, condition.patterns)
        if setting.key not in found and all(held[condition] for condition in setting.conditions):
            found[setting.key] = setting.value
    return found


def _matches(alias: str, patterns: Sequence[str]) -> bool:
    """Whether a Host line means this alias: one pattern matches, and no pattern with `!` does."""
    name = alias.lower()
    if any(p.startswith("!") and fnmatchcase(name, _literal(p[1:])) for p in patterns):
        return False
    return any(not p.startswith("!") and fnmatchcase(name, _literal(p)) for p in patterns)


def _literal(pattern: str) -> str:
    """OpenSSH knows `*` and `?` alone."""
    return pattern.lower().replace("[", "[[]")


def _take(config: _Config, raw: str, place: str) -> None:
    found, texts = _settings_of(config, raw), Texts()
    alias = texts.take("alias", raw)
    if not alias:
        config.made.pass_over("aliases of which nothing was left")
        return
    target = found.get("hostname", raw).replace("%h", raw).replace("%%", "%")
    host = config.hosts.setdefault(target.lower(), _host_name(texts, target, alias))
    values: dict[str, Any] = {"alias": alias, "host": host}
    if user := texts.take("user", found.get("user")):
        values["user"] = user
    if "port" in found:
        if port := port_of(found["port"]):
            values["port"] = port
        else:
            config.made.note(f"{place}: the port of this alias is no port")
    noise = "forge of code" if target.lower() in _FORGES else "the machine itself" if _own(target) else ""
    to = address_values(target)
    dns = "" if plain_address(target) or "." not in target else identifier(target.lower().strip("."))
    key = identity_of(("dns", dns), addresses=to.values())
    config.made.host(
        host, place=place, values=to, guesses={"ssh": alias}, identity=key, noise=noise, cleaned=texts.done
    )
    same = (("alias", alias),)
    config.made.add(
        Seen(table="ssh", key=alias, values=values, identity=same, place=place, noise=noise, cleaned=texts.done)
    )


def _host_name(texts: Texts, target: str, alias: str) -> str:
    """The host's own name: the first label of what HostName says, or the alias where it is an address."""
    return alias if plain_address(target) else texts.take("host", first_label(target)) or alias


def _own(target: str) -> bool:
    return target.lower() == "localhost" or is_loopback(target)


SOURCE = Ssh()
