/** Changes answers on their way to the browser; the console must notice each at the right step. */
import { isTrue } from "./steps.mjs";

const other = (letter) => (letter === "A" ? "B" : "A");

/** Replaces the first letter after a prefix by another one of the same alphabet. */
function changeAfter(text, at) {
  return text.slice(0, at) + other(text[at]) + text.slice(at + 1);
}

/** What is changed in an event, and the step that must fail. */
const CHANGES = [
  ["the payload", "signature", (event) => ({ ...event, entry: changeAfter(event.entry, event.entry.indexOf(".") + 40) })],
  ["the signature", "signature", (event) => ({ ...event, entry: changeAfter(event.entry, event.entry.lastIndexOf(".") + 10) })],
  ["the leaf hash", "leaf", (event) => ({ ...event, leaf: "00".repeat(32) })],
  ["the place in the log", "inclusion", (event) => ({ ...event, receipt: event.receipt.replace(/index \d+/, (line) => `${line}0`) })],
  ["the tree size", "log", (event) => ({ ...event, receipt: event.receipt.replace(/\n\n([^\n]+)\n(\d+)\n/, "\n\n$1\n$20\n") })],
  ["a disclosure", "disclosures", (event) => ({ ...event, disclosures: event.disclosures.map((one, at) => (at === 0 && one.encoded ? { ...one, encoded: changeAfter(one.encoded, 8) } : one)) })],
  ["a missing disclosure", "disclosures", (event) => ({ ...event, disclosures: event.disclosures.slice(1) })],
];

/** Opens the event once per change and looks at its steps. */
export async function tamper(page, server, index, proofSteps) {
  const address = `${server}/v1/events/${index}`;
  for (const [what, step, change] of CHANGES) {
    await page.route(address, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: change(await response.json()) });
    });
    await page.goto(`${server}/#/overview`);
    await page.goto(`${server}/#/events/${index}`);
    const steps = await proofSteps();
    isTrue(steps.includes(`${step} failed`), `with ${what} changed: ${steps.join(", ")}`);
    isTrue((await page.locator('[data-proven="false"]').count()) === 1, `with ${what} changed the event still counts as proven`);
    await page.unroute(address);
  }
  await page.goto(`${server}/#/overview`);
}

/** Gives the browser a memory that the log contradicts: a longer tree, then another root. */
export async function contradictTheLog(page, server) {
  const remembered = await page.evaluate(() => localStorage.getItem("cairn.pin"));
  const pin = JSON.parse(remembered);
  const memories = [
    ["shrank", { ...pin, size: String(Number(pin.size) + 1_000_000) }],
    ["different trees", { ...pin, root: `${other(pin.root[0])}${pin.root.slice(1)}` }],
  ];
  for (const [word, memory] of memories) {
    // The second memory contradicts only a checkpoint of the very same size, so that one is served.
    const note = await (await page.request.get(`${server}/v1/checkpoints/${pin.size}`)).text();
    await page.route(`${server}/checkpoint`, (route) => route.fulfill({ contentType: "text/plain; charset=utf-8", body: note }));
    await page.evaluate((text) => localStorage.setItem("cairn.pin", text), JSON.stringify(memory));
    await page.reload();
    const step = page.locator('[data-step="consistency"][data-state="failed"]');
    await step.waitFor();
    isTrue(((await step.textContent()) ?? "").includes(word), `the reason is not “${word}”: ${await step.textContent()}`);
    isTrue((await page.getByRole("alert").count()) > 0, "nobody is alarmed");
    const kept = await page.evaluate(() => localStorage.getItem("cairn.pin"));
    isTrue(kept === JSON.stringify(memory), "the memory was replaced by what contradicts it");
    await page.unroute(`${server}/checkpoint`);
  }
  await page.evaluate((text) => localStorage.setItem("cairn.pin", text), remembered);
  await page.reload();
  await page.locator('[data-step="consistency"][data-state="ok"]').waitFor();
}
