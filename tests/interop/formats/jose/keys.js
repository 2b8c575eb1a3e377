// The public keys of the golden entries, derived from the seeds that docs/formats/ names.

import { createPrivateKey, createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, importJWK } from "jose";

// An Ed25519 private key in PKCS #8 (RFC 8410) is this prefix and the seed.
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const SEEDS = [1, 2, 3, 4, 5, 6];

/** Thumbprint (RFC 7638) to {jwk, key} of every golden signer. */
export async function goldenKeys() {
  const keys = new Map();
  for (const seed of SEEDS) {
    const der = Buffer.concat([PKCS8, Buffer.alloc(32, seed)]);
    const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const jwk = createPublicKey(secret).export({ format: "jwk" });
    keys.set(await calculateJwkThumbprint(jwk), { jwk, key: await importJWK(jwk, "Ed25519") });
  }
  return keys;
}
