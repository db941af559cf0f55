"""The proxy to one address, as the environment names it for every program.

`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or small letters, as Python's
urllib reads them. aiohttp's own `trust_env` would read them, and `~/.netrc`, for every request.
"""

from __future__ import annotations

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
    if scheme not in proxies or _is_exempt(target):
        return None
    return _parse(f"{scheme.upper()}_PROXY", proxies[scheme])


def _is_exempt(target: URL) -> bool:
    """Return whether `NO_PROXY` names the host, a domain of it, or the host with its port."""
    host = target.host or ""
    return bool(proxy_bypass(host) or proxy_bypass(f"{host}:{target.port}"))


def _parse(variable: str, value: str) -> Proxy:
    try:
        url = URL(value if "://" in value else f"http://{value}")
    except ValueError:
        # the reason may quote the credentials
        raise _not_a_proxy(variable, "isn't a URL such as http://proxy:3128") from None
    if url.scheme not in SCHEMES:
        problem = f"names a proxy for {url.scheme}: only http:// and https:// are supported"
        raise _not_a_proxy(variable, problem)
    if not url.host:
        raise _not_a_proxy(variable, "has no host: write it as http://proxy:3128")
    authorization = encode_basic_auth(url.user, url.password or "") if url.user else None
    return Proxy(url.origin(), variable, authorization)


def _not_a_proxy(variable: str, problem: str) -> SettingsError:
    message = f"the environment variable {variable} {problem}"
    return SettingsError(message, details=[{"where": variable, "problem": problem}])
