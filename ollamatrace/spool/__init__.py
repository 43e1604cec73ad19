"""Files in which spans wait for their server, and outlive their process."""

from ollamatrace.spool.segment import Place
from ollamatrace.spool.spool import Spool

__all__ = ["Place", "Spool"]
