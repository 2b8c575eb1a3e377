/** One session: every tool call in chain order, with its verdict and what became of it. */
import { getJson } from "../api/request";
import type { EventSummary, SessionDetail } from "../api/types";
import { EffectMark, Flags, Mark, Name, OutcomeMark, RuleName } from "../parts/badge";
import { Empty, Show, useLoad } from "../parts/load";
import { count, dateTime, duration, plural, timeOfDay } from "../parts/words";
import { link, setFilters, type Route } from "../route";
import { joined, type Line } from "./lines";

export function SessionScreen({ session, route }: { session: string; route: Route }) {
  const load = useLoad(`session ${session}`, () => getJson<SessionDetail>(`/v1/sessions/${encodeURIComponent(session)}`));
  return (
    <>
      <p className="crumbs">
        <a href={link("sessions")}>Sessions</a>
      </p>
      <h1>
        Session <code>{session.slice(0, 18)}</code>
      </h1>
      <Show of={load}>{(detail) => <Detail detail={detail} route={route} />}</Show>
    </>
  );
}

function Detail({ detail, route }: { detail: SessionDetail; route: Route }) {
  const effect = route.query.get("effect") ?? "";
  const words = (route.query.get("find") ?? "").toLowerCase();
  const lines = joined(detail.events);
  const found = lines.filter(({ event }) => (effect === "" || event.effect === effect) && textOf(event).includes(words));
  return (
    <>
      <dl className="pairs">
        <dt>Person</dt>
        <dd>
          <Name text={detail.email} id={detail.person} />
        </dd>
        <dt>Agent</dt>
        <dd>{detail.agent}</dd>
        <dt>Device</dt>
        <dd>
          <code>{detail.device}</code>
        </dd>
        <dt>Time</dt>
        <dd>
          {dateTime(detail.started_ms)}, {detail.ended ? "ended after" : "so far"} {duration(detail.last_ms - detail.started_ms)}{" "}
          <span className="quiet">by the device’s clock</span>
        </dd>
        <dt>Decisions</dt>
        <dd>
          {count(detail.decisions)}, {count(detail.denied)} denied
        </dd>
      </dl>
      {detail.unverdicted > 0 && (
        <p className="notice bad" role="alert">
          <strong>{plural(detail.unverdicted, "action")} ran without a verdict.</strong> The agent reported an outcome that Cairn had not been asked about.
        </p>
      )}
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Find
          <input type="search" value={route.query.get("find") ?? ""} placeholder="tool, rule or text" onChange={(event) => setFilters(route, { find: event.target.value })} />
        </label>
        <EffectFilter value={effect} onChange={(value) => setFilters(route, { effect: value })} />
        <span className="quiet">
          {count(found.length)} of {plural(lines.length, "line")}
        </span>
      </form>
      {found.length === 0 ? <Empty>{lines.length === 0 ? "This session has no events yet." : "Nothing in this session fits."}</Empty> : <Table lines={found} />}
    </>
  );
}

/** Chooses one effect or all. */
export function EffectFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <label>
      Verdict
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">any</option>
        {["allow", "deny", "ask", "no-opinion"].map((effect) => (
          <option key={effect}>{effect}</option>
        ))}
      </select>
    </label>
  );
}

function textOf(event: EventSummary): string {
  return [event.type, event.tool, event.summary, event.rule?.id, event.use_id].join(" ").toLowerCase();
}

function Table({ lines }: { lines: Line[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th className="number">Entry</th>
            <th>Time</th>
            <th>What</th>
            <th>Verdict</th>
            <th>Rule</th>
            <th>Outcome</th>
            <th className="number" title="From the verdict to the reported outcome, by the device’s clock">
              Elapsed
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ event, outcome }) => (
            <tr key={event.index} className={event.effect === "deny" ? "denied" : ""}>
              <td className="number">
                <a href={link("events", event.index)}>{event.index}</a>
              </td>
              <td title={dateTime(event.time_ms)}>{timeOfDay(event.time_ms)}</td>
              <td className="what">
                <What event={event} />
              </td>
              <td>{event.effect ? <EffectMark effect={event.effect} mode={event.mode} /> : null}</td>
              <td>{event.rule ? <RuleName rule={event.rule} /> : event.type === "tool.decision" ? <span className="quiet">no rule</span> : null}</td>
              <td>
                {event.type === "tool.outcome" && <Mark tone="bad">without a verdict</Mark>}
                {event.type === "tool.decision" || event.type === "tool.outcome" ? <OutcomeMark outcome={event.outcome ?? outcome?.outcome} /> : null}
              </td>
              <td className="number">{outcome ? <a href={link("events", outcome.index)}>{duration(outcome.time_ms - event.time_ms)}</a> : null}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What an event is about, in one line. */
export function What({ event }: { event: EventSummary }) {
  return (
    <>
      {event.tool !== undefined ? <strong>{event.tool}</strong> : <span className="kind">{event.type}</span>}{" "}
      {event.summary !== undefined && <code className="text">{event.summary}</code>} <Flags flags={event.flags} />
    </>
  );
}
