"""Azurite, Azure Storage on one machine: blobs, queues and tables on loopback."""

from local.azurite.server import Azurite, AzuriteMissing

__all__ = ["Azurite", "AzuriteMissing"]
