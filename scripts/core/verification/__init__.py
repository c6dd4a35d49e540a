"""The gates that a migration passes on a copy of the real data, in a fixed order.

A gate has an ID, a NAME, NEEDS (what the case must have for it), a docstring and `check`. That returns an outcome, or
raises UserError, which counts as a failure.
"""
