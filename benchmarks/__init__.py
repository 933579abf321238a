"""Measurements of this package beside its alternatives."""
