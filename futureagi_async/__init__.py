"""Future AGI evaluations for many run tests, awaited or blocking."""

__version__ = "0.1.0"
