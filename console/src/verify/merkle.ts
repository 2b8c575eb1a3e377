/**
 * Merkle tree hashes and proofs (RFC 6962 section 2.1, RFC 9162 sections 2.1.3.2 and 2.1.4.2).
 *
 * Owns leaf and node hashes and the verification of inclusion and consistency. A proof must have
 * exactly the length its statement needs, so that no two byte strings prove the same thing.
 */
import { concat, MAX_SIZE, same, sha256, toBase64, type Bytes } from "./bytes";

/** Result of a proof check: proven, or why not. */
export type Proven = { ok: true } | { ok: false; reason: string };

const PROVEN: Proven = { ok: true };
const refused = (reason: string): Proven => ({ ok: false, reason });

/** SHA-256(0x00 || entry). */
export function leafHash(entry: Uint8Array): Promise<Bytes> {
  return sha256(concat(new Uint8Array([0]), entry));
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Bytes> {
  return sha256(concat(new Uint8Array([1]), left, right));
}

/** How many hashes the inclusion proof of `index` in a tree of `size` leaves has. */
export function inclusionLength(index: bigint, size: bigint): number {
  let length = 0;
  let node = index;
  let last = size - 1n;
  while (last > 0n) {
    if ((node & 1n) === 1n || node < last) length += 1;
    node >>= 1n;
    last >>= 1n;
  }
  return length;
}

/** Checks that `leaf` is at `index` in the tree of `size` leaves with this root. */
export async function verifyInclusion(
  leaf: Bytes,
  index: bigint,
  size: bigint,
  proof: readonly Bytes[],
  root: Bytes,
): Promise<Proven> {
  if (size > MAX_SIZE || index < 0n || index >= size) {
    return refused(`index ${index} is not inside a tree of ${size} entries`);
  }
  const want = inclusionLength(index, size);
  if (proof.length !== want) return refused(`the proof has ${proof.length} hashes, it needs ${want}`);
  let hash = leaf;
  let node = index;
  let last = size - 1n;
  let used = 0;
  while (last > 0n) {
    const sibling = proof[used];
    if ((node & 1n) === 1n && sibling) {
      hash = await nodeHash(sibling, hash);
      used += 1;
    } else if (node < last && sibling) {
      hash = await nodeHash(hash, sibling);
      used += 1;
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (same(hash, root)) return PROVEN;
  return refused(`the proof leads to root ${toBase64(hash)}, the checkpoint has ${toBase64(root)}`);
}

/** One tree that a log published. */
export interface TreeHead {
  size: bigint;
  root: Bytes;
}

/** Checks that the tree `next` extends the tree `before` without changing it. */
export async function verifyConsistency(
  before: TreeHead,
  next: TreeHead,
  proof: readonly Bytes[],
): Promise<Proven> {
  if (before.size > next.size) return refused(`the tree shrank from ${before.size} to ${next.size} entries`);
  if (before.size === next.size || before.size === 0n) {
    if (proof.length !== 0) return refused("a proof was given where none is needed");
    if (before.size === 0n || same(before.root, next.root)) return PROVEN;
    return refused(`two different trees of ${next.size} entries were published`);
  }
  return walkConsistency(before, next, proof);
}

async function walkConsistency(before: TreeHead, next: TreeHead, proof: readonly Bytes[]): Promise<Proven> {
  let node = before.size - 1n;
  let last = next.size - 1n;
  while ((node & 1n) === 1n) {
    node >>= 1n;
    last >>= 1n;
  }
  // A complete old tree is itself the first node of the path, so the proof does not repeat it.
  const path = node === 0n ? [before.root, ...proof] : [...proof];
  const seed = path.shift();
  if (!seed) return refused("the proof is empty");
  let [old, fresh] = [seed, seed];
  for (const hash of path) {
    if (last === 0n) return refused("the proof has more hashes than it needs");
    if ((node & 1n) === 1n || node === last) {
      old = await nodeHash(hash, old);
      fresh = await nodeHash(hash, fresh);
      while (node !== 0n && (node & 1n) === 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      fresh = await nodeHash(fresh, hash);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) return refused("the proof has fewer hashes than it needs");
  if (!same(old, before.root)) return refused("the proof does not lead to the tree seen before");
  if (!same(fresh, next.root)) return refused("the proof does not lead to the tree published now");
  return PROVEN;
}
