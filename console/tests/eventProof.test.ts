/** One event from key to quorum: everything passes, and each tampering fails at its own step. */
import { beforeAll, describe, expect, it } from "vitest";
import { concat, sha256, toBase64, toBase64url, toHex, utf8, type Bytes } from "../src/verify/bytes";
import { canonical, keyId, type JsonObject, type PublicKey } from "../src/verify/entry";
import { proveEvent, type Evidence, type OfferedDisclosure } from "../src/verify/eventProof";
import { leafHash, nodeHash } from "../src/verify/merkle";
import { readPin, visit } from "../src/verify/pin";
import { CHECKPOINT, CONSISTENCY, ENTRY, POLICY, RECEIPT, ROOTS } from "./vectors";

const ORIGIN = "log.example/one";

interface Signer {
  raw: Bytes;
  jwk: PublicKey;
  sign(message: Bytes): Promise<Bytes>;
}

async function newSigner(): Promise<Signer> {
  const pair = (await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const jwk = { crv: "Ed25519", kty: "OKP", x: toBase64url(raw) };
  return { raw, jwk, sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message)) };
}

async function noteKey(name: string, type: number, signer: Signer) {
  const tagged = concat(new Uint8Array([type]), signer.raw);
  const id = (await sha256(concat(utf8(`${name}\n`), tagged))).slice(0, 4);
  return { name, id, text: `${name}+${toHex(id)}+${toBase64(tagged)}` };
}

async function freeze(payload: JsonObject, signer: Signer): Promise<string> {
  const header = canonical({ alg: "Ed25519", kid: await keyId(signer.jwk), typ: "vnd.cairn.entry.v1+sd-jwt" });
  const signed = `${toBase64url(utf8(header))}.${toBase64url(utf8(canonical(payload)))}`;
  return `${signed}.${toBase64url(await signer.sign(utf8(signed)))}`;
}

let good: Evidence;
let device: Signer;
let stranger: Signer;

beforeAll(async () => {
  device = await newSigner();
  stranger = await newSigner();
  const disclosures: OfferedDisclosure[] = [];
  for (const [name, value] of [["request", { tool: "Bash" }], ["email", "ann@example.com"]] as const) {
    const salt = toBase64url(crypto.getRandomValues(new Uint8Array(16)));
    const encoded = toBase64url(utf8(JSON.stringify([salt, name, value])));
    disclosures.push({ digest: toBase64url(await sha256(utf8(encoded))), state: "present", encoded });
  }
  disclosures.push({ digest: toBase64url(await sha256(utf8("gone"))), state: "erased" });
  const sd = disclosures.map(({ digest }) => digest).sort();
  const entry = await freeze({ _sd: sd, _sd_alg: "sha-256", body: { effect: "deny" }, log: ORIGIN, v: 1 }, device);
  const [left, leaf, right] = await Promise.all([leafHash(utf8("before")), leafHash(utf8(entry)), leafHash(utf8("after"))]);
  const root = await nodeHash(await nodeHash(left, leaf), right);
  const text = `${ORIGIN}\n3\n${toBase64(root)}\n`;
  const [log, witness] = [await newSigner(), await newSigner()];
  const [logKey, witnessKey] = [await noteKey(ORIGIN, 1, log), await noteKey("wit.example", 4, witness)];
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, 1800000000n);
  const cosigned = concat(witnessKey.id, time, await witness.sign(utf8(`cosignature/v1\ntime 1800000000\n${text}`)));
  const signatures = `— ${ORIGIN} ${toBase64(concat(logKey.id, await log.sign(utf8(text))))}\n— wit.example ${toBase64(cosigned)}\n`;
  good = {
    index: 1,
    leaf: toHex(leaf),
    entry,
    key: device.jwk,
    receipt: `c2sp.org/tlog-proof@v1\nindex 1\n${toBase64(left)}\n${toBase64(right)}\n\n${text}\n${signatures}`,
    trustPolicy: `log ${logKey.text}\nwitness harbour ${witnessKey.text}\nquorum harbour\n`,
    disclosures,
  };
});

/** The steps that did not pass, in order. */
async function failures(change: Partial<Evidence>): Promise<string[]> {
  const proof = await proveEvent({ ...good, ...change });
  const bad = proof.steps.filter(({ state }) => state === "failed" || state === "unchecked");
  expect(proof.proven).toBe(bad.length === 0);
  return bad.map(({ id, state }) => (state === "failed" ? id : `${id}?`));
}

describe("an event", () => {
  it("is proven step by step", async () => {
    const proof = await proveEvent(good);
    expect(proof.proven).toBe(true);
    expect(proof.steps.map(({ id, state }) => `${id} ${state}`)).toEqual([
      "signature ok",
      "leaf ok",
      "inclusion ok",
      "origin ok",
      "log ok",
      "witness:harbour ok",
      "quorum ok",
      "disclosures ok",
    ]);
    expect(proof.steps.at(-1)?.detail).toBe("2 hashed and found in the entry, 0 withheld, 1 erased.");
  });

  it("stays proven when its disclosures are erased", async () => {
    const erased = good.disclosures.map(({ digest }) => ({ digest, state: "erased" as const }));
    expect(await failures({ disclosures: erased })).toEqual([]);
  });

  it("fails with other bytes, another key or another signer", async () => {
    const [header, , signature] = good.entry.split(".");
    const payload = toBase64url(utf8(canonical({ body: { effect: "allow" }, log: ORIGIN, v: 1 })));
    expect(await failures({ entry: `${header}.${payload}.${signature}` })).toEqual(["signature", "leaf", "inclusion", "disclosures"]);
    expect(await failures({ key: stranger.jwk })).toEqual(["signature"]);
    const forged = await freeze({ log: ORIGIN, v: 1 }, stranger);
    expect(await failures({ entry: forged, key: stranger.jwk, disclosures: [] })).toEqual(["leaf", "inclusion"]);
  });

  it("refuses a payload that two readers could understand differently", async () => {
    const header = good.entry.split(".")[0] ?? "";
    for (const text of ['{"log":"a","log":"b"}', '{"log": "a"}', '{"b":1,"a":2}', '{"a":1.5}', '{"a":9007199254740993}']) {
      const signed = `${header}.${toBase64url(utf8(text))}`;
      const entry = `${signed}.${toBase64url(await device.sign(utf8(signed)))}`;
      const proof = await proveEvent({ ...good, entry });
      expect(proof.steps[0]).toMatchObject({ state: "failed", detail: "Not an entry: the entry's payload is not canonical JSON." });
    }
  });

  it("fails at the step that was tampered with", async () => {
    const receipt = good.receipt ?? "";
    expect(await failures({ leaf: "00".repeat(32) })).toEqual(["leaf"]);
    expect(await failures({ receipt: receipt.replace("index 1", "index 0"), index: 0 })).toEqual(["inclusion"]);
    expect(await failures({ index: 2 })).toEqual(["inclusion"]);
    expect(await failures({ receipt: receipt.replace("\n3\n", "\n4\n") })).toEqual(["log", "witness:harbour", "quorum"]);
    expect(await failures({ receipt: receipt.replace(/— wit.example.*\n/, "") })).toEqual(["quorum"]);
    expect(await failures({ receipt: receipt.replace(/— log.example.*\n/, "") })).toEqual(["log"]);
    expect(await failures({ trustPolicy: POLICY })).toEqual(["log", "quorum"]);
    expect(await failures({ trustPolicy: "quorum none\n" })).toEqual(["log"]);
  });

  it("does not call an unpublished entry proven", async () => {
    expect(await failures({ receipt: undefined })).toEqual(["inclusion?"]);
  });

  it("is not proven by an entry signed for another log", async () => {
    const entry = await freeze({ log: "log.example/two", v: 1 }, device);
    expect(await failures({ entry, disclosures: [] })).toEqual(["leaf", "inclusion", "origin"]);
  });

  it("catches disclosures that are swapped, foreign, missing or doubled", async () => {
    const [first, second, third] = good.disclosures;
    if (!first || !second || !third) throw new Error("three disclosures were made");
    const swapped = { ...first, ...(second.encoded ? { encoded: second.encoded } : {}) };
    expect(await failures({ disclosures: [swapped, second, third] })).toEqual(["disclosures"]);
    expect(await failures({ disclosures: [first, second] })).toEqual(["disclosures"]);
    expect(await failures({ disclosures: [first, first, second] })).toEqual(["disclosures"]);
    expect(await failures({ disclosures: [first, second, { digest: "AAAA", state: "erased" }] })).toEqual(["disclosures"]);
  });
});

describe("the public receipt vector", () => {
  const evidence = { ...({} as Evidence), index: 7, entry: ENTRY, receipt: RECEIPT, trustPolicy: POLICY, disclosures: [] };
  const states = async (change: Partial<Evidence>) => {
    const leaf = toHex(await leafHash(utf8(ENTRY)));
    const proof = await proveEvent({ ...evidence, key: device.jwk, leaf, ...change });
    return Object.fromEntries(proof.steps.map(({ id, state }) => [id, state]));
  };

  it("passes every step but the signature, because its entry is a bare word", async () => {
    const all = { leaf: "ok", inclusion: "ok", log: "ok", "witness:w1": "ok", "witness:w2": "ok", quorum: "ok" };
    expect(await states({})).toMatchObject({ signature: "failed", ...all });
    const one = RECEIPT.replace(/— Wit2.*\n/, "");
    expect(await states({ receipt: one })).toMatchObject({ "witness:w2": "note", quorum: "failed" });
    expect(await states({ receipt: one, trustPolicy: POLICY.replace("both all", "both any") })).toMatchObject({ quorum: "ok" });
  });
});

describe("the pin of the last visit", () => {
  const pin = (size: number) => ({ origin: "example.com/log/testdata", size: `${size}`, root: ROOTS[size] ?? "", seen_ms: 1 });
  const [grown] = CONSISTENCY;
  const ask = async () => grown?.proof ?? [];

  it("moves forward over a proof", async () => {
    const first = await visit(CHECKPOINT, POLICY, null, ask, 5);
    expect(first.pin).toEqual({ ...pin(15), seen_ms: 5 });
    expect(readPin(JSON.stringify(first.pin))).toEqual(first.pin);
    const later = await visit(CHECKPOINT, POLICY, pin(8), ask, 9);
    expect(later.pin).toEqual({ ...pin(15), seen_ms: 9 });
    expect(later.steps.at(-1)).toMatchObject({ id: "consistency", state: "ok" });
  });

  it("stays where a proof, a signature or the origin fails", async () => {
    const other = { ...pin(8), root: ROOTS[7] ?? "" };
    for (const [held, note] of [[other, CHECKPOINT], [pin(8), CHECKPOINT.replace("rKbD", "rKbE")], [{ ...pin(8), origin: "x" }, CHECKPOINT], [{ ...pin(15), size: "16" }, CHECKPOINT]] as const) {
      const result = await visit(note, POLICY, held, ask, 9);
      expect(result.pin).toEqual(held);
      expect(result.steps.some(({ state }) => state === "failed")).toBe(true);
    }
    const silent = await visit(CHECKPOINT, POLICY, pin(8), () => Promise.reject(new Error("gone")), 9);
    expect(silent.pin).toEqual(pin(8));
    expect(silent.steps.at(-1)).toMatchObject({ state: "unchecked" });
  });

  it("forgets what is not a pin", () => {
    for (const text of [null, "", "{}", '{"origin":"a","size":"-1","root":"AA=="}']) expect(readPin(text)).toBeNull();
  });
});
