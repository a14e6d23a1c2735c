"""Suites, scores, runs and what they show. Never imports the compiler."""
