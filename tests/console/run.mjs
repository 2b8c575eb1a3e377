/**
 * The console's end-to-end suite from nothing: makes an organisation of the real programs, then
 * runs `e2e.mjs` against it. Needs CAIRN_PROGRAMS, the folder of the built programs.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "./browser.mjs";
import { end, found } from "./organisation.mjs";

const programs = process.env.CAIRN_PROGRAMS;
if (!programs) {
  console.error("CAIRN_PROGRAMS is not set");
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "cairn-console-"));
let code = 1;
try {
  const browser = await chromium();
  const { server, email, outbox } = await found(folder, programs, browser);
  await browser.close();
  const env = { ...process.env, CAIRN_SERVER_URL: server, CAIRN_EMAIL: email, CAIRN_OUTBOX: outbox };
  const suite = fileURLToPath(new URL("e2e.mjs", import.meta.url));
  const child = spawn(process.execPath, [suite], { env, stdio: "inherit" });
  code = await new Promise((resolve) => child.once("exit", (status) => resolve(status ?? 1)));
} catch (error) {
  console.log(`FAILED  the organisation could not be made\n        ${error.stack}\n0 passed, 1 failed`);
} finally {
  await end();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);
