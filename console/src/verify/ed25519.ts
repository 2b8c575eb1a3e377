/**
 * Ed25519 by WebCrypto, with the checks that make it as strict as the server and the auditor.
 *
 * Owns the question "is this signature valid" and whether this browser can answer it. Sources:
 * RFC 8032, WebCrypto Secure Curves.
 */
import { toHex, type Bytes } from "./bytes";

/** What a signature check can say. */
export type SignatureVerdict = "valid" | "invalid" | "weak-key" | "unsupported";

/**
 * Encodings of the points of small order, canonical or not, without the sign bit. Such a key
 * verifies signatures of messages nobody signed, so it is refused as `verify_strict` refuses it.
 */
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** Whether 32 bytes encode a point of small order. */
export function isSmallOrder(point: Uint8Array): boolean {
  const unsigned = Uint8Array.from(point);
  unsigned[31] = (unsigned[31] ?? 0) & 0x7f;
  return SMALL_ORDER.has(toHex(unsigned));
}

/** Checks one signature of 64 bytes with a public key of 32. */
export async function verifySignature(
  key: Bytes,
  message: Bytes,
  signature: Bytes,
): Promise<SignatureVerdict> {
  if (key.length !== 32 || isSmallOrder(key)) return "weak-key";
  if (signature.length !== 64 || isSmallOrder(signature.subarray(0, 32))) return "invalid";
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) return "unsupported";
  let imported: CryptoKey;
  try {
    imported = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    return error instanceof DOMException && error.name === "NotSupportedError" ? "unsupported" : "weak-key";
  }
  return (await subtle.verify({ name: "Ed25519" }, imported, signature, message)) ? "valid" : "invalid";
}

/** Why this browser cannot check, in words for people; `null` when it can. */
export async function whyUnsupported(): Promise<string | null> {
  if (globalThis.crypto?.subtle === undefined) {
    return "The browser offers no cryptography on this page, because it was not opened over HTTPS (or on this machine). Open it over HTTPS, or use cairn-audit.";
  }
  try {
    await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return null;
  } catch {
    return "This browser cannot check Ed25519 signatures. Use a current version of Chrome, Firefox or Safari, or use cairn-audit.";
  }
}
