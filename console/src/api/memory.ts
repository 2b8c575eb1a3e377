/**
 * What this browser remembers of the log between visits: the pinned checkpoint and the trust policy.
 *
 * `localStorage` belongs to one web origin, so each server has its own memory.
 */
import { readPin, type Pin } from "../verify/pin";

const PIN_KEY = "cairn.pin";
const TRUST_KEY = "cairn.trust-policy";

/** A remembered trust policy and where it came from. */
export interface Trust {
  text: string;
  /** `served`: taken from the server on the first visit. `given`: entered by the person. */
  source: "served" | "given";
}

/** The pinned checkpoint. */
export function pinned(): Pin | null {
  return readPin(localStorage.getItem(PIN_KEY));
}

/** Remembers a checkpoint, or forgets it. */
export function setPinned(pin: Pin | null): void {
  if (pin) localStorage.setItem(PIN_KEY, JSON.stringify(pin));
  else localStorage.removeItem(PIN_KEY);
}

/** The remembered trust policy. */
export function trusted(): Trust | null {
  try {
    const held = JSON.parse(localStorage.getItem(TRUST_KEY) ?? "null") as Trust | null;
    return held && typeof held.text === "string" ? held : null;
  } catch {
    return null;
  }
}

/** Remembers a trust policy. */
export function setTrusted(trust: Trust): void {
  localStorage.setItem(TRUST_KEY, JSON.stringify(trust));
}

/** The policy to check with: the remembered one; on the first visit, the served one, which is then remembered. */
export function policyFor(served: string): Trust {
  const held = trusted();
  if (held) return held;
  const first: Trust = { text: served, source: "served" };
  setTrusted(first);
  return first;
}
