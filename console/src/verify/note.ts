/**
 * Signed notes, the checkpoints in them, and the signatures of logs and witnesses.
 *
 * Owns the grammar and the check of one key. Which keys are needed is `trustPolicy`. Sources: C2SP
 * signed-note, tlog-checkpoint, tlog-cosignature.
 */
import { concat, fromBase64, fromDecimal, toHex, utf8, type Bytes } from "./bytes";
import { verifySignature } from "./ed25519";
import { isName, WITNESS_KEY, type VerifierKey } from "./key";
import type { TreeHead } from "./merkle";

/** Longest note and most signatures accepted, as in the Go implementation. */
const MAX_NOTE_LENGTH = 1_000_000;
const MAX_SIGNATURES = 100;

/** One signature line. */
export interface NoteSignature {
  name: string;
  id: string;
  blob: Bytes;
}

/** A note: its text, which ends in a line feed, and its signatures. */
export interface Note {
  text: string;
  signatures: NoteSignature[];
}

/** A checkpoint: the log's name, and size and root of its tree. */
export interface Checkpoint extends TreeHead {
  origin: string;
}

/** What the lines of one key in a note say. `absent` means that the key did not sign. */
export type KeyVerdict =
  | { state: "valid"; time: bigint | null }
  | { state: "absent" }
  | { state: "invalid"; reason: string }
  | { state: "unsupported" };

/** Reads a note, or says why not. */
export function parseNote(note: string): Note | string {
  if (note.length > MAX_NOTE_LENGTH) return "the note is too long";
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) return "the note has a control character";
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n") || split + 2 >= note.length) return "the note has no signatures";
  const lines = note.slice(split + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) return "the note has too many signatures";
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = parseSignature(line);
    if (!signature) return `the signature line “${line.slice(0, 60)}” is malformed`;
    signatures.push(signature);
  }
  return { text: note.slice(0, split + 1), signatures };
}

function parseSignature(line: string): NoteSignature | null {
  const parts = line.split(" ");
  const [dash, name, encoded] = parts;
  if (parts.length !== 3 || dash !== "\u2014" || !name || !encoded || !isName(name)) return null;
  const bytes = fromBase64(encoded);
  if (!bytes || bytes.length <= 4) return null;
  return { name, id: toHex(bytes.subarray(0, 4)), blob: bytes.slice(4) };
}

/** Reads the text of a note as a checkpoint of exactly three lines, or says why not. */
export function parseCheckpoint(text: string): Checkpoint | string {
  const lines = text.split("\n");
  const [origin, count, hash] = lines;
  if (lines.length !== 4 || lines[3] !== "") return "the checkpoint does not have three lines";
  if (!origin || !isName(origin)) return "the checkpoint's origin has a forbidden form";
  const size = fromDecimal(count ?? "");
  if (size === null) return "the checkpoint's size is not a number";
  const root = fromBase64(hash ?? "");
  if (!root || root.length !== 32) return "the checkpoint's root is not a hash";
  return { origin, size, root };
}

/** Checks every line of a note that carries this key's name and id; one bad line spoils them all. */
export async function verifyNote(note: Note, key: VerifierKey): Promise<KeyVerdict> {
  const lines = note.signatures.filter((line) => line.name === key.name && line.id === key.id);
  let best: KeyVerdict = { state: "absent" };
  for (const line of lines) {
    const verdict = key.type === WITNESS_KEY ? await cosigned(note, line, key) : await signed(note, line, key);
    if (verdict.state !== "valid") return verdict;
    // Each cosignature is a true statement; the earliest is the strongest bound in time.
    const earlier = best.state !== "valid" || (verdict.time !== null && best.time !== null && verdict.time < best.time);
    if (earlier) best = verdict;
  }
  return best;
}

async function signed(note: Note, line: NoteSignature, key: VerifierKey): Promise<KeyVerdict> {
  return verdict(await verifySignature(key.key, utf8(note.text), line.blob), null);
}

async function cosigned(note: Note, line: NoteSignature, key: VerifierKey): Promise<KeyVerdict> {
  if (line.blob.length !== 72) return { state: "invalid", reason: "the cosignature has not 72 bytes" };
  const time = new DataView(line.blob.buffer, line.blob.byteOffset).getBigUint64(0);
  if (time === 0n || time >= 1n << 63n) return { state: "invalid", reason: "the cosignature's time is out of range" };
  const message = concat(utf8(`cosignature/v1\ntime ${time}\n`), utf8(note.text));
  return verdict(await verifySignature(key.key, message, line.blob.slice(8)), time);
}

function verdict(checked: Awaited<ReturnType<typeof verifySignature>>, time: bigint | null): KeyVerdict {
  switch (checked) {
    case "valid":
      return { state: "valid", time };
    case "unsupported":
      return { state: "unsupported" };
    case "weak-key":
      return { state: "invalid", reason: "the key is not one that can be trusted" };
    case "invalid":
      return { state: "invalid", reason: "the signature does not fit the text" };
  }
}
