"""A Functions host on one machine: loads the app in a worker and serves its triggers."""
