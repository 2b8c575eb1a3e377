/**
 * Requests to the server this page came from, and its problems in plain words.
 *
 * Owns the token header and the reading of problem bodies (RFC 9457).
 */
import { expire, signedIn } from "./signIn";

/** Milliseconds after which an answer is not waited for any longer. */
const TIMEOUT_MS = 20_000;

/** Why a request did not give what was asked. */
export class Problem extends Error {
  constructor(
    readonly title: string,
    readonly detail: string,
    /** HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** Stable code, as in `urn:cairn:problem:<code>`. */
    readonly code: string,
  ) {
    super(detail === "" ? title : `${title}: ${detail}`);
  }
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const token = signedIn()?.token;
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new Problem("The server cannot be reached", "Check the connection and try again.", 0, "unreachable");
  }
  if (response.ok) return response;
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as { type?: string; title?: string; detail?: string };
  const code = (body.type ?? "").replace("urn:cairn:problem:", "");
  if (response.status === 401 && signedIn()) expire();
  return new Problem(body.title ?? `The server answered ${response.status}`, body.detail ?? "", response.status, code);
}

/** Reads JSON. */
export async function getJson<T>(path: string): Promise<T> {
  return (await (await send(path, {})).json()) as T;
}

/** Reads text. */
export async function getText(path: string): Promise<string> {
  return (await send(path, {})).text();
}

/** Posts JSON and reads JSON. */
export async function postJson<T>(path: string, body: unknown): Promise<T> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return (await (await send(path, init)).json()) as T;
}

/** A path with a query of those members that have a value. */
export function withQuery(path: string, query: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** The rows of a list that is answered bare or under one name. */
export function rows<T>(answer: T[] | Record<string, T[]>, name: string): T[] {
  return Array.isArray(answer) ? answer : (answer[name] ?? []);
}
