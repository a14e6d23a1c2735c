"""What a DHCP server or a controller says of one client, whichever of them it is."""

from typing import NamedTuple

__all__ = ["Lease"]


class Lease(NamedTuple):
    """One lease, reservation or client."""

    place: str
    mac: object = ""
    """As it is written; empty where there is none."""
    address: object = ""
    name: object = ""
    """What the client calls itself, or what a person calls it: text that anybody may have written."""
    id: str = ""
    """An id of the server's own, or the client's."""
    noise: str = ""
    reserved: bool = False
    """Whether a person gave it its address."""
    since: int = 0
    """When it was given or renewed, in seconds since 1970; 0 where the dump does not say."""
    until: int = 0
    """When it ends; 0 where it never does, or the dump does not say."""
