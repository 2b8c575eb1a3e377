/** Agent sessions, newest first. */
import { useState } from "react";
import { getJson, withQuery } from "../api/request";
import type { Sessions, SessionSummary } from "../api/types";
import { Mark, Name } from "../parts/badge";
import { Empty, Show, useLoad } from "../parts/load";
import { ago, count, dateTime, duration } from "../parts/words";
import { link, setFilters, type Route } from "../route";

const PAGE = 50;

export function SessionList({ route }: { route: Route }) {
  const person = route.query.get("person") ?? "";
  const device = route.query.get("device") ?? "";
  const words = (route.query.get("find") ?? "").toLowerCase();
  const [pages, setPages] = useState(1);
  const load = useLoad(`sessions ${person} ${device} ${pages}`, () => readPages(person, device, pages));
  return (
    <>
      <h1>Sessions</h1>
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Find
          <input type="search" value={route.query.get("find") ?? ""} placeholder="person, device, agent or session" onChange={(event) => setFilters(route, { find: event.target.value })} />
        </label>
        <Chosen name="person" value={person} route={route} />
        <Chosen name="device" value={device} route={route} />
      </form>
      <Show of={load}>
        {({ sessions, next }) => {
          const found = sessions.filter((session) => matches(session, words));
          return (
            <>
              {sessions.length === 0 && <Empty>No session has been recorded yet. One appears when somebody starts an agent with “cairn claude”.</Empty>}
              {sessions.length > 0 && found.length === 0 && <Empty>None of the {count(sessions.length)} sessions loaded fits.</Empty>}
              {found.length > 0 && <Table sessions={found} />}
              {next !== undefined && (
                <button type="button" disabled={load.loading} onClick={() => setPages(pages + 1)}>
                  Load older sessions
                </button>
              )}
            </>
          );
        }}
      </Show>
    </>
  );
}

async function readPages(person: string, device: string, pages: number): Promise<Sessions> {
  const all: Sessions = { sessions: [] };
  for (let page = 0; page < pages; page++) {
    const answer = await getJson<Sessions>(withQuery("/v1/sessions", { person, device, limit: PAGE, before: all.next }));
    all.sessions.push(...answer.sessions);
    delete all.next;
    if (answer.next === undefined) break;
    all.next = answer.next;
  }
  return all;
}

function matches(session: SessionSummary, words: string): boolean {
  const text = [session.session, session.email, session.person, session.device, session.agent].join(" ").toLowerCase();
  return text.includes(words);
}

/** A filter that came with a link, with a way to take it off. */
export function Chosen({ name, value, route }: { name: string; value: string; route: Route }) {
  if (value === "") return null;
  return (
    <button type="button" className="chosen" onClick={() => setFilters(route, { [name]: "" })}>
      {name} <code>{value.slice(0, 12)}</code> <span aria-hidden="true">×</span>
      <span className="visually-hidden">remove this filter</span>
    </button>
  );
}

function Table({ sessions }: { sessions: SessionSummary[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>Started</th>
            <th>Person</th>
            <th>Agent</th>
            <th>Device</th>
            <th className="number">Decisions</th>
            <th className="number">Denied</th>
            <th>State</th>
            <th>Session</th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <tr key={session.session}>
              <td title={dateTime(session.started_ms)}>{ago(session.started_ms)}</td>
              <td>
                <Name text={session.email} id={session.person} />
              </td>
              <td>{session.agent}</td>
              <td>
                <Name id={session.device} />
              </td>
              <td className="number">{count(session.decisions)}</td>
              <td className="number">{session.denied > 0 ? <Mark tone="bad">{count(session.denied)}</Mark> : "0"}</td>
              <td>
                {session.ended ? `ended after ${duration(session.last_ms - session.started_ms)}` : `last event ${ago(session.last_ms)}`}{" "}
                {session.unverdicted > 0 && <Mark tone="bad">{count(session.unverdicted)} without a verdict</Mark>}
              </td>
              <td>
                <a href={link("sessions", session.session)}>
                  <code className="id">{session.session.slice(0, 13)}</code>
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
