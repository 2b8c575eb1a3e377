/**
 * The console in a real browser against a real server: signs in by mail, walks every screen, checks
 * the proof ticks, erases a disclosure and checks the proof again.
 *
 * Needs CAIRN_SERVER_URL, CAIRN_EMAIL (an administrator), CAIRN_OUTBOX (the folder where mails land)
 * and a log that holds a session with a decision. CAIRN_CHROMIUM names the browser,
 * CAIRN_SCREENSHOTS a folder for pictures. Prints `N passed, N failed` at the end.
 */
import { mkdirSync } from "node:fs";
import { chromium } from "./browser.mjs";
import { countFailed, countPassed, fail, isTrue, step } from "./steps.mjs";
import { codeFromNewMail, mailsIn } from "./mail.mjs";
import { contradictTheLog, tamper } from "./tampering.mjs";

const env = (name) => {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
};
const server = env("CAIRN_SERVER_URL").replace(/\/$/, "");
const email = env("CAIRN_EMAIL");
const outbox = env("CAIRN_OUTBOX");
const pictures = process.env.CAIRN_SCREENSHOTS;
if (pictures) mkdirSync(pictures, { recursive: true });

/** Milliseconds to wait for anything a page must show. */
const PATIENCE_MS = 15_000;

const browser = await chromium();
const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: "light" });
const page = await context.newPage();
page.setDefaultTimeout(PATIENCE_MS);

// The console must work under the strictest policy, whatever the server of today sends.
const STRICT =
  "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
await page.route(`${server}/`, async (route) => {
  const response = await route.fetch();
  await route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": STRICT } });
});

const complaints = [];
const foreign = [];
page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
page.on("console", (message) => {
  // A refused request is reported by the browser too; the steps that provoke one look at it themselves.
  if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
});
page.on("request", (request) => {
  if (new URL(request.url()).origin !== new URL(server).origin) foreign.push(request.url());
});

async function picture(name) {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
}

async function open(place, heading) {
  await page.goto(`${server}/#/${place}`);
  await page.getByRole("heading", { level: 1, name: heading }).waitFor();
  await page.locator("main:not(:has(p.waiting))").waitFor();
}

/** Every step of the proof on the page, as `id state`. */
async function proofSteps() {
  const steps = page.locator(".proof [data-step]");
  await steps.first().waitFor();
  return steps.evaluateAll((list) => list.map((one) => `${one.dataset.step} ${one.dataset.state}`));
}

async function isProven() {
  const steps = await proofSteps();
  isTrue((await page.locator("[data-proven]").getAttribute("data-proven")) === "true", `not proven: ${steps.join(", ")}`);
  for (const wanted of ["signature", "leaf", "inclusion", "origin", "log", "disclosures"]) {
    isTrue(steps.includes(`${wanted} ok`), `${wanted} is not ok: ${steps.join(", ")}`);
  }
  isTrue(steps.some((one) => /^quorum (ok|note)$/.test(one)), `no quorum: ${steps.join(", ")}`);
}

async function signIn() {
  const before = mailsIn(outbox);
  await page.getByLabel("E-mail address").fill(email);
  await page.keyboard.press("Enter");
  await page.getByLabel("Six digits").waitFor();
  return codeFromNewMail(outbox, before, PATIENCE_MS);
}

await step("a visitor sees the sign-in and nothing else", async () => {
  await page.goto(`${server}/`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  isTrue((await page.locator("nav").count()) === 0, "the navigation is shown without a sign-in");
  const policy = (await page.request.get(`${server}/`)).headers()["content-security-policy"] ?? "";
  const scripts = /script-src ([^;]*)/.exec(policy)?.[1] ?? "";
  isTrue(scripts.includes("'self'") && !/'unsafe-(inline|eval)'|\*|https?:/.test(scripts), `weak content security policy: ${policy}`);
  await picture("01-sign-in");
});

await step("a wrong code is refused in words, the right one signs in", async () => {
  const code = await signIn();
  const wrong = code === "000000" ? "000001" : "000000";
  await page.getByLabel("Six digits").fill(wrong);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await picture("02-wrong-code");
  await page.getByLabel("Six digits").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Screens" }).waitFor();
});

await step("the overview verifies the log and remembers it", async () => {
  await open("overview", "Overview");
  await page.locator('[data-step="log"][data-state="ok"]').waitFor();
  isTrue((await page.locator('[data-step="consistency"][data-state="note"]').count()) === 1, "the first visit is not said to be one");
  await page.reload();
  await page.locator('[data-step="consistency"][data-state="ok"]').waitFor();
  isTrue((await page.locator('[data-state="failed"]').count()) === 0, "a step failed");
  await page.getByText("cairn-audit").first().waitFor();
  await picture("03-overview");
});

await step("a log that contradicts the last visit is called untrustworthy", () => contradictTheLog(page, server));

let event = "";
await step("a session shows its tool calls in order", async () => {
  await open("sessions", "Sessions");
  await picture("04-sessions");
  const sessions = page.locator('tbody a[href^="#/sessions/"]');
  isTrue((await sessions.count()) > 0, "no session is listed");
  // The newest session need not have decided anything yet.
  for (const href of await sessions.evaluateAll((links) => links.map((link) => link.getAttribute("href")))) {
    await page.goto(`${server}/${href}`);
    await page.getByRole("heading", { level: 1, name: "Session" }).waitFor();
    await page.locator("main tbody tr").first().waitFor();
    const decided = page.locator("tbody tr", { has: page.locator(".mark", { hasText: /^(allow|deny|ask|no-opinion)$/ }) });
    if ((await decided.count()) === 0) continue;
    event = (await decided.first().locator('a[href^="#/events/"]').first().textContent()) ?? "";
    break;
  }
  isTrue(event !== "", "no session has a decision");
  const order = (await page.locator("tbody tr td:first-child").allTextContents()).map(Number);
  isTrue(order.every((index, at) => at === 0 || index > order[at - 1]), `not in order: ${order}`);
  await picture("05-session");
});

await step("filters narrow the session and live in the address", async () => {
  const all = await page.locator("tbody tr").count();
  await page.getByLabel("Find").fill("zzz nothing has this name");
  await page.getByText("Nothing in this session fits.").waitFor();
  isTrue(page.url().includes("find="), "the filter is not in the address");
  await page.getByLabel("Find").fill("");
  await page.locator("tbody tr").nth(all - 1).waitFor();
});

await step("the activity can be filtered by verdict", async () => {
  await open("activity", "Activity");
  await page.locator("tbody tr").first().waitFor();
  await page.getByLabel("Verdict").selectOption("deny");
  await page.locator("main:not(:has(p.waiting))").waitFor();
  const marks = await page.locator("tbody td:nth-child(5) .mark").allTextContents();
  isTrue(marks.every((mark) => mark === "deny" || mark === "monitor"), `other verdicts remain: ${marks}`);
  await picture("06-activity");
});

await step("an event is proven step by step in the browser", async () => {
  await open(`events/${event}`, `Entry ${event}`);
  await isProven();
  isTrue((await page.locator('[data-disclosure="present"]').count()) > 0, "no disclosure is shown");
  await page.getByRole("heading", { name: "Decision" }).waitFor();
  await picture("07-event");
});

await step("every tampering on the way fails at its own step", () => tamper(page, server, event, proofSteps));

await step("an administrator erases the disclosures, and the entry stays proven", async () => {
  await open(`events/${event}`, `Entry ${event}`);
  const total = await page.locator("[data-disclosure]").count();
  await page.getByRole("button", { name: "Erase…" }).click();
  isTrue((await page.getByRole("alertdialog").count()) === 0, "erasure went on without a reason");
  await page.getByLabel("Reason").fill("end-to-end test of the console");
  await page.getByRole("button", { name: "Erase…" }).click();
  await page.getByRole("alertdialog").waitFor();
  await picture("08-erasure-confirmation");
  await page.getByRole("button", { name: "Yes, destroy it" }).click();
  await page.locator("[data-erasure]").waitFor();
  await page.locator('[data-disclosure="present"]').first().waitFor({ state: "detached" });
  isTrue((await page.locator('[data-disclosure="erased"]').count()) === total, "not every disclosure is erased");
  await isProven();
  await picture("09-event-after-erasure");
});

await step("the erasure is an entry of its own, proven like any other", async () => {
  await page.getByRole("link", { name: /^entry \d+$/ }).first().click();
  await page.getByText("end-to-end test of the console").first().waitFor();
  await page.locator('[data-proven="true"]').waitFor();
  await picture("10-erasure-entry");
});

for (const [place, heading] of [["devices", "Devices"], ["people", "People and teams"], ["mcp", "MCP servers"], ["policy", "Policy"]]) {
  await step(`the screen “${heading}” shows what there is`, async () => {
    await open(place, heading);
    isTrue((await page.getByRole("alert").count()) === 0, "the screen shows a problem");
    isTrue((await page.locator("main tbody tr, main .empty").count()) > 0, "the screen is blank");
    await picture(`11-${place}`);
  });
}

await step("an unknown entry and an unknown place are said to be so", async () => {
  await page.goto(`${server}/#/events/999999999`);
  await page.getByRole("alert").waitFor();
  await picture("12-unknown-entry");
  await open("nowhere", "Nothing here");
});

await step("the keyboard reaches everything that the mouse does", async () => {
  await open("sessions", "Sessions");
  await page.evaluate(() => document.activeElement?.blur());
  const reached = new Set();
  for (let press = 0; press < 40; press++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.getAttribute("placeholder")));
  }
  for (const name of ["Skip to the content", "Overview", "Policy", "Sign out", "person, device, agent or session"]) {
    isTrue(reached.has(name), `Tab does not reach “${name}”`);
  }
});

await step("dark colours and a narrow window work", async () => {
  await page.emulateMedia({ colorScheme: "dark" });
  await open(`events/${event}`, `Entry ${event}`);
  await proofSteps();
  await picture("13-dark-event");
  await open("overview", "Overview");
  await picture("14-dark-overview");
  await page.setViewportSize({ width: 400, height: 800 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  isTrue(wide <= 0, `the page is ${wide} pixels wider than the window`);
  await picture("15-narrow");
  await page.setViewportSize({ width: 1360, height: 860 });
});

await step("an ended sign-in asks for a new one and forgets the old", async () => {
  await page.evaluate(() => {
    const held = JSON.parse(sessionStorage.getItem("cairn.sign-in") ?? "{}");
    sessionStorage.setItem("cairn.sign-in", JSON.stringify({ ...held, expires_ms: 1 }));
  });
  await page.reload();
  await page.getByText("Your sign-in has ended").waitFor();
  await picture("16-ended");
  const code = await signIn();
  await page.getByLabel("Six digits").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  isTrue((await page.evaluate(() => sessionStorage.length)) === 0, "the token is still stored");
});

await step("nothing was fetched from elsewhere, refused by the security policy, or thrown", async () => {
  if (foreign.length > 0) fail(`requests to other hosts: ${foreign.join(", ")}`);
  if (complaints.length > 0) fail(complaints.join("\n"));
});

await browser.close();
console.log(`${countPassed()} passed, ${countFailed()} failed`);
process.exit(countFailed() === 0 ? 0 : 1);
