"""Training data: rows made from the project, mixed by a recipe, audited, written in a trainer's format.

Stands on the bench, whose questions it asks again: which identifiers a text names, what gives a case away.
"""
