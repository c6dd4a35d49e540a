"""Varieties: the gates that a migration passes on a copy of the real data, in the order of their numbers.

A gate has an ID, a NAME, NEEDS (what of the case has to be there for it), a docstring and `check`, which returns an
outcome or raises UserError: that is a failure too. A new file here is found by itself.
"""
