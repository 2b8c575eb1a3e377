// Verifies the golden entries of crates/event with jose, and the golden frame with @sd-jwt/core.
//
// Two implementations that share no code with Cairn: every entry is a JWS with `alg` Ed25519, the
// frame is an SD-JWT, and a flipped byte anywhere is refused. More frames and the JWK that signed
// them may be given as `FRAME_FILE JWK_FILE` pairs. The last line is "N passed, N failed".

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SDJwtInstance } from "@sd-jwt/core";
import { compactVerify, importJWK } from "jose";
import { goldenKeys } from "./keys.js";

const GOLDEN = fileURLToPath(new URL("../../../../crates/event/testdata/golden/", import.meta.url));
const counts = { passed: 0, failed: 0 };

async function test(name, body) {
  try {
    await body();
    counts.passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    counts.failed += 1;
    console.log(`FAIL ${name}: ${error.message}`);
  }
}

function must(condition, what) {
  if (!condition) throw new Error(what);
}

async function refused(work) {
  const accepted = await work().then(() => true, () => false);
  must(!accepted, "accepted");
}

/** The text with the character at a place replaced by another of the base64url alphabet. */
function flip(text, at) {
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
}

function header(jws) {
  return JSON.parse(Buffer.from(jws.split(".")[0], "base64url").toString());
}

function verifyJws(jws, key) {
  return compactVerify(jws, key, { algorithms: ["Ed25519"] });
}

/** An SD-JWT reader whose signatures jose verifies. */
function sdJwt(key) {
  return new SDJwtInstance({
    hasher: (data, alg) => createHash(alg.replace("-", "")).update(Buffer.from(data)).digest(),
    hashAlg: "sha-256",
    saltGenerator: (length) => randomBytes(length).toString("hex").slice(0, length),
    verifier: (data, signature) => verifyJws(`${data}.${signature}`, key).then(() => true, () => false),
  });
}

const keys = await goldenKeys();
const names = readdirSync(GOLDEN).filter((name) => name.endsWith(".entry")).sort();
must(names.length > 20, "the golden entries are missing");

await test("jose_must_verify_every_golden_entry", async () => {
  for (const name of names) {
    const jws = readFileSync(GOLDEN + name, "utf8");
    const { alg, kid, typ } = header(jws);
    must(alg === "Ed25519" && typ === "vnd.cairn.entry.v1+sd-jwt", `${name}: header`);
    must(keys.has(kid), `${name}: kid is no thumbprint of a golden key`);
    const { payload } = await verifyJws(jws, keys.get(kid).key);
    const expected = readFileSync(GOLDEN + name.replace(".entry", ".payload.json"));
    must(Buffer.from(payload).equals(expected), `${name}: payload`);
  }
});

await test("jose_must_refuse_a_golden_entry_under_every_other_key", async () => {
  for (const name of names) {
    const jws = readFileSync(GOLDEN + name, "utf8");
    for (const [kid, { key }] of keys) {
      if (kid !== header(jws).kid) await refused(() => verifyJws(jws, key));
    }
  }
});

await test("jose_must_refuse_a_flipped_byte_anywhere", async () => {
  const jws = readFileSync(`${GOLDEN}tool.decision.entry`, "utf8");
  const { key } = keys.get(header(jws).kid);
  for (let at = 0; at < jws.length; at += 7) {
    if (jws[at] !== ".") await refused(() => verifyJws(flip(jws, at), key));
  }
});

await test("sd_jwt_must_open_the_golden_frame_with_its_disclosures", async () => {
  const frame = readFileSync(`${GOLDEN}tool.decision.frame`, "utf8");
  const { key } = keys.get(header(frame).kid);
  const { payload } = await sdJwt(key).verify(frame);
  must(payload.email === "ann@example.com", "email");
  must(payload.os_user.uid === 1000, "os_user");
  must(payload.request.input.command === "kubectl get pods", "request");
  must(payload.body.effect === "allow" && payload._sd === undefined, "body");
});

await test("sd_jwt_must_open_the_golden_entry_without_disclosures", async () => {
  const jws = readFileSync(`${GOLDEN}tool.decision.entry`, "utf8");
  const { key } = keys.get(header(jws).kid);
  const { payload } = await sdJwt(key).verify(`${jws}~`);
  must(payload.email === undefined && payload.body.tool === "Bash", "withheld");
});

await test("sd_jwt_must_not_show_a_changed_disclosure", async () => {
  const frame = readFileSync(`${GOLDEN}tool.decision.frame`, "utf8");
  const { key } = keys.get(header(frame).kid);
  const [jws, ...disclosures] = frame.split("~").slice(0, -1);
  const email = disclosures.findIndex((one) => Buffer.from(one, "base64url").includes("ann@example.com"));
  const changed = Buffer.from(disclosures[email], "base64url").toString().replace("ann@", "eve@");
  disclosures[email] = Buffer.from(changed).toString("base64url");
  const text = `${[jws, ...disclosures].join("~")}~`;
  const shown = await sdJwt(key).verify(text).then(({ payload }) => payload.email, () => undefined);
  must(shown === undefined, `shown as ${shown}`);
});

await test("sd_jwt_must_refuse_a_flipped_signature", async () => {
  const frame = readFileSync(`${GOLDEN}tool.decision.frame`, "utf8");
  const { key } = keys.get(header(frame).kid);
  const at = frame.indexOf(".", frame.indexOf(".") + 1) + 10;
  await refused(() => sdJwt(key).verify(flip(frame, at)));
});

const given = process.argv.slice(2);
for (let place = 0; place + 1 < given.length; place += 2) {
  await test(`sd_jwt_must_open_${given[place]}`, async () => {
    const key = await importJWK(JSON.parse(readFileSync(given[place + 1], "utf8")), "Ed25519");
    const lines = readFileSync(given[place], "utf8").split("\n").filter((line) => line !== "");
    must(lines.length > 0, "no frame");
    for (const line of lines) await sdJwt(key).verify(line.includes("~") ? line : `${line}~`);
  });
}

console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed === 0 ? 0 : 1);
