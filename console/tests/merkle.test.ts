/** Hashes and proofs against public vectors, and everything that must not pass. */
import { describe, expect, it } from "vitest";
import { fromBase64, utf8, type Bytes } from "../src/verify/bytes";
import { inclusionLength, leafHash, nodeHash, verifyConsistency, verifyInclusion } from "../src/verify/merkle";
import { CONSISTENCY, INCLUSION, ROOTS } from "./vectors";

const hash = (text: string | undefined): Bytes => {
  const bytes = fromBase64(text ?? "");
  if (!bytes) throw new Error("the vector is not base64");
  return bytes;
};
const root = (size: number) => hash(ROOTS[size]);
const WORDS = "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten".split(" ");

/** The tree head by its definition in RFC 6962, independent of every proof. */
async function treeHead(leaves: Bytes[]): Promise<Bytes> {
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(await treeHead(leaves.slice(0, split)), await treeHead(leaves.slice(split)));
}

/** The inclusion proof by its definition. */
async function path(index: number, leaves: Bytes[]): Promise<Bytes[]> {
  if (leaves.length === 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...(await path(index, left)), await treeHead(right)] : [...(await path(index - split, right)), await treeHead(left)];
}

describe("inclusion", () => {
  it("accepts the public proofs", async () => {
    for (const { index, entry, proof } of INCLUSION) {
      const leaf = await leafHash(utf8(entry));
      expect(await verifyInclusion(leaf, index, 15n, proof.map(hash), root(15))).toEqual({ ok: true });
    }
  });

  it("agrees with the definition for every leaf of every tree up to 15", async () => {
    const leaves = await Promise.all(WORDS.map((word) => leafHash(utf8(word))));
    expect(await treeHead(leaves)).toEqual(root(15));
    for (let size = 1; size <= leaves.length; size++) {
      const some = leaves.slice(0, size);
      const head = await treeHead(some);
      for (const [index, leaf] of some.entries()) {
        const proof = await path(index, some);
        expect(inclusionLength(BigInt(index), BigInt(size))).toBe(proof.length);
        expect(await verifyInclusion(leaf, BigInt(index), BigInt(size), proof, head)).toEqual({ ok: true });
        const elsewhere = await verifyInclusion(leaf, BigInt((index + 1) % size), BigInt(size), proof, head);
        expect(elsewhere.ok).toBe(size === 1);
      }
    }
  });

  it("refuses a proof that is too long, too short, outside the tree or of another leaf", async () => {
    const [first] = INCLUSION;
    const proof = (first?.proof ?? []).map(hash);
    const leaf = await leafHash(utf8("one"));
    const reason = async (...args: Parameters<typeof verifyInclusion>) => {
      const proven = await verifyInclusion(...args);
      return proven.ok ? "proven" : proven.reason;
    };
    expect(await reason(leaf, 0n, 15n, [...proof, root(3)], root(15))).toContain("5 hashes, it needs 4");
    expect(await reason(leaf, 0n, 15n, proof.slice(1), root(15))).toContain("3 hashes, it needs 4");
    expect(await reason(leaf, 15n, 15n, proof, root(15))).toContain("not inside a tree");
    expect(await reason(await leafHash(utf8("two")), 0n, 15n, proof, root(15))).toContain("leads to root");
    expect(await reason(leaf, 1n, 15n, proof, root(15))).toContain("leads to root");
  });
});

describe("consistency", () => {
  it("accepts the public proofs and nothing near them", async () => {
    for (const { from, to, proof } of CONSISTENCY) {
      const [before, next] = [{ size: BigInt(from), root: root(from) }, { size: BigInt(to), root: root(to) }];
      const hashes = proof.map(hash);
      expect(await verifyConsistency(before, next, hashes)).toEqual({ ok: true });
      for (const bad of [hashes.slice(1), [...hashes, root(3)], hashes.map(() => root(15))]) {
        expect((await verifyConsistency(before, next, bad)).ok).toBe(false);
      }
      expect((await verifyConsistency({ ...before, root: root(15) }, next, hashes)).ok).toBe(false);
      expect((await verifyConsistency(before, { ...next, root: root(3) }, hashes)).ok).toBe(false);
    }
  });

  it("says so when the tree shrank or has two roots", async () => {
    const [seven, fifteen] = [{ size: 7n, root: root(7) }, { size: 15n, root: root(15) }];
    expect(await verifyConsistency(fifteen, seven, [])).toEqual({ ok: false, reason: "the tree shrank from 15 to 7 entries" });
    const other = { size: 15n, root: root(7) };
    expect(await verifyConsistency(other, fifteen, [])).toEqual({ ok: false, reason: "two different trees of 15 entries were published" });
    expect(await verifyConsistency(fifteen, fifteen, [])).toEqual({ ok: true });
  });
});
