"""What must not be recorded: the built-in rules that find it and put a mark in its place."""

from ollamatrace.privacy.credentials import is_secret_under
from ollamatrace.privacy.places import Found
from ollamatrace.privacy.rules import RULES, Rule, found_in

__all__ = ["RULES", "Found", "Rule", "found_in", "is_secret_under"]
