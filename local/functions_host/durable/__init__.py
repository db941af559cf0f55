"""Durable Functions on one machine: Durable 1.x's wire format, with one SQLite file as task hub.

events      history events, as the extension writes them
actions     what an orchestrator's answer asks for
awaited     what the extension waits for
replay      what the extension's out-of-process shim makes of an orchestrator's actions
episodes    one episode of an orchestrator, without I/O
records     instances, messages and waiting activities
schema      tables of the task hub's file
store       the task hub's file
recording   writes what an episode came to
functions   the app's durable functions
engine      runs orchestrators and activities, one episode at a time
client      operations on instances: start, status, raise an event, terminate, …
links       URLs of the management API
views       statuses and histories as the management API shows them
webhooks    the management API over HTTP
"""
