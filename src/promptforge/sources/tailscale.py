"""Tailscale: the nodes of a tailnet, from `tailscale status --json`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptforge.sources.base import Observation, Seen
from promptforge.sources.clean import Texts, identifier
from promptforge.sources.dump import read_json, shown, wrong
from promptforge.sources.gather import Gathering, fields, identity_of
from promptforge.sources.looks import DUMPS
from promptforge.sources.marks import address_values, first_label, plain_address

__all__ = ["SOURCE", "Tailscale"]

_TOP = fields(
    "Version TUN BackendState HaveNodeKey AuthURL TailscaleIPs Self ExitNodeStatus Health MagicDNSSuffix CurrentTailnet"
    " CertDomains ExtraRecords Peer User ClientVersion"
)
_NODE = fields(
    "ID NodeID PublicKey HostName DNSName OS UserID TailscaleIPs TailAddr AllowedIPs Tags PrimaryRoutes Addrs CurAddr"
    " Relay PeerRelay RxBytes TxBytes Created LastWrite LastSeen LastHandshake Online KeepAlive ExitNode ExitNodeOption"
    " Active ShareeNode Expired KeyExpiry Location sshHostKeys SSH_HostKeys PeerAPIURL TaildropTarget"
    " NoFileSharingReason Capabilities CapMap InNetworkMap InMagicSock InEngine AltSharerUserID"
)
_CARRIED = frozenset({"ios", "android", "tvos", "ipados"})
"""Systems of things that people carry or that stand below a screen: devices, not hosts."""


class Tailscale:
    """The status of a tailnet as one of its nodes sees it."""

    name = "tailscale"
    about = f"The nodes of a tailnet; {DUMPS['tailscale'].command}"
    options: tuple[str, ...] = ()

    def read(self, files: Sequence[Path], *, options: Mapping[str, str]) -> Observation:
        """Every node, `Self` included. Mullvad's exit nodes and nodes of others are noise."""
        made = Gathering(self.name, files)
        for path in files:
            status = read_json(path, self.name)
            if not isinstance(status, dict) or not status.keys() & {"Self", "Peer", "BackendState"}:
                raise wrong(self.name, path)
            made.unknown("the status", status, _TOP)
            state = status.get("BackendState")
            if isinstance(state, str) and state != "Running":
                made.note(f"{shown(path)}: Tailscale was not running; it showed no peers")
            for pointer, node in _nodes(status, made, path):
                _take(made, node, f"{shown(path)}{pointer}", pointer == "#/Self")
        return made.observation()


def _nodes(status: dict[str, Any], made: Gathering, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    own = status.get("Self")
    if isinstance(own, dict):
        yield "#/Self", own
    peers = status.get("Peer") or {}
    if not isinstance(peers, (dict, list)):
        made.note(f"{shown(path)}#/Peer has a shape that is not known here, and was not read")
        return
    for position, node in enumerate(peers.values() if isinstance(peers, dict) else peers):
        if isinstance(node, dict):
            yield f"#/Peer/{position}", node
        else:
            made.pass_over("peers that are no mapping")


def _take(made: Gathering, node: dict[str, Any], place: str, is_self: bool) -> None:
    made.unknown("the nodes", node, _NODE)
    texts = Texts()
    dns = str(node.get("DNSName") or "").strip().strip(".").lower()
    addresses = [a for a in map(plain_address, _addresses(node)) if a]
    name = texts.take("name", first_label(dns)) or texts.take("name", node.get("HostName"))
    if not name and not addresses:
        made.pass_over("nodes without a name and an address")
        return
    name = name or addresses[0]
    values: dict[str, Any] = {"name": name}
    for address in addresses:
        for column, value in address_values(address).items():
            values.setdefault(column, value)
    system = texts.take("os", node.get("OS"))
    carried = system.lower() in _CARRIED
    made.add(
        Seen(
            table="devices" if carried else "hosts",
            key=name,
            values=values,
            identity=identity_of(
                ("tailscale_id", identifier(node.get("ID") or node.get("NodeID"))),
                ("dns", identifier(dns)),
                addresses=addresses,
            ),
            place=place,
            noise="" if is_self else _noise(node, dns),
            cleaned=texts.done,
            guesses={"kind" if carried else "os": system} if system else {},  # `linux`, where a house says Debian
        )
    )


def _addresses(node: dict[str, Any]) -> list[object]:
    found = node.get("TailscaleIPs")
    # older clients said TailAddr, one address
    return list(found) if isinstance(found, list) and found else [node.get("TailAddr")]


def _noise(node: dict[str, Any], dns: str) -> str:
    if f".{dns}".endswith(".mullvad.ts.net"):
        return "Mullvad exit node"
    if node.get("ShareeNode"):
        return "node of another tailnet, to which something is shared"
    return ""


SOURCE = Tailscale()
