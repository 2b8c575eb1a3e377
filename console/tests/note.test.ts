/** Keys, notes, policies and receipts: the vectors pass, every change of them is refused by name. */
import { describe, expect, it } from "vitest";
import { fromBase64, fromBase64url, fromDecimal, toBase64, toBase64url } from "../src/verify/bytes";
import { isSmallOrder } from "../src/verify/ed25519";
import { parseVerifierKey } from "../src/verify/key";
import { parseCheckpoint, parseNote, verifyNote } from "../src/verify/note";
import { parseReceipt } from "../src/verify/receipt";
import { isQuorum, parseTrustPolicy, quorumInWords } from "../src/verify/trustPolicy";
import { CHECKPOINT, LOG_KEY, POLICY, RECEIPT, WIT1, WIT2 } from "./vectors";

describe("encodings", () => {
  it("reads each value from one text only", () => {
    expect(fromBase64("AAE=")).toEqual(new Uint8Array([0, 1]));
    for (const bad of ["AAF=", "AAE", "AAE==", "AA E=", "AAE-", "A", "="]) expect(fromBase64(bad)).toBeNull();
    expect(fromBase64url("-_8")).toEqual(new Uint8Array([251, 255]));
    for (const bad of ["-_9", "-_8=", "+/8", "A"]) expect(fromBase64url(bad)).toBeNull();
    for (const good of ["0", "7", "9223372036854775807"]) expect(fromDecimal(good)?.toString()).toBe(good);
    for (const bad of ["", "00", "01", "-1", "1e3", "9223372036854775808"]) expect(fromDecimal(bad)).toBeNull();
  });

  it("writes what it reads, at every length", () => {
    for (let length = 0; length < 40; length++) {
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 37 + length) & 255);
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      expect(fromBase64url(toBase64url(bytes))).toEqual(bytes);
      expect(toBase64(bytes)).toBe(btoa(String.fromCharCode(...bytes)));
    }
  });
});

describe("verifier keys", () => {
  it("accepts the vectors and refuses a wrong id, type, length and weak key", async () => {
    expect(await parseVerifierKey(LOG_KEY)).toMatchObject({ name: "example.com/log/testdata", id: "33d7b496", type: 1 });
    expect(await parseVerifierKey(WIT1.replace("9b3fb2d5", "9b3fb2d6"))).toContain("id is 9b3fb2d6, name and key give 9b3fb2d5");
    expect(await parseVerifierKey(WIT1.replace("Wit1", "Wit3"))).toContain("name and key give");
    expect(await parseVerifierKey("Wit1+9b3fb2d5+Bg==")).toContain("type 6 is not supported");
    expect(await parseVerifierKey("Wit1+9b3fb2d5+BAAA")).toContain("2 bytes, not 32");
    expect(await parseVerifierKey("Wit1+9b3fb2d5")).toContain("parts");
    expect(await parseVerifierKey(`Wit1+9b3fb2d5+BAEA${"A".repeat(40)}`)).toContain("small order");
  });

  it("knows the points of small order with either sign", () => {
    const identity = new Uint8Array(32).fill(0, 1);
    identity[0] = 1;
    expect(isSmallOrder(identity)).toBe(true);
    identity[31] = 0x80;
    expect(isSmallOrder(identity)).toBe(true);
    identity[0] = 9;
    expect(isSmallOrder(identity)).toBe(false);
  });
});

describe("notes", () => {
  const note = (text = CHECKPOINT) => {
    const parsed = parseNote(text);
    if (typeof parsed === "string") throw new Error(parsed);
    return parsed;
  };
  const key = async (text: string) => {
    const parsed = await parseVerifierKey(text);
    if (typeof parsed === "string") throw new Error(parsed);
    return parsed;
  };

  it("verifies the log and both witnesses with their times", async () => {
    expect(await verifyNote(note(), await key(LOG_KEY))).toEqual({ state: "valid", time: null });
    expect(await verifyNote(note(), await key(WIT1))).toEqual({ state: "valid", time: 1700000000n });
    expect(await verifyNote(note(), await key(WIT2))).toEqual({ state: "valid", time: 1700000001n });
  });

  it("refuses a changed text, a moved time and a signature of another key", async () => {
    const changed = note(CHECKPOINT.replace("\n15\n", "\n16\n"));
    expect(await verifyNote(changed, await key(LOG_KEY))).toMatchObject({ state: "invalid" });
    expect(await verifyNote(changed, await key(WIT1))).toMatchObject({ state: "invalid" });
    const later = note(CHECKPOINT.replace("mz+y1QAAAABlU/EA", "mz+y1QAAAABlU/EB"));
    expect(await verifyNote(later, await key(WIT1))).toMatchObject({ state: "invalid" });
    const unsigned = note(CHECKPOINT.replace(/— Wit1.*\n/, ""));
    expect(await verifyNote(unsigned, await key(WIT1))).toEqual({ state: "absent" });
  });

  it("lets one bad line of a known key spoil a good one", async () => {
    const line = /— Wit1 .*\n/.exec(CHECKPOINT)?.[0] ?? "";
    const doubled = note(CHECKPOINT + line.replace("YEDMPd8", "ZEDMPd8"));
    expect(await verifyNote(doubled, await key(WIT1))).toMatchObject({ state: "invalid" });
  });

  it("refuses what is not a note or a checkpoint", () => {
    expect(parseNote("text\n")).toContain("no signatures");
    expect(parseNote("text\n\n- a AAAAAAA=\n")).toContain("malformed");
    expect(parseNote(CHECKPOINT.replace("15\n", "15\r\n"))).toContain("control character");
    for (const bad of ["a\n1\n", "a\n01\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n", "a\n1\nAAAA\n", "a\n1\nx\ny\n", "a b\n1\nAAAA\n"]) {
      expect(typeof parseCheckpoint(bad)).toBe("string");
    }
  });
});

describe("trust policies", () => {
  const read = async (text: string) => {
    const policy = await parseTrustPolicy(text);
    if (typeof policy === "string") throw new Error(policy);
    return policy;
  };

  it("counts the quorum", async () => {
    const both = await read(POLICY);
    expect(quorumInWords(both)).toBe("2 of w1, w2");
    expect(isQuorum(both, new Set(["w1"]))).toBe(false);
    expect(isQuorum(both, new Set(["w1", "w2"]))).toBe(true);
    const any = await read(POLICY.replace("both all", "both any"));
    expect(isQuorum(any, new Set(["w2"]))).toBe(true);
    expect(isQuorum(any, new Set(["stranger"]))).toBe(false);
    const nested = await read(POLICY.replace("quorum both", "group top 1 both\nquorum top"));
    expect(isQuorum(nested, new Set(["w1"]))).toBe(false);
    expect(quorumInWords(nested)).toBe("1 of (2 of w1, w2)");
  });

  it("refuses bad lines by number", async () => {
    const cases: [string, string][] = [
      [POLICY.replace("quorum both\n", ""), "no quorum line"],
      [POLICY.replace(`log ${LOG_KEY}\n`, ""), "names no log"],
      [POLICY.slice(0, -1), "line feed"],
      [POLICY.replace("all w1", "all w9 w1"), "line 4: “w9” is not defined"],
      [POLICY.replace("all w1 w2", "3 w1 w2"), "line 4: threshold"],
      [POLICY.replace("all w1 w2", "all w1 w1"), "line 4: “w1” is already a member"],
      [POLICY.replace(`w2 ${WIT2}`, `w2 ${WIT1}`), "line 3: the key is listed twice"],
      [POLICY.replace(`w2 ${WIT2}`, `w1 ${WIT2}`), "line 3: “w1” is reserved or defined twice"],
      [POLICY.replace(`w1 ${WIT1}`, `w1 ${LOG_KEY}`), "line 2: the key is of the wrong type"],
      [`${POLICY}quorum both\n`, "line 6: a quorum is already defined"],
      [`${POLICY}frob\n`, "line 6: unknown keyword"],
    ];
    for (const [text, reason] of cases) expect(await parseTrustPolicy(text)).toContain(reason);
  });
});

describe("receipts", () => {
  it("takes the vector apart", () => {
    expect(parseReceipt(RECEIPT)).toMatchObject({ index: 7n, checkpoint: CHECKPOINT });
    expect(parseReceipt(RECEIPT.replace("index", "extra AAAA\nindex"))).toMatchObject({ index: 7n });
  });

  it("refuses other forms", () => {
    expect(parseReceipt(RECEIPT.replace("@v1", "@v2"))).toContain("does not begin");
    expect(parseReceipt(RECEIPT.replace("index 7", "index 07"))).toContain("no index");
    expect(parseReceipt(RECEIPT.replace("2Q0P5j", "2Q0P5"))).toContain("proof line 1");
    expect(parseReceipt(RECEIPT.slice(0, RECEIPT.indexOf("\n\n")))).toContain("no checkpoint");
  });
});
