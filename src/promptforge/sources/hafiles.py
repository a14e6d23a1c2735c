"""The files of Home Assistant: which of its dumps each is, and of every record the fields that are needed.

The form of `.storage` changes with minor versions, so only what is read is looked for.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from promptforge.sources.clean import clean
from promptforge.sources.dump import Element, elements, head_of, shown, wrong
from promptforge.sources.gather import Gathering, fields

__all__ = ["Kind", "Record", "records_of"]

Kind = Literal["state", "entity", "device", "area"]
Record = Mapping[str, Any]
"""The fields that are read, and `place`."""

_AT = frozenset(
    {(), ("result",), ("result", "entities"), ("entities",)}
    | {("data", name) for name in ("entities", "devices", "areas")}
)
_KEYS = frozenset({"core.entity_registry", "core.device_registry", "core.area_registry"})
_NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "entity": (
        "id", "unique_id", "platform", "name", "original_name", "has_entity_name", "device_id", "area_id",
        "disabled_by", "hidden_by", "entity_category", "device_class", "original_device_class",
    ),
    "device": (
        "name", "name_by_user", "area_id", "disabled_by", "entry_type", "model", "parent_device_id", "connections",
    ),
    "area": ("name",),
    "state": (),
}  # fmt: skip
_SHORT = {
    "ei": "entity_id", "pl": "platform", "ai": "area_id", "di": "device_id", "en": "name", "hn": "has_entity_name",
    "hb": "hidden_by",
}  # fmt: skip
"""The names of `config/entity_registry/list_for_display`."""
_CATEGORIES: Mapping[str, Any] = {"0": "config", "1": "diagnostic"}
_KNOWN: Mapping[Kind, frozenset[str]] = {
    "entity": fields(
        "id entity_id unique_id platform name original_name has_entity_name device_id area_id config_entry_id"
        " config_subentry_id disabled_by hidden_by entity_category labels aliases aliases_v2 categories capabilities"
        " options device_class original_device_class icon original_icon supported_features translation_key"
        " unit_of_measurement created_at modified_at previous_unique_id suggested_object_id object_id_base"
    ),
    "device": fields(
        "id name name_by_user area_id disabled_by entry_type model model_id parent_device_id connections identifiers"
        " config_entry_id config_subentry_id config_entries config_entries_subentries primary_config_entry"
        " configuration_url hw_version sw_version serial_number manufacturer labels via_device_id created_at"
        " modified_at suggested_area orphaned_timestamp is_new"
    ),
    "area": fields(
        "id area_id name normalized_name aliases floor_id icon labels picture created_at modified_at"
        " humidity_entity_id temperature_entity_id"
    ),
    "state": fields("entity_id state attributes last_changed last_updated last_reported context"),
}


def records_of(path: Path, made: Gathering) -> Iterator[tuple[Kind, str, Record]]:
    """(kind, id, record) of every record, in the order of the file. Raises SourceError for another tool's file."""
    storage, categories, records = "", _CATEGORIES, 0
    for element in elements(path, made.source, _AT):
        value = element.value
        if element.key is None:
            if element.path == ("key",):
                storage = str(value)
            if element.path[-1:] == ("entity_categories",) and isinstance(value, dict):
                categories = value
            _complain(path, made, element)
            continue
        records += 1
        if not isinstance(value, dict):
            made.pass_over("records that are no mapping")
            continue
        found = _record(element, value, categories)
        if not found:
            raise wrong(made.source, path, place=element.pointer)
        kind, id_, record = found
        made.unknown(_PLURAL[kind], value, _KNOWN[kind] if not value.get("ei") else frozenset(value))
        yield kind, id_, {**record, "place": f"{shown(path)}{element.pointer}"}
    if not records and storage not in _KEYS:
        raise wrong(made.source, path, found=_instead(path, storage))


def _instead(path: Path, storage: str) -> str:
    if storage:
        return f"the storage '{clean(storage).text}'"
    return "an empty list" if head_of(path).split() == ["[]"] else ""


_PLURAL: Mapping[Kind, str] = {"state": "states", "entity": "entities", "device": "devices", "area": "areas"}


def _complain(path: Path, made: Gathering, element: Element) -> None:
    """What a single value of the top says of the whole: an error message, a version."""
    name, value = element.path[:1], element.value
    if name == ("message",) and isinstance(value, str):
        raise wrong(made.source, path, found="an error of Home Assistant; look at the token")
    if name == ("success",) and value is False:
        raise wrong(made.source, path, found="an error of Home Assistant's websocket")
    if name == ("version",) and isinstance(value, int) and value > 1:
        made.note(f"{shown(path)} has version {value} of its form; version 1 is known, and newer ones are tried")


def _record(element: Element, value: dict[str, Any], categories: Mapping[str, Any]) -> tuple[Kind, str, Record] | None:
    if element.path == ("data", "areas") or ("area_id" in value and "name" in value and "id" not in value):
        return "area", str(value.get("id") or value.get("area_id") or ""), _needed("area", value)
    if element.path == ("data", "devices") or "identifiers" in value or "connections" in value:
        return "device", str(value.get("id") or ""), _needed("device", value)
    if "ei" in value:
        return "entity", str(value["ei"]), _from_display(value, categories)
    if "entity_id" not in value:
        return None
    if "attributes" in value or "state" in value:
        return "state", str(value["entity_id"]), _state(value)
    return "entity", str(value["entity_id"]), _needed("entity", value)


def _needed(kind: Kind, value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in _NEEDED[kind] if value.get(name)}


def _state(value: Mapping[str, Any]) -> dict[str, Any]:
    attributes = value.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    kept = {
        "friendly_name": attributes.get("friendly_name"),
        "class": attributes.get("device_class"),
        "restored": attributes.get("restored"),
        "last_updated": value.get("last_updated"),
    }
    return {name: found for name, found in kept.items() if found}


def _from_display(value: Mapping[str, Any], categories: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the short list, which leaves out what is disabled."""
    made: dict[str, Any] = {_SHORT[name]: value[name] for name in _SHORT if value.get(name)}
    made["partial"] = True
    if (category := value.get("ec")) is not None:
        made["entity_category"] = categories.get(str(category), "diagnostic")
    return made
