"""What ollamatrace raises, and when.

::

    OllamatraceError
    ├── ConfigError     a setting, an address or an argument that cannot work; names the fix
    ├── ClosedError     a tracer was asked to read after it was closed
    ├── StoreError      the embedded store cannot be opened, read or written
    │   └── StoreBusyError  another process has been writing it for too long
    └── ServerError     a server cannot be asked

Constructing and configuring raises. A traced call never raises anything of ours: the user's own
exception passes through unchanged. The background worker counts and logs.
"""


class OllamatraceError(Exception):
    """The root of all errors that ollamatrace raises itself."""


class ConfigError(OllamatraceError, ValueError):
    """A setting, an address or an argument that cannot work."""


class ClosedError(OllamatraceError, RuntimeError):
    """A tracer that was closed was asked to read."""


class StoreError(OllamatraceError, OSError):
    """The embedded store cannot be opened, read or written."""


class StoreBusyError(StoreError):
    """Another process has been writing the embedded store for too long."""


class ServerError(OllamatraceError, ConnectionError):
    """A server that keeps the traces cannot be asked."""
