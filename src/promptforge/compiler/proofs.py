"""What a pattern cannot say: whether a value that stands where a secret would stand is one. Pure judgements."""

import re
from collections.abc import Callable

from promptforge.compiler.patterns import (
    ACCOUNTS,
    ELSEWHERE,
    LOGIN_ROLES,
    NO_SECRET,
    NOT_A_CODE,
    NOT_A_PASSWORD,
    PLACEHOLDER,
    TECHNICAL,
    UNIT,
)

__all__ = ["COLUMN_PROOFS", "PROOFS", "is_elsewhere"]

Span = tuple[int, int]


# ---- The value of a column that is there to hold a secret ------------------------------------------------------------


def is_elsewhere(value: str) -> bool:
    """Whether a value says that there is no secret, or where it is kept.

    >>> [is_elsewhere(v) for v in ("ask Mara", "env:MQTT_PASSWORD", "***", "hunter2")]
    [True, True, True, False]
    """
    return bool(PLACEHOLDER.fullmatch(value) or value.lower() in NO_SECRET or ELSEWHERE.search(value))


_CODE_NUMBER = re.compile(r"(?<![\w.])(?!\d{4}-\d\d-\d\d)[#*]?\d(?:[ -]?\d){2,9}[#*]?(?!\w|[-./:]\d)", re.ASCII)
_CODE_WORD = re.compile(r"[A-Za-z]?\d{4,8}[A-Za-z#*]?", re.ASCII)
_PIN = re.compile(r"[#*]?\d{4,8}[#*]?(?!\w|[-./:,]\d)", re.ASCII)


def _any_value(value: str) -> Span | None:
    kept_there = "://" in value or value.startswith(("/", "~/", "./"))
    counts = value.isdecimal() and len(value) < 4
    return None if kept_there or counts else (0, len(value))


def _code_value(value: str) -> Span | None:
    match = _CODE_WORD.fullmatch(value) or _CODE_NUMBER.search(value)
    return match.span() if match and not UNIT.match(value, match.end()) else None


def _pin_value(value: str) -> Span | None:
    match = _PIN.match(value)
    return match.span() if match and not UNIT.match(value, match.end()) else None


def _random_value(value: str) -> Span | None:
    return (0, len(value)) if _is_random(value) else None


COLUMN_PROOFS: dict[str, Callable[[str], Span | None]] = {
    "column": _any_value,
    "code column": _code_value,
    "PIN column": _pin_value,
    "random": _random_value,
}

# ---- A match in a text -----------------------------------------------------------------------------------------------

_ONE_TOKEN = re.compile(r"[\w\-.~+/]{16,}={0,2}", re.ASCII)
_PLAIN_PART = re.compile(r"[A-Z]?[a-z]*\d{0,5}[a-z]*|[A-Z]*\d{0,5}|[a-z]+(?:[A-Z][a-z]{2,})*\d{0,5}|\d{1,8}", re.ASCII)
"""One of the words and numbers that a name is made of."""
_EXAMPLE_USER = re.compile(
    r"://(?:user|username|<user>|name):(?:pass|password|passwd|pw|pwd|token|secret)@$", re.IGNORECASE
)
_PLAIN_WORD = re.compile(r"[A-Za-z][\w-]{3,}", re.ASCII)
_DESCRIBES = re.compile(r".*(?:ed|ing|able|ible|ory|ful|less|ent|ant|ary|ive|ous|(?<!f)ly)", re.IGNORECASE)
_SENTENCE_ENDS = re.compile(r"[\"'`\u201d\u2019\xbb]?(?:\s*$|\s*[.,;!)\]\n])")
_LOGIN_ENDS = re.compile(r"\s*(?:$|[.,;)]|(?:on|for|at|and|in|to)\b)")


def _is_random(value: str) -> bool:
    """Whether chance made a value: long, mixed, and not words and numbers in a row.

    >>> _is_random("9fK2vQ7xLm4ZpR8sTn3c"), _is_random("kitchen-sensor-battery-2")
    (True, False)
    """
    if not _ONE_TOKEN.fullmatch(value) or PLACEHOLDER.fullmatch(value) or len(set(value)) < 8:
        return False
    if not (re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value)):
        return False
    return not all(_PLAIN_PART.fullmatch(part) for part in re.split(r"[-_.~+/=]", value))


def _is_strong(word: str, after: str) -> bool:
    """Whether a word cannot be one of a sentence: letters with digits or signs, or a number that counts nothing."""
    if len(word) < 4 or PLACEHOLDER.fullmatch(word) or TECHNICAL.fullmatch(word) or UNIT.match(after):
        return False
    has_digit, has_letter = re.search(r"[0-9]", word), re.search(r"[A-Za-z]", word)
    return bool((has_digit and (has_letter or word.isdecimal())) or (has_letter and re.search(r"[!@#$%^&*+=~?]", word)))


def _secret(match: re.Match[str]) -> str:
    return str(match["secret"] if "secret" in match.re.groupindex else match[0])


def _random(match: re.Match[str]) -> bool:
    return _is_random(_secret(match))


def _strong(match: re.Match[str]) -> bool:
    return _is_strong(match["secret"], match.string[match.end("secret") :])


def _password(match: re.Match[str]) -> bool:
    secret, after = match["secret"], match.string[match.end("secret") :]
    if PLACEHOLDER.fullmatch(secret) or TECHNICAL.fullmatch(secret) or secret.lower() in NOT_A_PASSWORD:
        return False
    if "=" in match[0] and match[0].lower().startswith(secret.lower()):
        return False  # code: `password=password`
    if _is_strong(secret, after) or (match["quote"] and len(secret) > 2):
        return True
    plain = _PLAIN_WORD.fullmatch(secret) and not _DESCRIBES.fullmatch(secret)
    return bool(plain and _SENTENCE_ENDS.match(after))


def _login(match: re.Match[str]) -> bool:
    user, secret, after = match["user"].lower(), match["secret"], match.string[match.end("secret") :]
    if PLACEHOLDER.fullmatch(secret) or not _LOGIN_ENDS.match(after):
        return False
    role = secret.lower() in LOGIN_ROLES and secret.lower() != user
    return not role and (user in ACCOUNTS or _is_strong(secret, after))


def _code(match: re.Match[str]) -> bool:
    before, after = match.string[: match.start("word")][-40:], match.string[match.end("secret") :]
    return not NOT_A_CODE.search(before) and not UNIT.match(after)


def _address(match: re.Match[str]) -> bool:
    return not (PLACEHOLDER.fullmatch(match["password"]) or _EXAMPLE_USER.search(match[0]))


PROOFS: dict[str, Callable[[re.Match[str]], bool]] = {
    "any": bool,
    "random": _random,
    "strong": _strong,
    "password": _password,
    "login": _login,
    "code": _code,
    "address": _address,
}
