/** Every event of the log, newest first, with filters. */
import { useState } from "react";
import { getJson, withQuery } from "../api/request";
import type { Events, EventSummary } from "../api/types";
import { EffectMark, Name, OutcomeMark, RuleName } from "../parts/badge";
import { Empty, Show, useLoad } from "../parts/load";
import { dateTime } from "../parts/words";
import { link, setFilters, type Route } from "../route";
import { EffectFilter, What } from "./session";
import { Chosen } from "./sessions";

const PAGE = 100;

export function Activity({ route }: { route: Route }) {
  const effect = route.query.get("effect") ?? "";
  const tool = route.query.get("tool") ?? "";
  const person = route.query.get("person") ?? "";
  const [pages, setPages] = useState(1);
  const load = useLoad(`events ${effect} ${tool} ${person} ${pages}`, () => readPages({ effect, tool, person }, pages));
  return (
    <>
      <h1>Activity</h1>
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <EffectFilter value={effect} onChange={(value) => setFilters(route, { effect: value })} />
        <label>
          Tool
          <input type="search" value={tool} placeholder="exact name, for example Bash" onChange={(event) => setFilters(route, { tool: event.target.value })} />
        </label>
        <Chosen name="person" value={person} route={route} />
        <button type="button" onClick={load.reload}>
          Refresh
        </button>
      </form>
      <Show of={load}>
        {({ events, next }) => (
          <>
            {events.length === 0 ? <Empty>No event fits these filters.</Empty> : <Table events={events} />}
            {next !== undefined && (
              <button type="button" disabled={load.loading} onClick={() => setPages(pages + 1)}>
                Load older events
              </button>
            )}
          </>
        )}
      </Show>
    </>
  );
}

async function readPages(filters: Record<string, string>, pages: number): Promise<Events> {
  const all: Events = { events: [] };
  for (let page = 0; page < pages; page++) {
    const answer = await getJson<Events>(withQuery("/v1/events", { ...filters, limit: PAGE, before: all.next }));
    all.events.push(...answer.events);
    delete all.next;
    if (answer.next === undefined) break;
    all.next = answer.next;
  }
  return all;
}

function Table({ events }: { events: EventSummary[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th className="number">Entry</th>
            <th>Device time</th>
            <th>Person</th>
            <th>What</th>
            <th>Verdict</th>
            <th>Rule</th>
            <th>Outcome</th>
            <th>Session</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.index} className={event.effect === "deny" ? "denied" : ""}>
              <td className="number">
                <a href={link("events", event.index)}>{event.index}</a>
              </td>
              <td>{dateTime(event.time_ms)}</td>
              <td>
                <Name text={event.email} id={event.person} />
              </td>
              <td className="what">
                <What event={event} />
              </td>
              <td>{event.effect ? <EffectMark effect={event.effect} mode={event.mode} /> : null}</td>
              <td>{event.rule ? <RuleName rule={event.rule} /> : null}</td>
              <td>{event.outcome ? <OutcomeMark outcome={event.outcome} /> : null}</td>
              <td>
                {event.session === undefined ? null : (
                  <a href={link("sessions", event.session)}>
                    <code className="id">{event.session.slice(0, 8)}</code>
                  </a>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
