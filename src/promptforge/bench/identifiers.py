"""Identifiers in prose: ports, addresses, MACs, entity ids and numbers, with what each of them names. Pure.

One pass finds everything that is made of digits; what is taken by a MAC, an address, a date, a time or a version is no
number any more. A number is a port only where it is written as one: see `ports.py`.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from promptforge.bench.ports import ports_among
from promptforge.bench.reading import MAX_TEXT, plain
from promptforge.model import canonical

__all__ = ["DOMAINS", "Found", "digits", "identifiers"]


class Found(NamedTuple):
    """An identifier in a text."""

    kind: str
    """port, ip, network, mac, entity or number."""
    value: int | float | str
    """What it names, however it is spelled: two that are equal name the same."""
    written: str
    start: int
    """Offset in the text."""
    end: int


_DOMAINS = """
    ai_task air_quality alarm_control_panel alert assist_satellite automation binary_sensor button calendar camera
    climate conversation counter cover date datetime device_tracker event fan group humidifier image input_boolean
    input_button input_datetime input_number input_select input_text lawn_mower light lock media_player notify
    number person plant proximity remote scene schedule script select sensor siren stt sun switch tag text time
    timer todo tts update vacuum valve wake_word water_heater weather zone
"""
DOMAINS = frozenset(_DOMAINS.split())
"""The domains of Home Assistant's entities."""

_H = "[0-9A-Fa-f]"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
_UNIT = r"(?:ms|s|min|h|d|km|m|cm|mm|kg|g|kWh|kW|W|V|A|[KMGT]i?B|[CF]|EUR|USD)\b"
_TOKEN = re.compile(
    rf"""
    (?<!\w)(?:
        (?=[0-9A-Fa-f]{{1,4}}[:.\- 0-9A-Fa-f])(?:
            (?P<chain> {_H}{{2}}(?::{_H}{{2}}){{6,}} )                     # a fingerprint, an EUI-64
          | (?P<mac>
                {_H}{{1,2}}(?::{_H}{{1,2}}){{5}}(?![\w:])
              | {_H}{{2}}(?:-{_H}{{2}}){{5}}(?!\w|-{_H}{{2}}\b)
              | {_H}{{4}}\.{_H}{{4}}\.{_H}{{4}}(?!\w|\.\w)
              | {_H}{{2}}(?:[ ]{_H}{{2}}){{5}}(?!\w|[ ]{_H}{{2}}\b)
              | {_H}{{12}}(?!\w)
            )
        )
      | (?={_H}{{0,4}}:{_H}{{0,4}}:)
        (?P<ip6> (?:{_H}{{1,4}}:|::)(?:{_H}{{1,4}}|:)(?:{_H}|:){{0,34}}(?:(?<=\d)(?:\.\d{{1,3}}){{3}})? )
        (?:%\w{{1,15}})?(?P<bits6>/\d{{1,3}}(?!\w))?(?!\w)
      | (?=[0-9])(?:
            (?P<ip4> (?<![.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!\w|\.\d) )(?P<bits4>/\d{{1,2}}(?![\w.]))?
          | (?P<date> \d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?[\w.:+-]*)?
              | \d{{4}}/\d\d/\d\d(?!\w) | \d{{1,2}}/\d{{1,2}}/(?:\d\d|\d{{4}})(?!\w)
              | \d\d?\.\d\d?\.(?:\d{{4}}|\d\d)(?!\w|\.\d)
              | \d{{1,2}}(?:st|nd|rd|th|\.)?\s(?:of\s)?{_MONTH}\b(?:,?\s\d{{4}}\b)? )
          | (?P<version> \d+(?:\.\d+){{2,}}[\w.+-]* )
          | (?P<time> \d{{1,2}}:\d\d(?::\d\d)?(?![\w:]) )
          | (?P<number>
                \d{{1,3}}(?P<by>[,' ])\d{{3}}(?:(?P=by)\d{{3}})*(?:\.\d+)?(?=(?:{_UNIT})|(?!\w))(?![,'.]\d)
              | \d+\.\d+(?=(?:{_UNIT})|(?!\w))(?!\.\d)
              | \d+,\d\d?(?=(?:{_UNIT})|(?!\w))(?![,.]\d)
              | \d+(?=(?:{_UNIT})|(?!\w))
            )
        )
      | (?=[JFMASOND]){_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}}\b)?
    )
    """,
    re.VERBOSE,
)
_HAS_DIGIT_OR_COLON = re.compile(r"[0-9:-]")


def identifiers(text: str, domains: frozenset[str] = DOMAINS) -> tuple[Found, ...]:
    """Every identifier in a text, in order of place. A port is found as a number and as a port.

    >>> [(f.kind, f.value) for f in identifiers("LEET (192.0.2.10, port 1,337) wakes light.hallway in 90 s")]
    [('ip', '192.0.2.10'), ('port', 1337), ('number', 1337), ('entity', 'light.hallway'), ('number', 90)]
    """
    return _identifiers(text[:MAX_TEXT], domains)


@lru_cache(maxsize=256)
def _identifiers(text: str, domains: frozenset[str]) -> tuple[Found, ...]:
    found = (*_digits(text), *_entity_ids(text, domains))
    return tuple(sorted(found, key=lambda one: (one.start, one.kind != "port")))


def digits(text: str) -> tuple[Found, ...]:
    """Every identifier but entity ids."""
    return _digits(text[:MAX_TEXT])


@lru_cache(maxsize=256)
def _digits(text: str) -> tuple[Found, ...]:
    usual = plain(text)
    if not _HAS_DIGIT_OR_COLON.search(usual):
        return ()
    found = list(_tokens(usual))
    numbers = [(one.value, one.start, one.end) for one in found if one.kind == "number"]
    found += [Found("port", value, usual[at:end], at, end) for value, at, end in ports_among(usual, numbers)]
    return tuple(_placed(text, usual, found))


def _entity_ids(text: str, domains: frozenset[str]) -> tuple[Found, ...]:
    usual = plain(text)
    return tuple(_placed(text, usual, list(_entities(usual, domains))))


def _placed(text: str, usual: str, found: list[Found]) -> Iterator[Found]:
    """With offsets in the text as it was given, where its usual form is longer or shorter."""
    if usual is text or not found:
        yield from found
        return
    places = [at for at, char in enumerate(text) for _ in plain(char)]
    for one in found:
        start, end = places[one.start], places[one.end - 1] + 1
        yield one._replace(written=text[start:end], start=start, end=end)


# ---- Digits ----------------------------------------------------------------------------------------------------------


def _tokens(text: str) -> Iterator[Found]:
    for match in _TOKEN.finditer(text):
        if match["number"]:
            yield from _number(text, match)
        elif match["mac"]:
            if made := _mac(match["mac"]):
                yield Found("mac", made, match["mac"], *match.span("mac"))
        elif match["ip4"]:
            yield from _ip4(text, match)
        elif match["ip6"]:
            yield from _ip6(match)


_ORDINAL = re.compile(r"(?:^|\n)[ \t>*_-]*$")


def _number(text: str, match: re.Match[str]) -> Iterator[Found]:
    written, start, end = match["number"], match.start("number"), match.end("number")
    before = text[start - 1 : start]
    if before in (".", "+") and text[start - 2 : start - 1].isalnum():
        return  # a part of a name: `v.12`, `LEET+1`
    listed = len(written) <= 2 and text[end : end + 1] in (".", ")") and text[end + 1 : end + 2] in (" ", "\n")
    if listed and _ORDINAL.search(text[max(0, start - 12) : start]):
        return  # the number of a list's item
    if written[0] == "0" and written[1:2].isdigit():
        return  # a code, not a number: 0123
    value = _value(written)
    if before == "-" and value and (start == 1 or text[start - 2] in " \t\n([:=\"'`*"):
        yield Found("number", -value, f"-{written}", start - 1, end)
    else:
        yield Found("number", value, written, start, end)


def _value(written: str) -> int | float:
    """1,337 and 1 337 and 42'069 are whole; 212,40 and 212.40 are not."""
    if written.isdigit():
        return int(written[:300])
    if re.fullmatch(r"\d+,\d\d?", written):
        written = written.replace(",", ".")
    digits = re.sub("[,' ]", "", written)
    if "." in digits:
        return float(digits)
    return int(digits[:300])


def _mac(written: str) -> str:
    """Twelve digits of hexadecimal; a bare run needs a letter and a digit, or it is a number or a word."""
    if len(written) == 12 and written.isalnum() and (written.isdigit() or written.isalpha()):
        return ""
    if not any(char.isdigit() for char in written) and " " in written:
        return ""
    made = canonical(written, "mac")
    return made if isinstance(made, str) and len(made) == 12 else ""


_VERSION_BEFORE = re.compile(r"\b(?:version|release|build|firmware|v\.?)\s*$", re.IGNORECASE)


def _ip4(text: str, match: re.Match[str]) -> Iterator[Found]:
    if not _VERSION_BEFORE.search(text[max(0, match.start() - 12) : match.start()]):
        yield from _address(match["ip4"], match["bits4"], match.start("ip4"))


def _ip6(match: re.Match[str]) -> Iterator[Found]:
    written = match["ip6"]
    if written.endswith(":") and not written.endswith("::"):
        written = written[:-1]
    telling = any(char.isdigit() for char in written) or written.count(":") > 4
    if telling and written.count(":") >= 2:
        yield from _address(written, match["bits6"] if written == match["ip6"] else None, match.start("ip6"))


def _address(written: str, bits: str | None, start: int) -> Iterator[Found]:
    try:
        address = ipaddress.ip_address(written)
        if bits and int(bits[1:]) < address.max_prefixlen:
            network = ipaddress.ip_network(written + bits, strict=False)
            if network.network_address == address:
                yield Found("network", network.compressed, written + bits, start, start + len(written + bits))
                return
    except ValueError:
        return
    yield Found("ip", address.compressed, written, start, start + len(written))


# ---- Entity ids ------------------------------------------------------------------------------------------------------

_INNER_DOT = re.compile(r"\.(?<=\w\.)[A-Za-z0-9_]")
"""What every entity id has; found much faster than one, and most texts have none."""
_DOTTED = re.compile(
    r"(?<![\w.@\\])(?:states\.)?([A-Za-z]\w*)\.([A-Za-z0-9_]+)"
    r"(?:(?![\w(\\/]|[-.@]\w)|(?=\.(?:state|attributes|last_changed|last_updated|entity_id|name|domain|object_id)\b))"
)
_ENDINGS = """
    py yaml yml json js ts md txt log conf cfg ini sh html css csv xml toml sql db png jpg jpeg gif svg pdf zip gz
    com org net io dev app example local lan home arpa internal
"""
_FILES = frozenset(_ENDINGS.split())
_ACTIONS = """
    turn_on turn_off toggle reload lock unlock open close open_cover close_cover stop_cover toggle_cover
    set_cover_position set_cover_tilt_position set_temperature set_hvac_mode set_preset_mode set_fan_mode
    set_swing_mode set_humidity set_operation_mode set_value set_options select_option select_next select_previous
    press play_media media_play media_pause media_stop media_play_pause media_next_track media_previous_track
    media_seek volume_set volume_up volume_down volume_mute select_source select_sound_mode join unjoin shuffle_set
    repeat_set clear_playlist alarm_arm_away alarm_arm_home alarm_arm_night alarm_arm_vacation alarm_disarm
    alarm_trigger trigger start pause stop cancel finish change return_to_base clean_spot locate send_command
    send_message set_percentage increase_speed decrease_speed oscillate set_direction increment decrement reset
    set_datetime snapshot record enable_motion_detection disable_motion_detection open_valve close_valve
    set_valve_position install skip speak say add_item remove_item update_item get_items get_events create_event
    get_forecasts see apply create set state attributes
"""
_SERVICES = frozenset(_ACTIONS.split())
"""What stands after a domain and its dot where an action is called, not an entity named."""


def _entities(text: str, domains: frozenset[str]) -> Iterator[Found]:
    for match in _DOTTED.finditer(text) if _INNER_DOT.search(text) else ():
        domain, name = match[1].lower(), match[2].lower()
        if domain not in domains or name in _FILES or name in _SERVICES or name[0] == "_" or name[-1] == "_":
            continue
        if match[2][0].isupper() and match[1].islower() and "_" not in name:
            continue  # a sentence that ends in `light.Then` the next one
        if text[max(0, match.start() - 3) : match.start()] == "://":
            continue
        yield Found("entity", f"{domain}.{name}", f"{match[1]}.{match[2]}", match.start(1), match.end(2))
