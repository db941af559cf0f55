"""The limit: an aiohttp session and as many loops as requests may be in flight, which do nothing
else and keep nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from pathlib import Path
from typing import Any

import aiohttp


async def generate(options: argparse.Namespace) -> dict[str, Any]:
    rows = [json.loads(line) for line in options.input.read_text().splitlines()]
    waiting, answered = iter(rows), 0
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}

    async def ask_rows(session: aiohttp.ClientSession) -> None:
        nonlocal answered
        for row in waiting:
            body = json.dumps(
                {"model": options.model, "max_tokens": 256, "messages": row["messages"]}
            ).encode()
            async with session.post(
                f"{options.base_url}/chat/completions", data=body, headers=headers
            ) as response:
                reply = json.loads(await response.read())
            answered += bool(reply["choices"][0]["message"]["content"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        before, begun = cpu_seconds(), time.perf_counter()
        await asyncio.gather(*[ask_rows(session) for _ in range(options.concurrency)])
        seconds, cpu = time.perf_counter() - begun, cpu_seconds() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows": len(rows),
        "answered": answered,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": peak,
    }


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--base-url", required=True)
    flags.add_argument("--model", required=True)
    flags.add_argument("--input", type=Path, required=True)
    flags.add_argument("--concurrency", type=int, default=64)
    flags.add_argument("--output", type=Path, help="not written: it keeps nothing")
    print(json.dumps(asyncio.run(generate(flags.parse_args()))))


if __name__ == "__main__":
    main()
