"""Measures this package beside what a user would write or pick instead."""
