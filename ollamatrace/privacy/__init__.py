"""Taking out of a record what is not to be recorded, before anything keeps or sends it."""

from ollamatrace.privacy.redaction import Redaction

__all__ = ["Redaction"]
