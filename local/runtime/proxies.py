"""The user's proxies, which must not come between the programs of one machine."""

from __future__ import annotations

from collections.abc import Mapping

from local.runtime.ports import LOOPBACK


def loopback_without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables that exempt loopback, as the teacher's client and the SDKs use proxies."""
    exempt = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    # "*" exempts everything, but only if it stands alone.
    if exempt.strip() == "*":
        return {"NO_PROXY": "*", "no_proxy": "*"}
    names = [name for name in exempt.split(",") if name.strip()]
    names += [name for name in (LOOPBACK, "localhost") if name not in names]
    return {"NO_PROXY": ",".join(names), "no_proxy": ",".join(names)}
