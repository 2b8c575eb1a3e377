"""Reads Cairn entries without any of Cairn's code: JOSE and SD-JWT by hand, SHA-256 from hashlib."""

import base64
import hashlib
import json


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def payload(entry):
    """The JSON payload of entry bytes."""
    return json.loads(decode(entry.split(b".")[1].decode()))


def header(entry):
    return json.loads(decode(entry.split(b".")[0].decode()))


def leaf(entry):
    """RFC 6962 leaf hash."""
    return hashlib.sha256(b"\0" + entry).digest()


def disclosures(text):
    """Digest (as `_sd` lists it) to [salt, name, value]."""
    found = {}
    for encoded in filter(None, text.split("~")):
        digest = hashlib.sha256(encoded.encode()).digest()
        key = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        found[key] = json.loads(decode(encoded))
    return found
