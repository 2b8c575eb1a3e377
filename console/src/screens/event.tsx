/** One event in full: what it says, what is known of its circumstances, and the proof of it. */
import { useState } from "react";
import { policyFor } from "../api/memory";
import { getJson } from "../api/request";
import type { EventDetail, Posture, RuleRef } from "../api/types";
import { EffectMark, Flags, Mark, Name, RuleName } from "../parts/badge";
import { Disclosures } from "../parts/disclosures";
import { Erasure } from "../parts/erasure";
import { Show, useLoad } from "../parts/load";
import { PostureTable } from "../parts/posture";
import { Caveat, Steps } from "../parts/steps";
import { Tree } from "../parts/tree";
import { dateTime } from "../parts/words";
import { link } from "../route";
import { isObject, type Json, type JsonObject } from "../verify/entry";
import { proveEvent, type EventProof, type Step } from "../verify/eventProof";

interface Checked {
  detail: EventDetail;
  proof: EventProof;
}

export function EventScreen({ index, mayErase }: { index: string; mayErase: boolean }) {
  const load = useLoad(`event ${index}`, () => readAndProve(index));
  const [erased, setErased] = useState<number>();
  return (
    <>
      <p className="crumbs">
        <a href={link("activity")}>Activity</a>
      </p>
      <h1>Entry {index}</h1>
      {erased !== undefined && (
        <p className="notice good" role="status" data-erasure={erased}>
          The disclosures are erased; <a href={link("events", erased)}>entry {erased}</a> records it. The proof below was checked again after that.
        </p>
      )}
      <Show of={load}>
        {({ detail, proof }) => (
          <>
            <Summary detail={detail} />
            <div className="columns">
              <div>
                <Decision payload={proof.entry?.payload ?? detail.payload} />
                <Disclosures list={detail.disclosures} />
                <What payload={proof.entry?.payload ?? detail.payload} />
                {mayErase && (
                  <Erasure
                    index={detail.index}
                    list={detail.disclosures}
                    onErased={(at) => {
                      setErased(at);
                      load.reload();
                    }}
                  />
                )}
              </div>
              <Proof detail={detail} proof={proof} busy={load.loading} again={load.reload} />
            </div>
          </>
        )}
      </Show>
    </>
  );
}

async function readAndProve(index: string): Promise<Checked> {
  const detail = await getJson<EventDetail>(`/v1/events/${encodeURIComponent(index)}`);
  const trust = policyFor(detail.trust_policy);
  const asked = Number(index);
  const proof = await proveEvent({ ...detail, index: asked, receipt: detail.receipt, trustPolicy: trust.text });
  if (trust.text !== detail.trust_policy) proof.steps.push(OTHER_POLICY);
  return { detail, proof };
}

const OTHER_POLICY: Step = {
  id: "policy",
  title: "Trust policy",
  state: "note",
  detail: "Checked with the trust policy this browser remembers; the server now serves another one. See the overview.",
};

function Summary({ detail }: { detail: EventDetail }) {
  const { summary } = detail;
  return (
    <p className="headline">
      <span className="kind">{summary.type}</span> {summary.tool !== undefined && <strong>{summary.tool}</strong>}{" "}
      {summary.effect && <EffectMark effect={summary.effect} mode={summary.mode} />} <Flags flags={summary.flags} />
      {summary.person !== undefined && (
        <span>
          <Name text={summary.email} id={summary.person} />
        </span>
      )}
      <span>
        {dateTime(summary.time_ms)} by the clock of {summary.device === undefined ? "whoever wrote it" : "the device"}
      </span>
      {summary.session !== undefined && <a href={link("sessions", summary.session)}>the whole session</a>}
    </p>
  );
}

/** The members that have a place of their own on this screen. */
const OWN_PLACE = new Set(["_sd", "_sd_alg", "body", "posture"]);

function What({ payload }: { payload: JsonObject }) {
  const body = payload["body"];
  const posture = payload["posture"];
  const rest = Object.fromEntries(Object.entries(payload).filter(([name]) => !OWN_PLACE.has(name)));
  const type = String(payload["type"] ?? "");
  return (
    <>
      <section aria-labelledby="body-title">
        <h2 id="body-title">What it says</h2>
        {isObject(body) && Object.keys(body).length > 0 ? <Tree value={body} /> : <p className="quiet">Nothing beyond its type, {type}.</p>}
      </section>
      {isObject(posture) && (
        <section aria-labelledby="posture-title">
          <h2 id="posture-title">Device posture at that moment</h2>
          <PostureTable posture={posture as unknown as Posture} />
        </section>
      )}
      <section aria-labelledby="context-title">
        <h2 id="context-title">Circumstances</h2>
        <Tree value={rest} />
      </section>
    </>
  );
}

function Decision({ payload }: { payload: JsonObject }) {
  const body = payload["body"];
  if (payload["type"] !== "tool.decision" || !isObject(body)) return null;
  const lost = (Array.isArray(body["lost"]) ? body["lost"] : []) as unknown as RuleRef[];
  const rule = body["rule"] as unknown as RuleRef | undefined;
  return (
    <section aria-labelledby="decision-title">
      <h2 id="decision-title">Decision</h2>
      <ul className="rules">
        <li>
          <Mark tone="accent">decided</Mark> {rule ? <RuleLine rule={rule} /> : <span>No rule: {reason(body["why"])}.</span>}
        </li>
        {lost.map((loser) => (
          <li key={`${loser.rank} ${loser.id}`}>
            <Mark tone="plain">lost</Mark> <RuleLine rule={loser} />
          </li>
        ))}
      </ul>
      {lost.length === 0 && <p className="quiet">No other rule matched.</p>}
    </section>
  );
}

function reason(why: Json | undefined): string {
  switch (why) {
    case "default":
      return "the organisation’s default decided";
    case "error":
      return "the request could not be judged, so it was denied";
    case "gate":
      return "a session gate is closed";
    case "stale-policy":
      return "the device’s policy was too old";
    default:
      return String(why ?? "unknown");
  }
}

function RuleLine({ rule }: { rule: RuleRef }) {
  return (
    <>
      <EffectMark effect={rule.effect} /> <RuleName rule={rule} />
    </>
  );
}

function Proof(props: { detail: EventDetail; proof: EventProof; busy: boolean; again: () => void }) {
  const { detail, proof } = props;
  return (
    <section className="proof" aria-labelledby="proof-title" data-proven={proof.proven}>
      <h2 id="proof-title">Proof, checked in this browser</h2>
      <p className={`notice ${proof.proven ? "good" : "bad"}`} role="status">
        <strong>{proof.proven ? "Every step passed." : "Not every step passed."}</strong>{" "}
        {proof.proven ? conclusion(proof) : "Read the reasons below before relying on this entry."}
      </p>
      <Caveat />
      <Steps steps={proof.steps} />
      <TimeBounds detail={detail} payload={proof.entry?.payload} />
      <button type="button" disabled={props.busy} onClick={props.again}>
        {props.busy ? "Checking…" : "Check again"}
      </button>
      <details>
        <summary>Bytes to check elsewhere</summary>
        <h3>Entry</h3>
        <pre>{detail.entry}</pre>
        {detail.receipt !== undefined && (
          <>
            <h3>Receipt (tlog-proof)</h3>
            <pre>{detail.receipt}</pre>
          </>
        )}
      </details>
    </section>
  );
}

/** What follows from a proof whose every step passed; less where no witness had to cosign. */
function conclusion(proof: EventProof): string {
  const witnessed = proof.steps.some(({ id, state }) => id === "quorum" && state === "ok");
  const bytes = "These exact bytes were signed and are in the log at this place";
  return witnessed ? `${bytes}, and were when the witnesses cosigned.` : `${bytes}, by the word of the log alone: no witness was required.`;
}

/** When it was written: after the checkpoint the device had seen, before the first one that covers it. */
function TimeBounds({ detail, payload }: { detail: EventDetail; payload: JsonObject | undefined }) {
  const beacon = payload?.["beacon"];
  return (
    <dl className="pairs">
      <dt>Not before</dt>
      <dd>{isObject(beacon) ? `the checkpoint of ${String(beacon["size"])} entries, which the device had seen` : "no lower bound in this entry"}</dd>
      <dt>Not after</dt>
      <dd>
        {detail.witnessed_at.length === 0
          ? "no witness has cosigned a checkpoint that covers it"
          : detail.witnessed_at.map(({ witness, time }) => `${witness}: ${dateTime(time * 1_000)}`).join("; ")}{" "}
        {detail.witnessed_at.length > 0 && <span className="quiet">as the server lists it; cairn-audit checks it</span>}
      </dd>
    </dl>
  );
}
