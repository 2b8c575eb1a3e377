/** The place in the console, kept in the address after `#`, so that it can be linked and reloaded. */
import { useSyncExternalStore } from "react";

/** A place: path segments and filters. */
export interface Route {
  segments: string[];
  query: URLSearchParams;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

/** Reads a place from an address fragment. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const segments = path.split("/").filter((segment) => segment !== "");
  return { segments: segments.map(decodeSegment), query: new URLSearchParams(query) };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The current place; renders again when it changes. */
export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}

/** The link to a place. */
export function link(...segments: (string | number)[]): string {
  return `#/${segments.map((segment) => encodeURIComponent(segment)).join("/")}`;
}

/** Changes filters in place, without a new step in the history. */
export function setFilters(route: Route, change: Record<string, string>): void {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(change)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  window.location.replace(link(...route.segments) + (text === "" ? "" : `?${text}`));
}
