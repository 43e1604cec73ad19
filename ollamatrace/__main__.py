"""``python -m ollamatrace``: the command line."""

from ollamatrace.cli import main

main()
