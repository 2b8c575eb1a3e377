/** The fleet and the log at a glance, and whether the log kept its word since the last visit. */
import { useEffect, useState, type ReactNode } from "react";
import { getJson, getText, withQuery } from "../api/request";
import { pinned, policyFor, setPinned } from "../api/memory";
import type { Overview } from "../api/types";
import { Mark } from "../parts/badge";
import { Show, useLoad } from "../parts/load";
import { Caveat, Steps } from "../parts/steps";
import { TrustPanel } from "../parts/trust";
import { count, duration } from "../parts/words";
import { link } from "../route";
import { visit, type Visit } from "../verify/pin";

/** How often the figures are fetched again. */
const REFRESH_MS = 10_000;

/** A checkpoint older than this deserves a look: the log publishes every second or so when entries come. */
const OLD_CHECKPOINT_MS = 120_000;

export function OverviewScreen() {
  const overview = useLoad("overview", () => getJson<Overview>("/v1/overview"));
  const [round, setRound] = useState(0);
  const check = useLoad(`visit ${round}`, checkVisit);
  useEffect(() => {
    const timer = window.setInterval(overview.reload, REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [overview.reload]);
  return (
    <>
      <h1>Overview</h1>
      <Show of={overview}>{(value) => <Figures value={value} />}</Show>
      <section aria-labelledby="log-title">
        <h2 id="log-title">The log, checked in this browser</h2>
        <Show of={check}>{(result) => <Newest result={result} />}</Show>
        <Show of={check}>{(result) => <TrustPanel served={result.served} onChange={() => setRound(round + 1)} />}</Show>
        <Caveat />
      </section>
    </>
  );
}

type Checked = Visit & { served: string };

async function checkVisit(): Promise<Checked> {
  const [note, served] = await Promise.all([getText("/checkpoint"), getText("/v1/trust-policy")]);
  const ask = async (from: bigint, to: bigint) => {
    const path = withQuery("/v1/consistency", { from: from.toString(), to: to.toString() });
    return (await getJson<{ proof: string[] }>(path)).proof;
  };
  const result = await visit(note, policyFor(served).text, pinned(), ask, Date.now());
  setPinned(result.pin);
  return { ...result, served };
}

function Newest({ result }: { result: Checked }) {
  const failed = result.steps.some((step) => step.state === "failed");
  return (
    <>
      {failed && (
        <p className="notice bad" role="alert">
          <strong>This log must not be trusted as it is.</strong> Read which step failed, keep this page, and run{" "}
          <code>cairn-audit</code> from a source of your own.
        </p>
      )}
      <Steps steps={result.steps} />
    </>
  );
}

function Figures({ value }: { value: Overview }) {
  const old = value.checkpoint_age_ms > OLD_CHECKPOINT_MS;
  return (
    <>
      <dl className="figures">
        <Figure name="Devices" note={`${count(value.devices_active)} seen in the last day`} to="devices">
          {count(value.devices)}
        </Figure>
        <Figure name="People" to="people">
          {count(value.people)}
        </Figure>
        <Figure name="Sessions" to="sessions">
          {count(value.sessions)}
        </Figure>
        <Figure name="Policy version" note={value.policy_by_online_key ? "policy by online key" : "signed by administrators"} to="policy">
          {value.policy_version === undefined ? "none" : count(value.policy_version)}
        </Figure>
        <Figure name="Entries in the log" note={`checkpoint ${duration(value.checkpoint_age_ms)} old`} bad={old}>
          {count(value.published_size)}
        </Figure>
        <Figure name="Gaps and forks" note={`${count(value.forks)} of them forks`} bad={value.gaps > 0}>
          {count(value.gaps)}
        </Figure>
      </dl>
      <section aria-labelledby="decisions-title">
        <h2 id="decisions-title">Decisions</h2>
        <Decisions value={value} />
      </section>
      <section aria-labelledby="identity-title">
        <h2 id="identity-title">Identity of the log</h2>
        <dl className="pairs">
          <dt>Origin</dt>
          <dd>
            <code>{value.origin}</code>
          </dd>
          <dt>Genesis entry</dt>
          <dd>
            <code>{value.genesis}</code> <span className="quiet">compare it with the one you were given on paper</span>
          </dd>
        </dl>
      </section>
    </>
  );
}

function Figure(props: { name: string; note?: string; bad?: boolean; to?: string; children: ReactNode }) {
  const body = (
    <>
      {props.children}
      {props.note !== undefined && <small className={props.bad ? "bad" : ""}>{props.note}</small>}
    </>
  );
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.to === undefined ? body : <a href={link(props.to)}>{body}</a>}</dd>
    </div>
  );
}

function Decisions({ value }: { value: Overview }) {
  const parts = [
    ["allow", value.allowed, "good"],
    ["deny", value.denied, "bad"],
    ["ask", value.asked, "warn"],
    ["no-opinion", value.no_opinion, "plain"],
  ] as const;
  const total = parts.reduce((sum, [, amount]) => sum + amount, 0);
  if (total === 0) return <p className="empty">No decision has been recorded yet. They appear here as soon as an enrolled device runs an agent.</p>;
  return (
    <>
      <svg className="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
        {parts.map(([effect, amount, tone], at) => {
          const before = parts.slice(0, at).reduce((sum, [, earlier]) => sum + earlier, 0);
          return <rect key={effect} className={tone} x={(before / total) * 1000} width={(amount / total) * 1000} height="10" />;
        })}
      </svg>
      <ul className="legend">
        {parts.map(([effect, amount, tone]) => (
          <li key={effect}>
            <a href={`${link("activity")}?effect=${effect}`}>
              <Mark tone={tone}>{effect}</Mark> {count(amount)}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
