"""The page behind a job's studio link: its request and statuses, and that nothing is trained."""

from __future__ import annotations

import json
from html import escape

from local.emulators.azureml.resources import notice
from local.emulators.azureml.store import JobRecord

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{reload}<title>{name}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
td {{ padding: .1rem 1rem .1rem 0 }}
pre {{ background: #f4f4f4; padding: 1rem; overflow: auto }}
.notice {{ color: #a33 }}
</style></head><body><h1>{name}</h1><p class="notice">{notice}</p>
<p>Status: <strong>{status}</strong>. Registered model: {model}.</p>
<p><strong>{message}</strong></p>
<table>{rows}</table><h2>Request</h2><pre>{request}</pre></body></html>"""
RELOAD = '<meta http-equiv="refresh" content="2">'


def job_page(job: JobRecord) -> str:
    """Return one HTML page. It reloads itself every 2 s until the job has ended."""
    model = f"{job.model_name}:{job.model_version}" if job.model_version is not None else "none yet"
    rows = [
        f"<tr><td>{escape(change.status)}</td><td>{escape(change.at)}</td></tr>"
        for change in job.statuses
    ]
    return PAGE.format(
        reload="" if job.is_terminal else RELOAD,
        name=escape(job.name),
        notice=escape(notice(job)),
        status=escape(job.status),
        model=escape(model),
        message=escape(job.message or ""),
        rows="".join(rows),
        request=escape(json.dumps(job.properties, indent=2)),
    )
