/** People with their roles and teams, as the roster in the log says now. */
import { getJson, rows } from "../api/request";
import type { PersonView, TeamView } from "../api/types";
import { Mark, Name } from "../parts/badge";
import { Empty, Show, useLoad } from "../parts/load";
import { plural } from "../parts/words";
import { link } from "../route";

export function People() {
  const people = useLoad("people", async () => rows(await getJson<PersonView[]>("/v1/people"), "people"));
  const teams = useLoad("teams", async () => rows(await getJson<TeamView[]>("/v1/teams"), "teams"));
  return (
    <>
      <h1>People and teams</h1>
      <Show of={people}>{(list) => (list.length === 0 ? <Empty>The roster is empty.</Empty> : <PeopleTable people={list} />)}</Show>
      <h2>Teams</h2>
      <Show of={teams}>{(list) => (list.length === 0 ? <Empty>There are no teams.</Empty> : <Teams teams={list} people={people.value ?? []} />)}</Show>
    </>
  );
}

function PeopleTable({ people }: { people: PersonView[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>Person</th>
            <th>Roles</th>
            <th>Teams</th>
            <th>State</th>
            <th>Records</th>
          </tr>
        </thead>
        <tbody>
          {people.map((person) => (
            <tr key={person.person} className={person.removed ? "gone" : ""}>
              <td>
                <Name text={person.email} id={person.person} />
              </td>
              <td className="marks">
                {person.roles.map((role) => (
                  <Mark key={role} tone={role === "admin" ? "accent" : "plain"}>
                    {role}
                  </Mark>
                ))}
              </td>
              <td>{person.teams.join(", ") || <span className="quiet">none</span>}</td>
              <td>{person.removed ? "left" : "active"}</td>
              <td>
                <a href={`${link("sessions")}?person=${encodeURIComponent(person.person)}`}>sessions</a>,{" "}
                <a href={`${link("activity")}?person=${encodeURIComponent(person.person)}`}>activity</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Teams({ teams, people }: { teams: TeamView[]; people: PersonView[] }) {
  return (
    <ul className="teams">
      {teams.map(({ team, name, people: listed }) => {
        const members = listed ?? people.filter((person) => !person.removed && person.teams.includes(team));
        return (
          <li key={team}>
            <strong>{name ?? team}</strong> <code className="id">{team}</code> <span className="quiet">{plural(members.length, "person", "people")}</span>
          </li>
        );
      })}
    </ul>
  );
}
