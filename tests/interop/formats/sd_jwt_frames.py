"""Verifies the golden entries of crates/event with jwcrypto, sd-jwt and rfc8785.

Three packages that share no code with Cairn: every entry is a JWS with `alg` Ed25519 whose `kid` is the
RFC 7638 thumbprint of its key; header and payload are the RFC 8785 form of themselves; the golden frame
is an SD-JWT. More frames and the JWK that signed them may be given as `FRAME_FILE JWK_FILE` pairs.
The last line is "N passed, N failed".
"""

import hashlib
import json
import pathlib
import sys

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto.common import base64url_decode, base64url_encode
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSObject, InvalidJWSSignature
from sd_jwt.verifier import SDJWTVerifier

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "crates/event/testdata/golden"
SEEDS = range(1, 7)


def golden_keys():
    """Thumbprint to key of every golden signer, from the seeds that docs/formats names."""
    keys = {}
    for seed in SEEDS:
        public = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key()
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = JWK(kty="OKP", crv="Ed25519", x=base64url_encode(raw))
        keys[key.thumbprint()] = key
    return keys


KEYS = golden_keys()


def header_of(text):
    return json.loads(base64url_decode(text.split(".")[0]))


def key_of(text):
    return KEYS[header_of(text)["kid"]]


def verify_jws(text, key):
    jws = JWS()
    jws.allowed_algs = ["Ed25519"]
    jws.deserialize(text)
    jws.verify(key, alg="Ed25519")
    return jws.payload


def open_frame(text, key):
    return SDJWTVerifier(text, lambda issuer, header: key).get_verified_payload()


def entries():
    paths = sorted(GOLDEN.glob("*.entry"))
    assert len(paths) > 20, "the golden entries are missing"
    return [(path.stem, path.read_text()) for path in paths]


def refused(work):
    try:
        work()
    except (InvalidJWSObject, InvalidJWSSignature, ValueError):
        return True
    return False


def jwcrypto_must_verify_every_golden_entry():
    for name, text in entries():
        payload = verify_jws(text, key_of(text))
        assert payload == (GOLDEN / f"{name}.payload.json").read_bytes(), name


def rfc8785_must_give_the_bytes_of_every_header_and_payload():
    for name, text in entries():
        for part in text.split(".")[:2]:
            raw = base64url_decode(part)
            assert rfc8785.dumps(json.loads(raw)) == raw, name


def leaf_hashes_must_follow_rfc6962():
    _, text = next(entry for entry in entries() if entry[0] == "tool.decision")
    leaf = hashlib.sha256(b"\0" + text.encode("ascii")).digest()
    assert leaf != hashlib.sha256(text.encode("ascii")).digest()
    sample = (ROOT / "crates/tlog/testdata/sample/entry").read_text()
    assert leaf == hashlib.sha256(b"\0" + sample.encode("ascii")).digest()


def jwcrypto_must_refuse_a_flipped_byte_anywhere():
    text = (GOLDEN / "tool.decision.entry").read_text()
    for at in range(0, len(text), 13):
        if text[at] != ".":
            other = text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]
            assert refused(lambda: verify_jws(other, key_of(text))), at


def sd_jwt_must_open_the_golden_frame_with_every_disclosure():
    text = (GOLDEN / "tool.decision.frame").read_text()
    payload = open_frame(text, key_of(text))
    assert payload["email"] == "ann@example.com"
    assert payload["os_user"] == {"name": "ann", "uid": 1000}
    assert payload["request"]["input"]["command"] == "kubectl get pods"
    assert "_sd" not in payload


def sd_jwt_must_open_the_frame_with_one_disclosure_withheld():
    text = (GOLDEN / "tool.decision.frame").read_text()
    parts = text.split("~")
    for left_out in range(1, len(parts) - 1):
        shown = open_frame("~".join(parts[:left_out] + parts[left_out + 1 :]), key_of(text))
        assert sum(name in shown for name in ("email", "os_user", "request")) == 2


def sd_jwt_must_not_show_a_changed_disclosure():
    text = (GOLDEN / "tool.decision.frame").read_text()
    parts = text.split("~")
    place = next(n for n, part in enumerate(parts[1:], 1) if b"ann@example.com" in base64url_decode(part))
    parts[place] = base64url_encode(base64url_decode(parts[place]).replace(b"ann@", b"eve@"))
    assert "email" not in open_frame("~".join(parts), key_of(text))


def frames_of(frame_file, jwk_file):
    """Every frame of a file verifies under the JWK."""
    key = JWK.from_json(pathlib.Path(jwk_file).read_text())
    lines = pathlib.Path(frame_file).read_text().split()
    assert lines, "no frame"
    for line in lines:
        open_frame(line if "~" in line else f"{line}~", key)


def main():
    tests = [
        jwcrypto_must_verify_every_golden_entry,
        rfc8785_must_give_the_bytes_of_every_header_and_payload,
        leaf_hashes_must_follow_rfc6962,
        jwcrypto_must_refuse_a_flipped_byte_anywhere,
        sd_jwt_must_open_the_golden_frame_with_every_disclosure,
        sd_jwt_must_open_the_frame_with_one_disclosure_withheld,
        sd_jwt_must_not_show_a_changed_disclosure,
    ]
    named = [(test.__name__, test) for test in tests]
    given = sys.argv[1:]
    for frame, jwk in zip(given[::2], given[1::2]):
        named.append((f"sd_jwt_must_open {frame}", lambda f=frame, k=jwk: frames_of(f, k)))
    passed = failed = 0
    for name, test in named:
        try:
            test()
            passed += 1
            print(f"ok   {name}")
        except Exception as error:  # Any fault of a check is a failed check, and is named.
            failed += 1
            print(f"FAIL {name}: {type(error).__name__}: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
