"""Moving an existing project into this checkout, and the proof that nothing was lost on the way."""
