/**
 * Entries: compact JWS over canonical JSON, and the disclosures they commit to.
 *
 * Owns the form, the signature and the disclosure digests. Whether the key had authority at that
 * point of the log is not decided here; `cairn-audit` replays the roster for that. Sources:
 * `docs/formats/entry.md`, RFC 7515, RFC 9864, RFC 9901, RFC 8785.
 */
import { fromBase64url, fromUtf8, sha256, toBase64url, utf8 } from "./bytes";
import { verifySignature, type SignatureVerdict } from "./ed25519";

const ALG = "Ed25519";
const TYP = "vnd.cairn.entry.v1+sd-jwt";

/** Largest entry: bundles write its length in two bytes. */
const MAX_ENTRY_LENGTH = 65_535;

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A JSON object. */
export type JsonObject = { [name: string]: Json };

/** An Ed25519 public key as JWK. */
export interface PublicKey {
  crv: string;
  kty: string;
  x: string;
}

/** An entry taken apart. */
export interface Entry {
  kid: string;
  payload: JsonObject;
  signed: string;
  signature: string;
}

/** Whether a JSON value is an object. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The canonical text of a JSON value (RFC 8785): members sorted, no white space. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(",")}}`;
}

/** Reads base64url of canonical JSON; a text that two readers could understand differently is refused. */
function readCanonical(part: string): JsonObject | null {
  const bytes = fromBase64url(part);
  const text = bytes && fromUtf8(bytes);
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) && canonical(value) === text && safeNumbers(value) ? value : null;
  } catch {
    return null;
  }
}

function safeNumbers(value: Json): boolean {
  if (typeof value === "number") return Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.values(value).every(safeNumbers);
}

/** Reads an entry, or says why not. */
export function parseEntry(text: string): Entry | string {
  if (text.length > MAX_ENTRY_LENGTH) return "the entry is too long";
  const parts = text.split(".");
  const [head, body, signature] = parts;
  if (parts.length !== 3 || !head || !body || !signature) return "the entry has not three parts";
  const header = readCanonical(head);
  const named = Object.keys(header ?? {}).join() === "alg,kid,typ";
  if (!header || !named || header["alg"] !== ALG || header["typ"] !== TYP || typeof header["kid"] !== "string") {
    return "the entry's header is not that of a version 1 entry";
  }
  const payload = readCanonical(body);
  if (!payload) return "the entry's payload is not canonical JSON";
  return { kid: header["kid"], payload, signed: `${head}.${body}`, signature };
}

/** The identifier of a key: its RFC 7638 thumbprint. */
export async function keyId(key: PublicKey): Promise<string> {
  const jwk = canonical({ crv: key.crv, kty: key.kty, x: key.x });
  return toBase64url(await sha256(utf8(jwk)));
}

/** Checks an entry's signature with a key whose identifier must be the one in the header. */
export async function verifyEntry(entry: Entry, key: PublicKey): Promise<SignatureVerdict | "other-key"> {
  const bytes = fromBase64url(key.x);
  const signature = fromBase64url(entry.signature);
  if (key.kty !== "OKP" || key.crv !== "Ed25519" || !bytes || !signature) return "invalid";
  if ((await keyId(key)) !== entry.kid) return "other-key";
  return verifySignature(bytes, utf8(entry.signed), signature);
}

/** A disclosure taken apart. */
export interface Disclosure {
  digest: string;
  name: string;
  value: Json;
}

/** Reads a disclosure `base64url(["salt","name",value])` and computes its digest; `null` if malformed. */
export async function readDisclosure(encoded: string): Promise<Disclosure | null> {
  const bytes = fromBase64url(encoded);
  const text = bytes && fromUtf8(bytes);
  if (text === null) return null;
  try {
    const parts = JSON.parse(text) as Json;
    if (!Array.isArray(parts) || parts.length !== 3) return null;
    const [salt, name, value] = parts;
    if (typeof salt !== "string" || typeof name !== "string" || value === undefined) return null;
    if ((fromBase64url(salt)?.length ?? 0) < 16) return null;
    return { digest: toBase64url(await sha256(utf8(encoded))), name, value };
  } catch {
    return null;
  }
}
