"""What is not to be recorded: the rules that find it, and the stage that takes it out."""

from ollamatrace.privacy.credentials import is_secret_under
from ollamatrace.privacy.places import SHORTEST_NUMBER, Found
from ollamatrace.privacy.redaction import Redaction
from ollamatrace.privacy.rules import RULES, Rule, found_in

__all__ = ["RULES", "SHORTEST_NUMBER", "Found", "Redaction", "Rule", "found_in", "is_secret_under"]
