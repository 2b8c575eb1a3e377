/** The lines of a session: decisions with their outcomes, everything else by itself. */
import type { EventSummary } from "../api/types";

/** One line: an event, and the outcome that belongs to it where it is a decision. */
export interface Line {
  event: EventSummary;
  outcome?: EventSummary;
}

/** Puts each outcome on the line of its decision; an outcome without one keeps a line of its own. */
export function joined(events: EventSummary[]): Line[] {
  const lines: Line[] = [];
  const open = new Map<string, Line>();
  for (const event of events) {
    const decided = event.type === "tool.outcome" && event.use_id !== undefined ? open.get(event.use_id) : undefined;
    if (decided && !decided.outcome) {
      decided.outcome = event;
      continue;
    }
    const line: Line = { event };
    lines.push(line);
    if (event.type === "tool.decision" && event.use_id !== undefined) open.set(event.use_id, line);
  }
  return lines;
}
