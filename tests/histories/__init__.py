"""Histories of whole runs, recorded by `python -m tests.histories.record`: what instances that are under way look like."""
