/** Small marks that carry one word each: effects, outcomes, states. The word is always there, never only a colour. */
import type { ReactNode } from "react";
import type { Effect, EventSummary, RuleRef } from "../api/types";

/** Tones that a mark can have. */
export type Tone = "good" | "bad" | "warn" | "plain" | "accent";

export function Mark({ tone, title, children }: { tone: Tone; title?: string; children: ReactNode }) {
  return (
    <span className={`mark ${tone}`} title={title}>
      {children}
    </span>
  );
}

const EFFECTS: Record<Effect, [Tone, string]> = {
  allow: ["good", "Allowed by Cairn"],
  deny: ["bad", "Denied by Cairn"],
  ask: ["warn", "A person was asked"],
  "no-opinion": ["plain", "Cairn had no opinion; the agent's own permission flow decided"],
};

/** The verdict; struck through by words where it was only recorded. */
export function EffectMark({ effect, mode }: { effect: Effect; mode?: string | undefined }) {
  const [tone, title] = EFFECTS[effect] ?? ["plain", effect];
  return (
    <>
      <Mark tone={tone} title={title}>
        {effect}
      </Mark>
      {mode === "monitor" && (
        <Mark tone="plain" title="Computed and recorded; the agent was not held to it">
          monitor
        </Mark>
      )}
    </>
  );
}

/** The rule that decided. */
export function RuleName({ rule }: { rule: RuleRef }) {
  return (
    <span className="rule" title={`${rule.effect}, rank ${rule.rank}`}>
      <code>{rule.id}</code> <span className="quiet">{rule.rank}</span>
    </span>
  );
}

/** What became of an action. */
export function OutcomeMark({ outcome }: { outcome: EventSummary["outcome"] }) {
  if (!outcome) return <span className="quiet">–</span>;
  const tone: Tone = outcome === "ran" ? "plain" : "warn";
  return <Mark tone={tone}>{outcome}</Mark>;
}

/** What auditors must be told about an event. */
export function Flags({ flags }: { flags: string[] | undefined }) {
  return (flags ?? []).map((flag) => (
    <Mark key={flag} tone="warn">
      {flag}
    </Mark>
  ));
}

/** A person or device by its readable name where the caller may see it, else by its identifier. */
export function Name({ text, id }: { text?: string | undefined; id?: string | undefined }) {
  if (text !== undefined) return <span title={id}>{text}</span>;
  if (id === undefined) return <span className="quiet">–</span>;
  return (
    <code className="id" title={id}>
      {id.length > 16 ? `${id.slice(0, 10)}…` : id}
    </code>
  );
}
