/** The policy in force: its rules, gates and MCP lists; and every version before it. */
import { useState } from "react";
import { getJson, rows } from "../api/request";
import type { Bundle, PolicyView, Rule } from "../api/types";
import { EffectMark, Mark } from "../parts/badge";
import { conditionInWords, scopeInWords } from "../parts/condition";
import { Empty, Show, useLoad } from "../parts/load";
import { Tree } from "../parts/tree";
import { count, dateTime, duration, plural, short } from "../parts/words";
import { link } from "../route";

export function PolicyScreen() {
  const load = useLoad("policies", async () => rows(await getJson<PolicyView[]>("/v1/policies"), "policies"));
  return (
    <>
      <h1>Policy</h1>
      <Show of={load}>
        {(versions) => {
          const newest = [...versions].sort((a, b) => b.revision - a.revision)[0];
          if (!newest) return <Empty>No policy is in force. Until there is one, agents under Cairn cannot act.</Empty>;
          return (
            <>
              <InForce policy={newest} />
              <Versions versions={versions} />
            </>
          );
        }}
      </Show>
    </>
  );
}

function InForce({ policy }: { policy: PolicyView }) {
  const { bundle } = policy;
  return (
    <>
      <p className="headline">
        <strong>Version {policy.version}</strong>
        <SignedBy policy={policy} />
        <span>in force since {dateTime(policy.time_ms)}</span>
        <span>active on {plural(policy.active_on, "device")}</span>
        <a href={link("events", policy.index)}>entry {policy.index}</a>
      </p>
      {bundle ? <Content bundle={bundle} /> : <Empty>The server did not send the content of this version.</Empty>}
    </>
  );
}

/** Who put it in force. A delegated key can do so alone, which everybody must be able to see. */
function SignedBy({ policy }: { policy: PolicyView }) {
  if (policy.signed_by === "administrators") return <Mark tone="good">signed by administrators</Mark>;
  return (
    <Mark tone="warn" title={`A delegated key on the server, “${policy.signed_by}”, put it in force without the administrators`}>
      policy by online key
    </Mark>
  );
}

/** The steps of a bundle that names none: `Staleness::default` in `crates/policy`. */
const DEFAULT_AGES = { warn_ms: 600_000, restrict_ms: 86_400_000, refuse_ms: 259_200_000 };

function Content({ bundle }: { bundle: Bundle }) {
  const ages = bundle.staleness ?? DEFAULT_AGES;
  return (
    <>
      <dl className="pairs">
        <dt>Where no rule matches</dt>
        <dd>
          <EffectMark effect={bundle.default} />
        </dd>
        <dt>Mode</dt>
        <dd>{bundle.mode === "monitor" ? "monitor: decisions are recorded, agents are not held to them" : "enforce"}</dd>
        <dt>Posture counts as unknown after</dt>
        <dd>{duration(bundle.max_posture_age_ms)}</dd>
        <dt>When a device cannot record</dt>
        <dd>{bundle.spool_full === "deny" ? "nothing runs" : "work goes on, a gap is recorded"}</dd>
        <dt>Prompts</dt>
        <dd>{bundle.prompts === "text" ? "recorded as confidential text" : "recorded as a salted hash only"}</dd>
        <dt>A device that cannot confirm it</dt>
        <dd>
          says so after {duration(ages.warn_ms)}, lets exceptions and what is allowed to some only lapse after {duration(ages.restrict_ms)},
          allows nothing after {duration(ages.refuse_ms)}
        </dd>
        <dt>A blocked developer asks</dt>
        <dd>{bundle.contact}</dd>
      </dl>
      <Rules rules={bundle.rules} />
      {(bundle.gates ?? []).length > 0 && (
        <section aria-labelledby="gates-title">
          <h2 id="gates-title">Session gates</h2>
          <ul>
            {(bundle.gates ?? []).map((gate) => (
              <li key={gate.id}>
                <code>{gate.id}</code> closed while {conditionInWords(gate.when)}: “{gate.message}” No session starts then; running ones {runningInWords(gate.running)}.
              </li>
            ))}
          </ul>
        </section>
      )}
      <section aria-labelledby="mcp-title">
        <h2 id="mcp-title">MCP servers</h2>
        <p>A server that no entry names may {bundle.mcp.default === "block" ? "not " : ""}run.</p>
        <Tree value={{ allow: bundle.mcp.allow ?? [], deny: bundle.mcp.deny ?? [], managed: bundle.mcp.servers ?? {} }} />
      </section>
    </>
  );
}

/** What becomes of running sessions while a gate is closed. */
function runningInWords(running = "hold"): string {
  switch (running) {
    case "restrict":
      return "may only read files";
    case "hold":
      return "wait until it opens";
    case "end":
      return "are ended";
    default:
      return running;
  }
}

function Rules({ rules }: { rules: Rule[] }) {
  const [words, setWords] = useState("");
  const found = rules.filter((rule) => `${rule.id} ${rule.pattern} ${scopeInWords(rule.scope)} ${rule.effect}`.toLowerCase().includes(words.toLowerCase()));
  return (
    <section aria-labelledby="rules-title">
      <h2 id="rules-title">Rules</h2>
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Find
          <input type="search" value={words} placeholder="pattern, scope, effect or name" onChange={(event) => setWords(event.target.value)} />
        </label>
        <span className="quiet">
          {count(found.length)} of {plural(rules.length, "rule")}
        </span>
      </form>
      {found.length === 0 ? <Empty>{rules.length === 0 ? "There are no rules; the default decides everything." : "No rule fits."}</Empty> : <RuleTable rules={found} />}
    </section>
  );
}

function RuleTable({ rules }: { rules: Rule[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>Effect</th>
            <th>Pattern</th>
            <th>For</th>
            <th>When</th>
            <th>Rule</th>
          </tr>
        </thead>
        <tbody>
          {rules.map((rule) => (
            <tr key={rule.id}>
              <td>
                <EffectMark effect={rule.effect} mode={rule.mode} /> {rule.mandatory && <Mark tone="accent">mandatory</Mark>}
              </td>
              <td>
                <code className="text">{rule.pattern}</code>
              </td>
              <td>{scopeInWords(rule.scope)}</td>
              <td>
                {rule.when ? conditionInWords(rule.when) : <span className="quiet">always</span>}
                {rule.expires_ms !== undefined && `, until ${dateTime(rule.expires_ms)}`}
              </td>
              <td>
                <code>{rule.id}</code> {rule.dialect === "claude" && <Mark tone="plain">imported</Mark>} {rule.note !== undefined && <span className="quiet">{rule.note}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Versions({ versions }: { versions: PolicyView[] }) {
  const sorted = [...versions].sort((a, b) => b.revision - a.revision);
  return (
    <section aria-labelledby="versions-title">
      <h2 id="versions-title">Versions</h2>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th className="number">Version</th>
              <th>Put in force</th>
              <th>By</th>
              <th className="number">Active on</th>
              <th>Bundle</th>
              <th>Entry</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((policy) => (
              <tr key={policy.index}>
                <td className="number">{policy.version}</td>
                <td>{dateTime(policy.time_ms)}</td>
                <td>
                  <SignedBy policy={policy} />
                </td>
                <td className="number">{count(policy.active_on)}</td>
                <td>
                  <code className="id" title={policy.bundle_sha256}>
                    {short(policy.bundle_sha256)}
                  </code>
                </td>
                <td>
                  <a href={link("events", policy.index)}>{policy.index}</a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
