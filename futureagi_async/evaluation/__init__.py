"""The whole job for many run tests: ensure configs, run, wait, read the scores."""
