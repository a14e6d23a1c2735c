"""Ansible: the hosts of an inventory, from `ansible-inventory --list`, with or without `--export`.

What the vault holds is encrypted in such a list, and is passed over without a try.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptforge.sources.base import Observation, Seen
from promptforge.sources.clean import Texts
from promptforge.sources.dump import read_json, shown, wrong
from promptforge.sources.gather import Gathering, identity_of
from promptforge.sources.looks import DUMPS
from promptforge.sources.marks import address_values, is_loopback, mac_of

__all__ = ["SOURCE", "Ansible"]

_OF_ALL = frozenset({"all", "ungrouped"})


class Ansible:
    """Hosts with their groups."""

    name = "ansible"
    about = f"Hosts of an inventory; {DUMPS['ansible'].command}"
    options: tuple[str, ...] = ()

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every host of every group. The machine that runs Ansible is noise."""
        made = Gathering(self.name, files)
        for path in files:
            data = read_json(path, self.name)
            if not isinstance(data, dict) or not ("_meta" in data or isinstance(data.get("all"), dict)):
                raise wrong(self.name, path)
            groups = {name: group for name, group in data.items() if name != "_meta" and isinstance(group, dict)}
            members = _members(groups)
            for position, (name, variables) in enumerate(_hosts(data, groups).items()):
                _take(made, name, _all_vars(name, variables, groups, members), members.get(name, []), path, position)
        return made.observation()


def _hosts(data: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Host to its variables, also of those that only a group names."""
    meta = data.get("_meta")
    found = meta.get("hostvars") if isinstance(meta, dict) else None
    hosts: dict[str, Mapping[str, Any]] = {
        name: variables if isinstance(variables, dict) else {}
        for name, variables in (found if isinstance(found, dict) else {}).items()
    }
    for group in groups.values():
        for name in _listed(group, "hosts"):
            hosts.setdefault(name, {})
    return hosts


def _listed(group: Mapping[str, Any], what: str) -> Iterator[str]:
    found = group.get(what)
    yield from (name for name in (found if isinstance(found, (list, dict)) else ()) if isinstance(name, str))


def _members(groups: Mapping[str, Any]) -> dict[str, list[str]]:
    """Host to its groups, nearest first; a group of groups counts for the hosts of its children."""
    parents: dict[str, list[str]] = {}
    for name, group in groups.items():
        for child in _listed(group, "children"):
            parents.setdefault(child, []).append(name)
    members: dict[str, list[str]] = {}
    for name, group in groups.items():
        above = _above(name, parents)
        for host in _listed(group, "hosts"):
            of = members.setdefault(host, [])
            of.extend(one for one in above if one not in of)
    return members


def _above(name: str, parents: Mapping[str, Sequence[str]]) -> list[str]:
    """A group and those that it is in; each once, so that a ring ends."""
    found, open_ = [name], [name]
    while open_:
        for parent in parents.get(open_.pop(0), ()):
            if parent not in found:
                found.append(parent)
                open_.append(parent)
    return found


def _all_vars(
    name: str, variables: Mapping[str, Any], groups: Mapping[str, Any], members: Mapping[str, list[str]]
) -> dict[str, Any]:
    """With `--export` the variables of groups stand at the groups; the host's own go before them."""
    found = dict(variables)
    for group in members.get(name, ()):
        more = groups[group].get("vars")
        for key, value in (more if isinstance(more, dict) else {}).items():
            found.setdefault(key, value)
    return found


def _take(made: Gathering, raw: str, found: Mapping[str, Any], groups: list[str], path: Path, position: int) -> None:
    texts = Texts()
    name = texts.take("name", raw)
    if not name:
        made.pass_over("hosts of whose name nothing was left")
        return
    if sealed := sum(_is_sealed(value) for value in found.values()):
        made.note(f"{shown(path)}: {sealed} variables of '{name}' are sealed in a vault, and were not read")
    target = found.get("ansible_host") or found.get("ansible_ssh_host") or raw
    values: dict[str, Any] = {"name": name, **address_values(target)}
    facts = found.get("ansible_facts")
    device = {**(facts if isinstance(facts, dict) else {}), **found}.get("ansible_default_ipv4")
    mac = mac_of(device.get("macaddress")) if isinstance(device, dict) else None
    if mac:
        values["mac"] = mac.text
    tags = [tag for group in groups if group not in _OF_ALL and (tag := texts.take("tags", group))]
    local = found.get("ansible_connection") == "local" or raw == "localhost" or is_loopback(target)
    made.add(
        Seen(
            table="hosts",
            key=name,
            values=values,
            identity=identity_of(mac=mac, addresses=[values[c] for c in ("lan_ip", "tailscale_ip") if c in values]),
            place=f"{shown(path)}#/_meta/hostvars/{position}",
            noise="the machine that runs Ansible" if local else "",
            cleaned=texts.done,
            guesses={"tags": tags} if tags else {},
        )
    )


def _is_sealed(value: object) -> bool:
    return (isinstance(value, dict) and "__ansible_vault" in value) or (
        isinstance(value, str) and value.startswith("$ANSIBLE_VAULT;")
    )


SOURCE = Ansible()
