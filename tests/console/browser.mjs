/** The headless browser that drives the console. */
import { createRequire } from "node:module";

// The one package of this suite is among the console's, so that there is one lock file.
const require = createRequire(new URL("../../console/package.json", import.meta.url));
const playwright = require("playwright-core");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Chromium from `CAIRN_CHROMIUM` or where Debian puts it. */
export function chromium() {
  const executablePath = process.env.CAIRN_CHROMIUM || "/usr/bin/chromium";
  return playwright.chromium.launch({ executablePath, args: FLAGS });
}
