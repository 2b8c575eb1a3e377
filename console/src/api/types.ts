/** What the server answers, as the `cairn-api` crate defines it. Owns shapes only. */
import type { Json, JsonObject, PublicKey } from "../verify/entry";
import type { OfferedDisclosure } from "../verify/eventProof";

/** The verdict on an action. */
export type Effect = "allow" | "deny" | "ask" | "no-opinion";

/** A rule as a decision names it. */
export interface RuleRef {
  effect: Effect;
  id: string;
  rank: string;
}

/** One event in a list. */
export interface EventSummary {
  index: number;
  type: string;
  time_ms: number;
  device?: string;
  person?: string;
  email?: string;
  session?: string;
  seq?: number;
  tool?: string;
  use_id?: string;
  effect?: Effect;
  mode?: "enforce" | "monitor";
  rule?: RuleRef;
  outcome?: "ran" | "failed" | "interrupted";
  summary?: string;
  flags?: string[];
}

export interface Events {
  events: EventSummary[];
  next?: number;
}

/** One agent session in a list. */
export interface SessionSummary {
  session: string;
  device: string;
  person: string;
  email?: string;
  agent: string;
  started_ms: number;
  last_ms: number;
  last_index: number;
  decisions: number;
  denied: number;
  unverdicted: number;
  ended: boolean;
}

export interface Sessions {
  sessions: SessionSummary[];
  next?: number;
}

export interface SessionDetail extends SessionSummary {
  events: EventSummary[];
}

/** One disclosure of an event. */
export interface DisclosureView extends OfferedDisclosure {
  name?: string;
  value?: Json;
}

/** One event in full. */
export interface EventDetail {
  index: number;
  leaf: string;
  entry: string;
  payload: JsonObject;
  key: PublicKey;
  disclosures: DisclosureView[];
  receipt?: string;
  trust_policy: string;
  witnessed_at: { witness: string; time: number }[];
  summary: EventSummary;
}

export interface ErasureAnswer {
  erasure_index: number;
  digests: string[];
}

/** One posture field: its value and how well it is known. */
export interface PostureValue {
  age_ms: number;
  evidence: number;
  source: string;
  value: string;
}

export type Posture = Record<string, PostureValue>;

export interface DeviceView {
  device: string;
  person: string;
  email?: string;
  host?: string;
  protection: string;
  isolation: string;
  admitted_at: number;
  revoked_at?: number;
  last_seen_ms?: number;
  posture?: Posture;
  policy_version?: number;
  policy_acknowledged_at?: number;
  policy_acknowledged_ms?: number;
  policy_age_ms?: number;
  gaps: number;
}

export interface PersonView {
  person: string;
  email?: string;
  roles: string[];
  teams: string[];
  removed: boolean;
}

export interface TeamView {
  team: string;
  name?: string;
  people?: string[];
}

export interface McpView {
  name: string;
  fingerprint: string;
  transport: string;
  effect: Effect;
  sources: string[];
  devices: string[];
  first_seen_ms: number;
  last_seen_ms: number;
  first_index: number;
}

export interface PolicyView {
  index: number;
  revision: number;
  version: number;
  bundle_sha256: string;
  time_ms: number;
  signed_by: string;
  bundle?: Bundle;
  active_on: number;
}

/** Whom a rule is for. */
export type Scope = { global: true } | { team: string } | { role: string } | { person: string };

/** When a rule applies. */
export type Condition =
  | { posture: string; is: string }
  | { not: Condition }
  | { all: Condition[] }
  | { any: Condition[] };

export interface Rule {
  id: string;
  effect: Effect;
  pattern: string;
  scope: Scope;
  when?: Condition;
  mandatory?: boolean;
  dialect: string;
  mode?: string;
  expires_ms?: number;
  note?: string;
}

/** The policy bundle in force. */
export interface Bundle {
  version: number;
  created_ms: number;
  default: Effect;
  mode: string;
  max_posture_age_ms: number;
  spool_full: string;
  prompts: string;
  contact: string;
  staleness?: { warn_ms: number; restrict_ms: number; refuse_ms: number };
  rules: Rule[];
  mcp: { default: string; allow?: JsonObject[]; deny?: JsonObject[]; servers?: JsonObject };
  gates?: { id: string; when: Condition; message: string; running?: "restrict" | "hold" | "end" }[];
}

export interface Overview {
  organisation: string;
  origin: string;
  genesis: string;
  published_size: number;
  checkpoint_age_ms: number;
  devices: number;
  devices_active: number;
  people: number;
  sessions: number;
  allowed: number;
  denied: number;
  asked: number;
  no_opinion: number;
  policy_version?: number;
  policy_by_online_key: boolean;
  gaps: number;
  forks: number;
}

export interface Me {
  person: string;
  email?: string;
  roles: string[];
  teams: string[];
  organisation: string;
  origin: string;
}
