"""Histories of whole runs, recorded by `python -m tests.histories.record`."""
