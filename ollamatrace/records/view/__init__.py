"""A trace as people read it: for the terminal (`ollamatrace show`) and for notebooks."""
