/** Times, lengths and identifiers as people read them. */

/** Date and time of this browser's clock and zone. */
export function dateTime(ms: number): string {
  return new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Time of day with milliseconds. */
export function timeOfDay(ms: number): string {
  const date = new Date(ms);
  return `${date.toLocaleTimeString(undefined, { hour12: false })}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** A length of time in its largest fitting unit. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} days`;
}

/** How long ago, by this browser's clock. */
export function ago(ms: number): string {
  const elapsed = Date.now() - ms;
  return elapsed < 0 ? "just now" : `${duration(elapsed)} ago`;
}

/** An identifier short enough for a table. */
export function short(id: string): string {
  return id.length > 16 ? `${id.slice(0, 10)}…${id.slice(-4)}` : id;
}

/** A number with separators. */
export function count(value: number): string {
  return value.toLocaleString();
}

/** `one thing`, `two things`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
