"""Whole runs while everything around them fails: see storm.py."""
