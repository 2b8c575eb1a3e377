/**
 * The trust policy: which logs and witnesses make a checkpoint believable (C2SP tlog-policy).
 *
 * Owns the text form and the quorum rule. It is not the enforcement policy of the agent.
 */
import { same } from "./bytes";
import { LOG_KEY, parseVerifierKey, WITNESS_KEY, type VerifierKey } from "./key";


/** Longest policy text; a thousand lines of the longest keys fit. */
const MAX_POLICY_LENGTH = 1 << 20;

/** The reserved name that stands for no witness. */
const NONE = "none";

/** A witness and the policy's name for it. */
export interface Witness {
  name: string;
  key: VerifierKey;
}

/** Some witnesses or groups, of which `threshold` are enough. */
export interface Group {
  name: string;
  threshold: number;
  members: string[];
}

/** Everything a trust policy says. `quorum` is `null` when no witness is required. */
export interface TrustPolicy {
  logs: VerifierKey[];
  witnesses: Witness[];
  groups: Group[];
  quorum: string | null;
}

class Refused extends Error {}

/** Reads a trust policy, or says which line is wrong and why. */
export async function parseTrustPolicy(text: string): Promise<TrustPolicy | string> {
  if (text.length > MAX_POLICY_LENGTH) return "the trust policy is too long";
  if (!text.endsWith("\n")) return "the trust policy does not end in a line feed";
  const reader = new Reader();
  for (const [at, line] of text.slice(0, -1).split("\n").entries()) {
    try {
      await reader.line(line);
    } catch (error) {
      if (error instanceof Refused) return `line ${at + 1}: ${error.message}`;
      throw error;
    }
  }
  if (reader.logs.length === 0) return "the trust policy names no log";
  if (reader.quorum === undefined) return "the trust policy has no quorum line";
  const { logs, witnesses, groups, quorum } = reader;
  return { logs, witnesses, groups, quorum: quorum === NONE ? null : quorum };
}

class Reader {
  logs: VerifierKey[] = [];
  witnesses: Witness[] = [];
  groups: Group[] = [];
  quorum: string | undefined;
  private members = new Set<string>();

  async line(line: string): Promise<void> {
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(line)) throw new Refused("control character");
    const [word, ...rest] = line.split(/[ \t]+/).filter((part) => part !== "");
    if (word === undefined || word.startsWith("#")) return;
    if (word === "log") await this.log(rest);
    else if (word === "witness") await this.witness(rest);
    else if (word === "group") this.group(rest);
    else if (word === "quorum") this.setQuorum(rest);
    else throw new Refused(`unknown keyword “${word}”`);
  }

  private async log(words: string[]): Promise<void> {
    const [text] = words;
    if (!text || words.length > 2) throw new Refused("wrong number of words");
    this.logs.push(await key(text, LOG_KEY, this.logs));
  }

  private async witness(words: string[]): Promise<void> {
    const [name, text] = words;
    if (!name || !text || words.length > 3) throw new Refused("wrong number of words");
    this.unused(name);
    const known = this.witnesses.map((witness) => witness.key);
    this.witnesses.push({ name, key: await key(text, WITNESS_KEY, known) });
  }

  private group(words: string[]): void {
    const [name, count, ...members] = words;
    if (!name || !count || members.length === 0) throw new Refused("wrong number of words");
    this.unused(name);
    const threshold = count === "any" ? 1 : count === "all" ? members.length : Number(count);
    const written = count === "any" || count === "all" || /^[1-9][0-9]{0,5}$/.test(count);
    if (!written || threshold > members.length) throw new Refused(`threshold “${count}” is out of range`);
    for (const member of members) {
      if (!this.defined(member)) throw new Refused(`“${member}” is not defined on an earlier line`);
      if (this.members.has(member)) throw new Refused(`“${member}” is already a member of a group`);
      this.members.add(member);
    }
    this.groups.push({ name, threshold, members });
  }

  private setQuorum(words: string[]): void {
    const [name] = words;
    if (!name || words.length !== 1) throw new Refused("wrong number of words");
    if (this.quorum !== undefined) throw new Refused("a quorum is already defined");
    if (name !== NONE && !this.defined(name)) throw new Refused(`“${name}” is not defined on an earlier line`);
    this.quorum = name;
  }

  private defined(name: string): boolean {
    return [...this.witnesses, ...this.groups].some((known) => known.name === name);
  }

  private unused(name: string): void {
    if (name === NONE || this.defined(name)) throw new Refused(`“${name}” is reserved or defined twice`);
  }
}

async function key(text: string, type: number, known: VerifierKey[]): Promise<VerifierKey> {
  const parsed = await parseVerifierKey(text);
  if (typeof parsed === "string") throw new Refused(parsed);
  if (parsed.type !== type) throw new Refused("the key is of the wrong type for its line");
  if (known.some((other) => same(other.key, parsed.key))) throw new Refused("the key is listed twice");
  return parsed;
}

/**
 * Whether these cosigners (by the policy's names) are enough. Parsing guarantees that groups refer
 * to earlier lines only and that no key counts twice.
 */
export function isQuorum(policy: TrustPolicy, cosigners: ReadonlySet<string>): boolean {
  const satisfied = (name: string): boolean => {
    const group = policy.groups.find((candidate) => candidate.name === name);
    if (!group) return cosigners.has(name);
    return group.members.filter(satisfied).length >= group.threshold;
  };
  return policy.quorum === null || satisfied(policy.quorum);
}

/** The quorum rule in words, for example “2 of Wit1, Wit2”. */
export function quorumInWords(policy: TrustPolicy, name: string | null = policy.quorum): string {
  if (name === null) return "no witness is required";
  const group = policy.groups.find((candidate) => candidate.name === name);
  if (!group) return name;
  const members = group.members.map((member) => {
    const inner = quorumInWords(policy, member);
    return inner === member ? member : `(${inner})`;
  });
  return `${group.threshold} of ${members.join(", ")}`;
}

