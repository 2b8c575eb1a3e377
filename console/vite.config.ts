/**
 * How the console is built: hashed assets in `dist/assets`, nothing inline, so that the pages work
 * under `default-src 'self'` without any exception.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    // A small asset turned into a `data:` address would be refused by the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    target: "es2022",
  },
  // For work on the console: requests go on to a server that runs at this address.
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/checkpoint", "/tile", "/healthz"].map((path) => [
        path,
        "http://127.0.0.1:8080",
      ]),
    ),
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
