"""The proxy to one address, as the environment names it for every program.

`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or small letters, as Python's
urllib reads them. aiohttp's own `trust_env` would read them, and `~/.netrc`, for every request.
`NO_PROXY` may also hold networks and `*.domain`, which curl and most programs know and urllib
doesn't.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

from aiohttp import encode_basic_auth
from yarl import URL

from shared.core.errors import SettingsError

SCHEMES = ("http", "https")  # between us and the proxy


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. Its credentials are in `authorization` alone, so that they aren't printed."""

    url: URL
    variable: str
    authorization: str | None = field(repr=False)  # the value of `Proxy-Authorization`

    def __str__(self) -> str:
        return f"the proxy {self.url} ({self.variable})"


def proxy_for(target: URL) -> Proxy | None:
    """Return the proxy to this address, None to go there directly.

    Raises SettingsError for a variable that isn't the URL of a proxy.
    """
    proxies = getproxies()
    scheme = target.scheme if target.scheme in proxies else "all"
    if scheme not in proxies or _is_exempt(target, proxies.get("no", "")):
        return None
    return _parse(f"{scheme.upper()}_PROXY", proxies[scheme])


def _is_exempt(target: URL, exempt: str) -> bool:
    """Return whether `NO_PROXY` names the host, a domain or network of it, or its port too."""
    host = (target.host or "").rstrip(".")
    entries = re.split(r"[\s,]+", exempt.lower())
    if any(_names(entry, host, target.port) for entry in entries):
        return True
    return bool(proxy_bypass(host))  # the exceptions that macOS and Windows keep


def _names(entry: str, host: str, port: int | None) -> bool:
    """Return whether one entry of `NO_PROXY` names a host."""
    if entry == "*" or _is_in_network(entry, host):
        return True
    place, colon, digits = entry.rpartition(":")
    if colon and digits.isdecimal():
        if int(digits) != port:
            return False
        entry = place
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (f".{host}".endswith(f".{name}") or _is_in_network(name, host))


def _is_in_network(entry: str, host: str) -> bool:
    """Return whether an entry is a network or an address that the host is in."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _parse(variable: str, value: str) -> Proxy:
    try:
        url = URL(value if "://" in value else f"http://{value}")
    except ValueError:
        # the reason may quote the credentials
        raise _not_a_proxy(variable, "isn't a URL such as http://proxy:3128") from None
    if url.scheme not in SCHEMES:
        problem = f"names a proxy for {url.scheme}: only http:// and https:// are supported"
        raise _not_a_proxy(variable, problem)
    if "@" in url.path:
        problem = "has a user or password whose special characters aren't percent-encoded"
        raise _not_a_proxy(variable, problem)
    if not url.host:
        raise _not_a_proxy(variable, "has no host: write it as http://proxy:3128")
    authorization = None
    if url.user or url.password:
        authorization = encode_basic_auth(url.user or "", url.password or "")
    return Proxy(url.origin(), variable, authorization)


def _not_a_proxy(variable: str, problem: str) -> SettingsError:
    message = f"the environment variable {variable} {problem}"
    return SettingsError(message, details=[{"where": variable, "problem": problem}])
