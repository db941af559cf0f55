"""A Functions host on one machine: indexes the app with the azure-functions library and serves its triggers."""
