/**
 * Verifier keys of logs and witnesses: `name+id+base64(type || key)`.
 *
 * Owns their syntax and their id. Source: C2SP signed-note.
 */
import { concat, fromBase64, sha256, toHex, utf8, type Bytes } from "./bytes";
import { isSmallOrder } from "./ed25519";

/** Type byte of a log's key: plain Ed25519 over the note. */
export const LOG_KEY = 0x01;

/** Type byte of a witness's key: Ed25519 cosignature with a time. */
export const WITNESS_KEY = 0x04;

/** Longest name in bytes: cosignature formats write its length in one byte. */
const MAX_NAME_BYTES = 255;

/** A key that passed every check of its form. */
export interface VerifierKey {
  name: string;
  /** Eight hexadecimal digits. */
  id: string;
  type: number;
  key: Bytes;
}

/** Whether a text can be the name of a key or the origin of a log. */
export function isName(name: string): boolean {
  return name !== "" && utf8(name).length <= MAX_NAME_BYTES && !/[\s+\p{Cc}\u0085]/u.test(name);
}

/** Reads a verifier key, or says why not. */
export async function parseVerifierKey(text: string): Promise<VerifierKey | string> {
  const first = text.indexOf("+");
  const second = text.indexOf("+", first + 1);
  if (first < 0 || second < 0) return "the key has not the parts name, id and key";
  const name = text.slice(0, first);
  const id = text.slice(first + 1, second);
  if (!isName(name)) return "the key's name has a forbidden form";
  if (!/^[0-9a-f]{8}$/.test(id)) return "the key's id is not eight hexadecimal digits";
  const bytes = fromBase64(text.slice(second + 1));
  if (!bytes) return "the key is not canonical base64";
  const type = bytes[0] ?? 0;
  if (type !== LOG_KEY && type !== WITNESS_KEY) return `signature type ${type} is not supported`;
  const key = bytes.slice(1);
  if (key.length !== 32) return `the key has ${key.length} bytes, not 32`;
  if (isSmallOrder(key)) return "the key has small order";
  const digest = await sha256(concat(utf8(`${name}\n`), bytes));
  const computed = toHex(digest.subarray(0, 4));
  if (computed !== id) return `the key's id is ${id}, name and key give ${computed}`;
  return { name, id, type, key };
}
