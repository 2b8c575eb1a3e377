/** Conditions and scopes of rules in words. */
import type { Condition, Scope } from "../api/types";

/** A condition as a sentence part; groups are bracketed. */
export function conditionInWords(condition: Condition): string {
  if ("posture" in condition) return `${condition.posture.replaceAll("_", " ")} is ${condition.is}`;
  if ("not" in condition) return `not (${conditionInWords(condition.not)})`;
  const [word, inner] = "all" in condition ? ["and", condition.all] : ["or", condition.any];
  const parts = inner.map((part) => ("posture" in part ? conditionInWords(part) : `(${conditionInWords(part)})`));
  return parts.length === 0 ? (word === "and" ? "always" : "never") : parts.join(` ${word} `);
}

/** Whom a rule is for. */
export function scopeInWords(scope: Scope): string {
  if ("team" in scope) return `team ${scope.team}`;
  if ("role" in scope) return `role ${scope.role}`;
  if ("person" in scope) return `person ${scope.person.slice(0, 10)}`;
  return "everybody";
}
