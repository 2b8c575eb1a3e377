/**
 * The sign-in of this tab: the token, whose it is, and until when.
 *
 * Kept in memory and in `sessionStorage`, which ends with the tab. Nobody but this module touches
 * the token's storage.
 */

const STORAGE_KEY = "cairn.sign-in";

/** Seconds before its end at which a token counts as ended: a request must not outlive it. */
const MARGIN_MS = 5_000;

/** A token and what it stands for. */
export interface SignIn {
  token: string;
  person: string;
  roles: string[];
  expires_ms: number;
}

let current: SignIn | null = restore();
const listeners = new Set<() => void>();

function restore(): SignIn | null {
  try {
    const held = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null") as SignIn | null;
    return held && typeof held.token === "string" && Array.isArray(held.roles) ? held : null;
  } catch {
    return null;
  }
}

/** The sign-in, or `null` when there is none or it ended. */
export function signedIn(): SignIn | null {
  return current && current.expires_ms - MARGIN_MS > Date.now() ? current : null;
}

/** Whether there was a sign-in in this tab that has ended by time. */
export function hasExpired(): boolean {
  return current !== null && signedIn() === null;
}

/** Sets or, with `null`, forgets the sign-in. */
export function setSignIn(next: SignIn | null): void {
  current = next;
  if (next) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(next));
  else sessionStorage.removeItem(STORAGE_KEY);
  listeners.forEach((listener) => listener());
}

/** Marks the sign-in as ended, because the server said so. */
export function expire(): void {
  if (current) setSignIn({ ...current, expires_ms: 0 });
}

/** Calls back on every change; returns how to stop. */
export function onSignIn(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
