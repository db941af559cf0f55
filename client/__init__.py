"""A command line for any deployment of the app, over HTTP alone.

Imports within it are relative, because it is installed under another name than the folder has:
`distil_client` (pyproject.toml beside this file).
"""
