"""What requests may say of keys and roles, and how addresses are given back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final
from zoneinfo import available_timezones

from reconciler.providers.trend_cloud_one.emulator.options import Options
from reconciler.providers.trend_cloud_one.emulator.state import Refused

_Network = IPv4Network | IPv6Network


def _is_address(value: Any) -> bool:
    return _parses(ip_address, value)


def _is_network(value: Any) -> bool:
    return _parses(ip_network, value) and "/" in value


def _parses(parser: Callable[[Any], Any], value: Any) -> bool:
    try:
        parser(value)
    except ValueError:
        return False
    return isinstance(value, str)


def _list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_OF_KEYS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "alias": lambda value: _is_text(value) and bool(value),
    "description": _is_text,
    "roleID": _is_text,
    "locale": lambda value: value in ("en", "ja"),
    "timezone": lambda value: _is_text(value) and value in available_timezones(),
    "enabled": lambda value: isinstance(value, bool),
    "allowedIPs": _list_of(_is_address),
    "allowedCIDRs": _list_of(_is_network),
}
_OF_ROLES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "name": lambda value: _is_text(value) and bool(value),
    "description": _is_text,
    "serviceRoleURNs": _list_of(lambda value: _is_text(value) and value.startswith("urn:cloudone:")),
}


def of_key(body: Any, roles: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
    """A request's properties of a key; Refused with 400 if one is wrong."""
    given = _checked(body, _OF_KEYS, ("alias", "roleID") if creating else ())
    if "roleID" in given and given["roleID"] not in roles:
        raise Refused(400, "The role does not exist.")
    return given


def of_role(body: Any, *, creating: bool) -> dict[str, Any]:
    """A request's properties of a role; Refused with 400 if one is wrong."""
    return _checked(body, _OF_ROLES, ("name",) if creating else ())


def _checked(body: Any, known: Mapping[str, Callable[[Any], bool]], needed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refused(400, "The request body is no JSON object.")
    for name in needed:
        if name not in body:
            raise Refused(400, f"{name} is missing.")
    for name, value in body.items():
        if name not in known or not known[name](value):
            raise Refused(400, f"{name} is not valid.")
    return body


def shown(key: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """A key as answers show it, its addresses in the account's own way of writing them."""
    addresses, cidrs = list(key["allowedIPs"]), list(key["allowedCIDRs"])
    if options.networks == "cidrs":
        addresses, cidrs = [], [str(ip_network(one)) for one in addresses + cidrs]
    elif options.networks == "addresses":
        parsed = [ip_network(one) for one in addresses + cidrs]
        addresses = [str(one.network_address) for one in parsed if _is_single(one)]
        cidrs = [str(one) for one in parsed if not _is_single(one)]
    if options.exploded_ipv6:
        addresses = [ip_address(one).exploded.upper() for one in addresses]
        cidrs = [ip_network(one).exploded.upper() for one in cidrs]
    return {**key, "allowedIPs": addresses, "allowedCIDRs": cidrs}


def admits(key: Mapping[str, Any], address: str) -> bool:
    """Whether a key may be used from an address: from any, if it names none."""
    allowed = [ip_network(one) for one in (*key["allowedIPs"], *key["allowedCIDRs"])]
    return not allowed or any(ip_address(address) in network for network in allowed)


def _is_single(network: _Network) -> bool:
    return network.prefixlen == network.max_prefixlen
