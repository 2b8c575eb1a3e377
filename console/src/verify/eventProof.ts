/**
 * The whole proof of one event, step by step, each with its result and its reason.
 *
 * Owns the order of the steps and what each may conclude. A step that cannot be taken because an
 * earlier one failed says so; it never counts as passed.
 */
import { toBase64, toHex, utf8 } from "./bytes";
import { whyUnsupported } from "./ed25519";
import { parseEntry, readDisclosure, verifyEntry, type Entry, type Json, type PublicKey } from "./entry";
import { leafHash, verifyInclusion } from "./merkle";
import { parseCheckpoint, parseNote, verifyNote, type Checkpoint, type Note } from "./note";
import { parseReceipt, type Receipt } from "./receipt";
import { isQuorum, parseTrustPolicy, quorumInWords, type TrustPolicy } from "./trustPolicy";

/** Outcome of a step. `unchecked` is never a success. */
export type StepState = "ok" | "failed" | "unchecked" | "note";

/** One step of a proof. */
export interface Step {
  id: string;
  title: string;
  state: StepState;
  detail: string;
}

/** What the server hands over about a disclosure. */
export interface OfferedDisclosure {
  digest: string;
  state: "present" | "withheld" | "erased";
  encoded?: string;
}

/** Everything that is checked. */
export interface Evidence {
  index: number;
  leaf: string;
  entry: string;
  key: PublicKey;
  receipt: string | undefined;
  trustPolicy: string;
  disclosures: OfferedDisclosure[];
}

/** A checked event: the steps, and what can be concluded. */
export interface EventProof {
  steps: Step[];
  /** `true` only when every step that proves something passed. */
  proven: boolean;
  entry: Entry | null;
  checkpoint: Checkpoint | null;
}

const step = (id: string, title: string, state: StepState, detail: string): Step => ({ id, title, state, detail });

/** Checks everything that a browser can check about one event. */
export async function proveEvent(evidence: Evidence): Promise<EventProof> {
  const steps: Step[] = [];
  const unsupported = await whyUnsupported();
  if (globalThis.crypto?.subtle === undefined) {
    steps.push(step("browser", "Cryptography in this browser", "failed", unsupported ?? ""));
    return { steps, proven: false, entry: null, checkpoint: null };
  }
  const parsed = parseEntry(evidence.entry);
  const entry = typeof parsed === "string" ? null : parsed;
  steps.push(await signatureStep(parsed, evidence.key, unsupported));
  const leaf = await leafHash(utf8(evidence.entry));
  steps.push(leafStep(toHex(leaf), evidence.leaf));
  const anchored = readReceipt(evidence);
  let checkpoint: Checkpoint | null = null;
  if (typeof anchored === "string") {
    steps.push(step("inclusion", "Inclusion in the log", evidence.receipt ? "failed" : "unchecked", anchored));
  } else {
    checkpoint = anchored.checkpoint;
    const { receipt } = anchored;
    const included = await verifyInclusion(leaf, receipt.index, checkpoint.size, receipt.proof, checkpoint.root);
    const proven = `Entry ${receipt.index} of ${checkpoint.size}: ${receipt.proof.length} hashes lead to root ${toBase64(checkpoint.root)}.`;
    steps.push(step("inclusion", "Inclusion in the log", included.ok ? "ok" : "failed", included.ok ? proven : included.reason));
    steps.push(originStep(entry, checkpoint));
    steps.push(...(await checkpointSteps(anchored.note, checkpoint, evidence.trustPolicy, unsupported)));
  }
  steps.push(await disclosureStep(entry, evidence.disclosures));
  const proven = typeof anchored !== "string" && steps.every(({ state }) => state === "ok" || state === "note");
  return { steps, proven, entry, checkpoint };
}

async function signatureStep(entry: Entry | string, key: PublicKey, unsupported: string | null): Promise<Step> {
  const title = "Signature of the device or administrator";
  if (typeof entry === "string") return step("signature", title, "failed", `Not an entry: ${entry}.`);
  const verdict = await verifyEntry(entry, key);
  switch (verdict) {
    case "valid":
      return step("signature", title, "ok", `Ed25519 signature by key ${entry.kid} over the exact bytes.`);
    case "unsupported":
      return step("signature", title, "unchecked", unsupported ?? "This browser cannot check Ed25519.");
    case "other-key":
      return step("signature", title, "failed", `The entry names key ${entry.kid}; the server offered another one.`);
    case "weak-key":
      return step("signature", title, "failed", "The key is not one that can be trusted.");
    case "invalid":
      return step("signature", title, "failed", `The signature does not fit key ${entry.kid} and these bytes.`);
  }
}

function leafStep(computed: string, claimed: string): Step {
  const title = "Leaf hash SHA-256(0x00 || entry)";
  if (computed === claimed) return step("leaf", title, "ok", computed);
  return step("leaf", title, "failed", `These bytes hash to ${computed}, the server says ${claimed}.`);
}

interface Anchored {
  receipt: Receipt;
  note: Note;
  checkpoint: Checkpoint;
}

function readReceipt(evidence: Evidence): Anchored | string {
  if (evidence.receipt === undefined) return "No checkpoint that covers this entry is published yet. Look again in a few seconds.";
  const receipt = parseReceipt(evidence.receipt);
  if (typeof receipt === "string") return `Not a receipt: ${receipt}.`;
  if (receipt.index !== BigInt(evidence.index)) return `The receipt is for entry ${receipt.index}, not ${evidence.index}.`;
  const note = parseNote(receipt.checkpoint);
  if (typeof note === "string") return `Not a signed checkpoint: ${note}.`;
  const checkpoint = parseCheckpoint(note.text);
  if (typeof checkpoint === "string") return `Not a checkpoint: ${checkpoint}.`;
  return { receipt, note, checkpoint };
}

function originStep(entry: Entry | null, checkpoint: Checkpoint): Step {
  const title = "Written for this log";
  if (!entry) return step("origin", title, "unchecked", "The entry could not be read.");
  const log = entry.payload["log"];
  if (log === checkpoint.origin) return step("origin", title, "ok", checkpoint.origin);
  return step("origin", title, "failed", `The entry was signed for log ${String(log)}, the checkpoint is of ${checkpoint.origin}.`);
}

/** Log signature, one step per witness, and the quorum. Also used for the newest checkpoint. */
export async function checkpointSteps(
  note: Note,
  checkpoint: Checkpoint,
  policyText: string,
  unsupported: string | null,
): Promise<Step[]> {
  const policy = await parseTrustPolicy(policyText);
  if (typeof policy === "string") return [step("log", "Signature of the log", "failed", `Not a trust policy: ${policy}.`)];
  const steps = [await logStep(note, checkpoint, policy, unsupported)];
  const cosigners = new Set<string>();
  for (const witness of policy.witnesses) {
    const verdict = await verifyNote(note, witness.key);
    const title = `Witness ${witness.name}`;
    if (verdict.state === "valid") {
      cosigners.add(witness.name);
      steps.push(step(`witness:${witness.name}`, title, "ok", `Cosigned ${inWords(verdict.time)}.`));
    } else if (verdict.state === "absent") {
      steps.push(step(`witness:${witness.name}`, title, "note", "Has not cosigned this checkpoint. The quorum decides whether that matters."));
    } else if (verdict.state === "invalid") {
      steps.push(step(`witness:${witness.name}`, title, "failed", `Its cosignature is refused: ${verdict.reason}.`));
    } else {
      steps.push(step(`witness:${witness.name}`, title, "unchecked", unsupported ?? "This browser cannot check it."));
    }
  }
  steps.push(quorumStep(policy, cosigners));
  return steps;
}

async function logStep(note: Note, checkpoint: Checkpoint, policy: TrustPolicy, unsupported: string | null): Promise<Step> {
  const title = "Signature of the log";
  const keys = policy.logs.filter((key) => key.name === checkpoint.origin);
  if (keys.length === 0) return step("log", title, "failed", `The trust policy does not name the log ${checkpoint.origin}.`);
  let signed = false;
  for (const key of keys) {
    const verdict = await verifyNote(note, key);
    if (verdict.state === "invalid") return step("log", title, "failed", `The signature of key ${key.id} is refused: ${verdict.reason}.`);
    if (verdict.state === "unsupported") return step("log", title, "unchecked", unsupported ?? "This browser cannot check it.");
    signed ||= verdict.state === "valid";
  }
  if (!signed) return step("log", title, "failed", "No trusted key of the log signed this checkpoint.");
  return step("log", title, "ok", `${checkpoint.origin}, ${checkpoint.size} entries.`);
}

function quorumStep(policy: TrustPolicy, cosigners: ReadonlySet<string>): Step {
  const title = "Quorum of witnesses";
  const rule = quorumInWords(policy);
  if (policy.quorum === null) return step("quorum", title, "note", "The trust policy asks for no witness, so nobody but the log's operator vouches for this tree.");
  if (isQuorum(policy, cosigners)) return step("quorum", title, "ok", `Needed: ${rule}. Cosigned: ${[...cosigners].join(", ")}.`);
  return step("quorum", title, "failed", `Needed: ${rule}. Cosigned: ${[...cosigners].join(", ") || "nobody"}.`);
}

async function disclosureStep(entry: Entry | null, offered: OfferedDisclosure[]): Promise<Step> {
  const title = "Disclosures belong to the entry";
  if (!entry) return step("disclosures", title, "unchecked", "The entry could not be read.");
  const list: Json = entry.payload["_sd"] ?? [];
  const committed = new Set(Array.isArray(list) ? list : []);
  const count = { present: 0, withheld: 0, erased: 0 };
  const listed = new Set<string>();
  for (const disclosure of offered) {
    const short = disclosure.digest.slice(0, 12);
    if (!committed.has(disclosure.digest)) return step("disclosures", title, "failed", `Digest ${short}… is not in the entry.`);
    if (listed.has(disclosure.digest)) return step("disclosures", title, "failed", `Digest ${short}… is listed twice.`);
    listed.add(disclosure.digest);
    count[disclosure.state] += 1;
    if (disclosure.state !== "present") continue;
    const read = await readDisclosure(disclosure.encoded ?? "");
    if (read?.digest !== disclosure.digest) return step("disclosures", title, "failed", `What is shown for ${short}… does not have that digest.`);
  }
  if (listed.size !== committed.size) {
    return step("disclosures", title, "failed", `The entry commits to ${committed.size} disclosures, the server listed ${listed.size}.`);
  }
  const detail = committed.size === 0 ? "The entry has none." : `${count.present} hashed and found in the entry, ${count.withheld} withheld, ${count.erased} erased.`;
  return step("disclosures", title, "ok", detail);
}

function inWords(seconds: bigint | null): string {
  return seconds === null ? "" : new Date(Number(seconds) * 1000).toISOString().replace(".000Z", " UTC").replace("T", " ");
}

