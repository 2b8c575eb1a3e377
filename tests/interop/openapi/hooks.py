"""Tells schemathesis how a submission is sent: as the text itself."""

import schemathesis


@schemathesis.serializer("application/vnd.cairn.frames")
def frames(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()
