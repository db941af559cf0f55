"""Durable Functions on one machine: orchestrations by the wire format of Durable 1.x, kept in one SQLite file.

events      history events, as the extension writes them
replay      what the extension's out-of-process shim makes of an orchestrator's actions
store       the task hub: instances, histories, messages, activities that wait
engine      runs orchestrators and activities, one episode at a time
client      what can be asked of instances: start, status, raise an event, terminate, …
webhooks    the management API over HTTP
"""
