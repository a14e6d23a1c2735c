"""Home Assistant: entities and devices, from `/api/states` and the registries, each alone or all together.

The states know what is loaded now and how it is called; the registry knows what stays when a thing is renamed, and
which entities are there for diagnosis. Area names come from their own registry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptforge.compiler.forms import check_form
from promptforge.sources.base import Observation, Seen
from promptforge.sources.clean import Texts, identifier
from promptforge.sources.dump import shown
from promptforge.sources.gather import Gathering, day_of, identity_of
from promptforge.sources.hafiles import Kind, Record, records_of
from promptforge.sources.looks import DUMPS
from promptforge.sources.marks import Mac, mac_of

__all__ = ["SOURCE", "HomeAssistant"]

_HOUSEKEEPING = frozenset({"persistent_notification", "update"})
_CATEGORIES = {"diagnostic": "diagnostic entity", "config": "configuration entity", "system": "system entity"}
_STATES_ALONE = (
    "/api/states shows what is loaded, and neither categories, ids that stay nor areas; give core.entity_registry, too"
)


@dataclass(slots=True, kw_only=True)
class _House:
    """What the files hold, by id."""

    states: dict[str, Record] = field(default_factory=dict)
    entities: dict[str, Record] = field(default_factory=dict)
    devices: dict[str, Record] = field(default_factory=dict)
    areas: dict[str, Record] = field(default_factory=dict)


class HomeAssistant:
    """Entities by their id, devices by their name."""

    name = "homeassistant"
    about = f"Entities and devices; {DUMPS['homeassistant'].command}"
    options: tuple[str, ...] = ()

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every entity and device of all the files. Diagnostic, hidden and disabled ones are noise."""
        made, house = Gathering(self.name, files), _House()
        for path in files:
            _collect(house, path, made)
        _entities(house, made)
        _devices(house, made)
        if house.states and not house.entities:
            made.note(_STATES_ALONE)
        if house.entities and not house.states:
            made.note("entities without a unique id are in no registry; give /api/states, too")
        at = max((day_of(record.get("last_updated")) for record in house.states.values()), default="")
        if any(_lacks_device(entry, house) for entry in house.entities.values()):
            made.note("names of entities are but a part without their devices'; give core.device_registry, too")
        shown_all = house.entities and not any(entry.get("partial") for entry in house.entities.values())
        whole = {"entities"} if shown_all else set()
        return made.observation(whole=whole, at=at)


def _collect(house: _House, path: Path, made: Gathering) -> None:
    kinds: set[Kind] = set()
    places: dict[Kind, dict[str, Record]] = {
        "state": house.states, "entity": house.entities, "device": house.devices, "area": house.areas,
    }  # fmt: skip
    for kind, id_, record in records_of(path, made):
        kinds.add(kind)
        places[kind].setdefault(id_, record)
    if not kinds:
        made.note(f"{shown(path)} is empty: was Home Assistant still starting when it was made?")


# ---- Entities --------------------------------------------------------------------------------------------------------


def _entities(house: _House, made: Gathering) -> None:
    for entity_id in (*house.entities, *(id_ for id_ in house.states if id_ not in house.entities)):
        if check_form("entity", "entity_id", entity_id):
            made.pass_over("entities whose id is not of the form domain.object_id")
            continue
        made.add(_entity(entity_id, house))


def _entity(entity_id: str, house: _House) -> Seen:
    entry, state = house.entities.get(entity_id, {}), house.states.get(entity_id, {})
    device = house.devices.get(str(entry.get("device_id") or ""), {})
    texts = Texts()
    values: dict[str, Any] = {"entity_id": entity_id}
    guesses: dict[str, Any] = {}
    if name := texts.take("name", state.get("friendly_name") or _name(entry, device)):
        sure = bool(state.get("friendly_name")) or not _lacks_device(entry, house)
        (values if sure else guesses)["name"] = name
    area_id = _area(entry, device, house)
    if area := texts.take("area", house.areas.get(area_id, {}).get("name") or area_id):
        (values if area_id in house.areas else guesses)["area"] = area
    domain = entity_id.partition(".")[0]
    kind = texts.take("kind", entry.get("device_class") or entry.get("original_device_class") or state.get("class"))
    guesses["kind"] = kind or domain
    unique = identifier(entry.get("unique_id"))
    return Seen(
        table="entities",
        key=entity_id,
        values=values,
        identity=identity_of(
            ("unique_id", f"{domain}.{identifier(entry.get('platform'))}:{unique}" if unique else ""),
            ("registry_id", identifier(entry.get("id"))),
        ),
        place=str(entry.get("place") or state.get("place")),
        noise=_noise(domain, entry, state),
        cleaned=texts.done,
        guesses=guesses,
    )


def _lacks_device(entry: Record, house: _House) -> bool:
    """Whether its name begins with that of a device which no file shows."""
    return bool(
        entry.get("has_entity_name")
        and not entry.get("name")
        and entry.get("device_id")
        and str(entry["device_id"]) not in house.devices
    )


def _name(entry: Record, device: Record) -> str:
    """As Home Assistant shows it: the person's name for it, else its own; after the device's where it is but a part."""
    if entry.get("name"):
        return str(entry["name"])
    own = str(entry.get("original_name") or "")
    if not entry.get("has_entity_name"):
        return own
    of_device = _device_name(device)
    return f"{of_device} {own}".strip() if not own.startswith(of_device or "\0") else own


def _area(entry: Record, device: Record, house: _House) -> str:
    """The id of the entity's own area, else of its device's; a child device has that of its parent."""
    area, depth = entry.get("area_id"), 0
    while not area and device and depth < 5:
        area, depth = device.get("area_id"), depth + 1
        device = house.devices.get(str(device.get("parent_device_id") or ""), {})
    return str(area or "")


def _noise(domain: str, entry: Record, state: Record) -> str:
    if entry.get("disabled_by"):
        return "disabled entity"
    if entry.get("hidden_by"):
        return "hidden entity"
    if category := entry.get("entity_category"):
        return _CATEGORIES.get(str(category), "entity of a category")
    if domain in _HOUSEKEEPING:
        return "housekeeping entity"
    if state.get("restored"):
        return "entity that is not loaded"
    return ""


# ---- Devices ---------------------------------------------------------------------------------------------------------


def _devices(house: _House, made: Gathering) -> None:
    rotating = 0
    for id_, device in house.devices.items():
        texts, mac = Texts(), _mac(device)
        name = texts.take("name", _device_name(device))
        if not name:
            made.pass_over("devices without a name")
            continue
        values: dict[str, Any] = {"name": name}
        if mac:
            values["mac"] = mac.text
            rotating += mac.passing
        area = _area({}, device, house)
        guesses = {
            "kind": texts.take("kind", device.get("model")),
            "area": texts.take("area", house.areas.get(area, {}).get("name") or area),
        }
        made.add(
            Seen(
                table="devices",
                key=name,
                values=values,
                identity=identity_of(("ha_device", identifier(id_)), mac=mac),
                place=str(device["place"]),
                noise=_device_noise(device, mac),
                cleaned=texts.done,
                guesses={column: value for column, value in guesses.items() if value},
            )
        )
    if rotating:
        made.note(f"devices with a private MAC, which a phone may change: {rotating}")


def _device_name(device: Record) -> str:
    return str(device.get("name_by_user") or device.get("name") or "")


def _device_noise(device: Record, mac: Mac | None) -> str:
    if device.get("disabled_by"):
        return "disabled device"
    if device.get("entry_type") == "service":
        return "service, not a device"
    if device.get("parent_device_id") and not mac:
        return "part of another device"
    if mac and mac.container:
        return "container's interface"
    return ""


def _mac(device: Record) -> Mac | None:
    """The first network address; `connections` may hold Zigbee's of eight bytes and Bluetooth's, too."""
    pairs = device.get("connections")
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, (list, tuple)) and len(pair) == 2 and pair[0] == "mac" and (mac := mac_of(pair[1])):
            return mac
    return None


SOURCE = HomeAssistant()
