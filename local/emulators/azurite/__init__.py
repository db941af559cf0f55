"""Azurite, Azure Storage on one machine: blobs, queues and tables on loopback."""

from local.emulators.azurite.server import Azurite, AzuriteMissing

__all__ = ["Azurite", "AzuriteMissing"]
