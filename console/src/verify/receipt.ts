/**
 * Receipts: one entry's inclusion proof together with the checkpoint it leads to (C2SP tlog-proof).
 *
 * Owns the text form only; `eventProof` checks what it says.
 */
import { fromBase64, fromDecimal, type Bytes } from "./bytes";

const HEADER = "c2sp.org/tlog-proof@v1";

/** Most hashes of a proof: sizes have 63 bits. */
const MAX_PROOF_HASHES = 63;

/** A receipt taken apart. `checkpoint` is the signed note, verbatim. */
export interface Receipt {
  index: bigint;
  proof: Bytes[];
  checkpoint: string;
}

/** Reads a receipt, or says why not. An `extra` line is skipped: nothing authenticates it. */
export function parseReceipt(text: string): Receipt | string {
  const split = text.indexOf("\n\n");
  if (split < 0 || split + 2 >= text.length) return "the receipt has no checkpoint";
  const lines = text.slice(0, split).split("\n");
  if (lines.shift() !== HEADER) return `the receipt does not begin with ${HEADER}`;
  if (lines[0]?.startsWith("extra ")) {
    if (!fromBase64(lines[0].slice("extra ".length))) return "the receipt's extra line is malformed";
    lines.shift();
  }
  const line = lines.shift() ?? "";
  const index = line.startsWith("index ") ? fromDecimal(line.slice("index ".length)) : null;
  if (index === null) return "the receipt has no index";
  if (lines.length > MAX_PROOF_HASHES) return "the receipt's proof is too long";
  const proof: Bytes[] = [];
  for (const [at, encoded] of lines.entries()) {
    const hash = fromBase64(encoded);
    if (!hash || hash.length !== 32) return `proof line ${at + 1} is not a hash`;
    proof.push(hash);
  }
  return { index, proof, checkpoint: text.slice(split + 2) };
}
