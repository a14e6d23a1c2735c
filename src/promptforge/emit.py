"""Plain data to stable YAML that a 1.1 and a 1.2 reader understand alike.

By hand, because a prompt must come back byte for byte and be readable as a `|` block: PyYAML writes one long quoted
line as soon as any line ends in a space, and takes ten times as long.
"""

import re

from promptforge.document import Decimal

__all__ = ["emit", "quoted"]

_SAFE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS_OF_YAML_11 = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ".nan", ".inf"])
_BLOCK = r"[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+"
_ASCII_BLOCK = re.compile(r"[\t\n\x20-\x7e]+")
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_QUOTED = r'[\\"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]'
_ASCII_QUOTED = re.compile(r'[\\"\x00-\x1f\x7f]')
# The full classes take milliseconds to compile: `re` does so at the first text that is not ASCII, and keeps them.


def emit(value: object, *, indent: int = 0) -> str:
    """Stable YAML that a 1.1 and a 1.2 reader understand alike; texts of several lines as `|` blocks.

    Takes nested dict, list, str, int, bool and None. Raises TypeError for anything else.
    """
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{_key(str(k))}:{_below(v, indent)}" for k, v in value.items())
    if isinstance(value, list):
        return "".join(f"{pad}-{_below(v, indent, in_list=True)}" for v in value)
    raise TypeError(f"a mapping or a list, not {type(value).__name__}")


def _below(value: object, indent: int, *, in_list: bool = False) -> str:
    if isinstance(value, (dict, list)):
        if not value:
            return " {}\n" if isinstance(value, dict) else " []\n"
        text = emit(value, indent=indent + 1)
        return " " + text.lstrip(" ") if in_list and isinstance(value, dict) else "\n" + text
    if isinstance(value, str):
        return " " + scalar(value, indent + 1) + "\n"
    if value is None or isinstance(value, bool):
        return f" {str(value).lower() if value is not None else 'null'}\n"
    if isinstance(value, (int, Decimal)):
        return f" {value}\n"
    raise TypeError(f"cannot write {type(value).__name__} as YAML")


def _key(text: str) -> str:
    return text if _SAFE_KEY.fullmatch(text) and text.lower() not in _WORDS_OF_YAML_11 else quoted(text)


def scalar(text: str, indent: int) -> str:
    """A text as a `|` block where that keeps every byte, else double-quoted, without the final newline."""
    body = text.rstrip("\n")
    if "\n" not in text or not body.strip() or not _fits_block(text):
        plain = _SAFE_KEY.fullmatch(text) and text.lower() not in _WORDS_OF_YAML_11
        return text if plain else quoted(text)
    if body[0] in " \n\t":
        return quoted(text)
    chomp = {0: "-", 1: ""}.get(len(text) - len(body), "+")
    pad = "  " * indent
    block = body.replace("\n", "\n" + pad).replace(f"\n{pad}\n", "\n\n")
    while f"\n{pad}\n" in block:
        block = block.replace(f"\n{pad}\n", "\n\n")
    return f"|{chomp}\n{pad}{block}" + "\n" * max(0, len(text) - len(body) - 1)


def _fits_block(text: str) -> bool:
    if text.isascii():  # the search is slower, and hardly a text holds a tab
        return text.replace("\n", "").isprintable() or _ASCII_BLOCK.fullmatch(text) is not None
    return re.fullmatch(_BLOCK, text) is not None


def quoted(text: str) -> str:
    """A text in double quotes, with everything unprintable escaped."""
    escaped = _ASCII_QUOTED.sub(_escape, text) if text.isascii() else re.sub(_QUOTED, _escape, text)
    return f'"{escaped}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT.get(character) or (f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}")
