"""Draw the README's picture: the newest trace of a store, as `ollamatrace show` prints it.

::

    ollamatrace demo --recorded --store demo.db && python docs/picture.py demo.db docs/trace.svg
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ollamatrace.cli.details import print_trace
from ollamatrace.store import Store

WIDTH, LINES = 100, 42

store = Store(Path(sys.argv[1]))
printed = Console(file=io.StringIO(), width=WIDTH, force_terminal=True, color_system="standard")
print_trace(printed, store.search(limit=1)[0])
store.close()
text = Text.from_ansi(printed.file.getvalue())
picture = Console(file=io.StringIO(), width=WIDTH, record=True)
picture.print(Text("\n").join(text.split("\n")[:LINES]))
svg = picture.export_svg(title="ollamatrace show")
# Without the fonts from elsewhere: the picture is whole as it is.
Path(sys.argv[2]).write_text(re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL), "utf-8")
