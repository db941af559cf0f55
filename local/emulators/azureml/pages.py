"""The page behind a job's studio link: what was asked for, how far it came, and that nothing is trained here."""

from __future__ import annotations

import json
from html import escape

from local.emulators.azureml.resources import notice
from local.emulators.azureml.store import JobRecord

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td{padding:.1rem 1rem .1rem 0}pre{background:#f4f4f4;padding:1rem;overflow:auto}.notice{color:#a33}"
)


def job_page(job: JobRecord, statuses: list[tuple[str, str]]) -> str:
    """One HTML page. A job that goes on reloads itself every 2 s."""
    reload = "" if job.is_terminal else '<meta http-equiv="refresh" content="2">'
    model = f"{job.model_name}:{job.model_version}" if job.model_version is not None else "none yet"
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(at)}</td></tr>" for status, at in statuses
    )
    message = f"<p><strong>{escape(job.message)}</strong></p>" if job.message else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{reload}<title>{escape(job.name)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(job.name)}</h1>"
        f'<p class="notice">{escape(notice(job.properties))}</p><p>Status: <strong>{escape(job.status)}</strong>. '
        f"Registered model: {escape(model)}.</p>{message}<table>{rows}</table>"
        f"<h2>Request</h2><pre>{escape(json.dumps(job.properties, indent=2))}</pre></body></html>"
    )
