/**
 * What this browser remembers of a log: the last checkpoint it verified and the trust policy it
 * saw first. A log that shows somebody another history must then contradict what they hold.
 *
 * Owns the decision and the stored form. Reading the network and the storage is the caller's.
 */
import { fromBase64, toBase64, type Bytes } from "./bytes";
import { whyUnsupported } from "./ed25519";
import { checkpointSteps, type Step } from "./eventProof";
import { verifyConsistency } from "./merkle";
import { parseCheckpoint, parseNote, type Checkpoint } from "./note";

/** What is remembered per origin. Sizes are decimal texts: JSON numbers end at 2^53. */
export interface Pin {
  origin: string;
  size: string;
  root: string;
  /** When it was verified, milliseconds since 1970. */
  seen_ms: number;
}

/** What the newest checkpoint turned out to be. */
export interface Visit {
  steps: Step[];
  checkpoint: Checkpoint | null;
  /** The pin to keep from now on; the old one where anything failed. */
  pin: Pin | null;
}

/** Asks the log for a consistency proof between two sizes. */
export type AskProof = (from: bigint, to: bigint) => Promise<string[]>;

/** Reads a stored pin; `null` for anything that is not one. */
export function readPin(text: string | null): Pin | null {
  try {
    const pin = JSON.parse(text ?? "null") as Pin | null;
    const good = pin !== null && typeof pin.origin === "string" && /^\d+$/.test(pin.size) && fromBase64(pin.root)?.length === 32;
    return good ? pin : null;
  } catch {
    return null;
  }
}

/** Verifies the newest checkpoint and that it extends the pinned one. */
export async function visit(noteText: string, policy: string, pin: Pin | null, ask: AskProof, now: number): Promise<Visit> {
  const note = parseNote(noteText);
  const checkpoint = typeof note === "string" ? note : parseCheckpoint(note.text);
  if (typeof note === "string" || typeof checkpoint === "string") {
    const reason = typeof note === "string" ? note : String(checkpoint);
    return { steps: [{ id: "log", title: "Signature of the log", state: "failed", detail: `Not a checkpoint: ${reason}.` }], checkpoint: null, pin };
  }
  const steps = await checkpointSteps(note, checkpoint, policy, await whyUnsupported());
  steps.push(await consistencyStep(checkpoint, pin, ask));
  const trusted = steps.every(({ state }) => state === "ok" || state === "note");
  const next = { origin: checkpoint.origin, size: checkpoint.size.toString(), root: toBase64(checkpoint.root), seen_ms: now };
  return { steps, checkpoint, pin: trusted ? next : pin };
}

async function consistencyStep(checkpoint: Checkpoint, pin: Pin | null, ask: AskProof): Promise<Step> {
  const made = (state: Step["state"], detail: string): Step => ({ id: "consistency", title: "Consistent with your last visit", state, detail });
  if (!pin) return made("note", "First visit from this browser: this checkpoint is remembered from now on.");
  if (pin.origin !== checkpoint.origin) return made("failed", `Last time this log called itself ${pin.origin}.`);
  const before = { size: BigInt(pin.size), root: fromBase64(pin.root) ?? new Uint8Array() };
  const since = new Date(pin.seen_ms).toLocaleString();
  let proof: Bytes[];
  try {
    const trivial = before.size === 0n || before.size >= checkpoint.size;
    const lines = trivial ? [] : await ask(before.size, checkpoint.size);
    proof = lines.map((line) => fromBase64(line) ?? new Uint8Array());
  } catch (error) {
    return made("unchecked", `The log did not give a proof: ${error instanceof Error ? error.message : String(error)}`);
  }
  const proven = await verifyConsistency(before, checkpoint, proof);
  if (!proven.ok) return made("failed", `Against the checkpoint of ${since} with ${pin.size} entries: ${proven.reason}. Keep both checkpoints and tell an auditor.`);
  const grown = checkpoint.size - before.size;
  return made("ok", grown === 0n ? `Unchanged since ${since}.` : `${grown} ${grown === 1n ? "entry was" : "entries were"} added since ${since}; nothing before changed.`);
}
