/** MCP servers as they were seen on devices. */
import { getJson, rows } from "../api/request";
import type { McpView } from "../api/types";
import { Mark } from "../parts/badge";
import { Empty, Show, useLoad } from "../parts/load";
import { ago, count, dateTime, plural, short } from "../parts/words";
import { link } from "../route";

export function McpServers() {
  const load = useLoad("mcp", async () => rows(await getJson<McpView[]>("/v1/mcp"), "servers"));
  return (
    <>
      <h1>MCP servers</h1>
      <Show of={load}>
        {(servers) => {
          const blocked = servers.filter(({ effect }) => effect === "deny").length;
          if (servers.length === 0) return <Empty>No MCP server was seen on any device. Each is recorded the first time an agent has it configured.</Empty>;
          return (
            <>
              <p>
                {plural(servers.length, "definition")} seen, {count(blocked)} blocked. Two definitions under one name are two lines.
              </p>
              <Table servers={servers} />
            </>
          );
        }}
      </Show>
    </>
  );
}

function Verdict({ effect }: { effect: McpView["effect"] }) {
  if (effect === "allow") return <Mark tone="good">approved</Mark>;
  if (effect === "deny") return <Mark tone="bad">blocked</Mark>;
  return (
    <Mark tone="plain" title="The policy has no objection; it starts only when its person approves it">
      waits
    </Mark>
  );
}

function Table({ servers }: { servers: McpView[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>Name</th>
            <th>Verdict</th>
            <th>Transport</th>
            <th>Configured in</th>
            <th>Devices</th>
            <th>First seen</th>
            <th>Last seen</th>
            <th>Fingerprint</th>
          </tr>
        </thead>
        <tbody>
          {servers.map((server) => (
            <tr key={`${server.name} ${server.fingerprint}`} className={server.effect === "deny" ? "denied" : ""}>
              <td>
                <strong>{server.name}</strong>
              </td>
              <td>
                <Verdict effect={server.effect} />
              </td>
              <td>{server.transport}</td>
              <td>{server.sources.join(", ")}</td>
              <td title={server.devices.join("\n")}>{plural(server.devices.length, "device")}</td>
              <td>
                <a href={link("events", server.first_index)} title={dateTime(server.first_seen_ms)}>
                  {ago(server.first_seen_ms)}
                </a>
              </td>
              <td title={dateTime(server.last_seen_ms)}>{ago(server.last_seen_ms)}</td>
              <td>
                <code className="id" title={server.fingerprint}>
                  {short(server.fingerprint)}
                </code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
