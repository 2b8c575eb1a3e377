/** What the screens compute before they draw: joined outcomes, filters in the address, rules in words. */
import { describe, expect, it } from "vitest";
import { rows, withQuery } from "../src/api/request";
import type { EventSummary } from "../src/api/types";
import { conditionInWords, scopeInWords } from "../src/parts/condition";
import { duration } from "../src/parts/words";
import { parseRoute } from "../src/route";
import { joined } from "../src/screens/lines";

const event = (index: number, type: string, use_id?: string): EventSummary => ({ index, type, time_ms: index, ...(use_id ? { use_id } : {}) });

describe("the lines of a session", () => {
  it("put an outcome on its decision's line and leave one without a decision alone", () => {
    const lines = joined([
      event(1, "session.start"),
      event(2, "tool.decision", "a"),
      event(3, "tool.decision", "b"),
      event(4, "tool.outcome", "b"),
      event(5, "tool.outcome", "ghost"),
      event(6, "tool.outcome", "b"),
    ]);
    expect(lines.map(({ event, outcome }) => [event.index, outcome?.index])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, 4],
      [5, undefined],
      [6, undefined],
    ]);
  });
});

describe("the address", () => {
  it("is read with odd segments and without", () => {
    expect(parseRoute("").segments).toEqual([]);
    expect(parseRoute("#/sessions/a%2Fb?effect=deny").segments).toEqual(["sessions", "a/b"]);
    expect(parseRoute("#/sessions/%zz").segments).toEqual(["sessions", "%zz"]);
    expect(parseRoute("#/sessions?effect=deny").query.get("effect")).toBe("deny");
  });
});

describe("requests", () => {
  it("leave out filters without a value", () => {
    expect(withQuery("/v1/events", { effect: "", before: undefined, limit: 5, tool: "a b" })).toBe("/v1/events?limit=5&tool=a+b");
    expect(withQuery("/v1/events", {})).toBe("/v1/events");
  });

  it("read lists bare or named", () => {
    expect(rows([1, 2], "devices")).toEqual([1, 2]);
    expect(rows({ devices: [3] }, "devices")).toEqual([3]);
    expect(rows({ other: [3] }, "devices")).toEqual([]);
  });
});

describe("words", () => {
  it("say conditions so that the brackets cannot be misread", () => {
    const disk = { posture: "disk_encryption", is: "on" };
    const boot = { posture: "secure_boot", is: "off" };
    expect(conditionInWords({ all: [disk, { any: [boot, disk] }] })).toBe("disk encryption is on and (secure boot is off or disk encryption is on)");
    expect(conditionInWords({ not: disk })).toBe("not (disk encryption is on)");
    expect([conditionInWords({ all: [] }), conditionInWords({ any: [] })]).toEqual(["always", "never"]);
    expect(scopeInWords({ global: true })).toBe("everybody");
    expect(scopeInWords({ team: "infrastructure" })).toBe("team infrastructure");
  });

  it("say lengths of time in one unit", () => {
    expect([0, 999, 1_000, 59_000, 60_000, 3_600_000, 172_800_000].map(duration)).toEqual(["0 ms", "999 ms", "1.0 s", "59 s", "1 min", "1 h", "2 days"]);
  });
});
