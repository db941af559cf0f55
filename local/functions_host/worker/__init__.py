"""The language worker of the host: what imports the app and calls its functions.

messages    the messages between host and worker, with the names of Microsoft's protocol
worker      the interface, and the choice between the two workers
microsoft   azure-functions-runtime, the library that runs Python 3.13 apps in Azure
builtin     the same for Python 3.11 and 3.12, for which that library does not exist
parameters  the built-in worker's check of a function's parameters against its bindings
"""
