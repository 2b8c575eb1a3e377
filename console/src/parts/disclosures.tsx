/** The confidential members of an event: shown, withheld or erased. Ancestry gets a table. */
import type { DisclosureView } from "../api/types";
import { isObject, type Json, type JsonObject } from "../verify/entry";
import { Mark, type Tone } from "./badge";
import { Tree } from "./tree";

const STATES: Record<DisclosureView["state"], [Tone, string]> = {
  present: ["good", "Held and shown to you"],
  withheld: ["plain", "Held, or never submitted, and not shown to you"],
  erased: ["warn", "Destroyed. Only the digest remains; it still belongs to the signed entry."],
};

/** What people look for first. Entries sort disclosures by digest, which means nothing to a reader. */
const READING_ORDER = ["request", "response", "prompt", "definition", "email", "os_user", "host", "ancestry"];

/** Command lines longer than this are folded. */
const LONG_ARGUMENTS = 160;

function inReadingOrder(list: DisclosureView[]): DisclosureView[] {
  const place = ({ name }: DisclosureView) => {
    const at = READING_ORDER.indexOf(name ?? "");
    return at < 0 ? READING_ORDER.length : at;
  };
  return [...list].sort((left, right) => place(left) - place(right));
}

export function Disclosures({ list }: { list: DisclosureView[] }) {
  return (
    <section aria-labelledby="disclosures-title">
      <h2 id="disclosures-title">Confidential members</h2>
      {list.length === 0 && <p className="quiet">This entry has none.</p>}
      {list.some(({ state }) => state === "present") && <p className="quiet">Reading another person’s content is itself recorded in the log.</p>}
      {inReadingOrder(list).map((disclosure) => (
        <div className="disclosure" key={disclosure.digest} data-disclosure={disclosure.state}>
          <h3>
            {disclosure.name ?? <code title={disclosure.digest}>{disclosure.digest.slice(0, 12)}…</code>}{" "}
            <Mark tone={STATES[disclosure.state][0]} title={STATES[disclosure.state][1]}>
              {disclosure.state}
            </Mark>
          </h3>
          {disclosure.state === "present" && disclosure.value !== undefined ? (
            <Content name={disclosure.name} value={disclosure.value} />
          ) : (
            <p className="quiet">{STATES[disclosure.state][1]}</p>
          )}
        </div>
      ))}
    </section>
  );
}

function Content({ name, value }: { name: string | undefined; value: Json }) {
  const processes = isObject(value) ? value["processes"] : value;
  if (name === "ancestry" && Array.isArray(processes) && processes.every(isObject)) {
    return <Ancestry processes={processes} />;
  }
  return <Tree value={value} />;
}

/** Processes, nearest first. */
function Ancestry({ processes }: { processes: JsonObject[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th className="number">Pid</th>
            <th>Executable</th>
            <th>SHA-256</th>
            <th className="number">Uid</th>
            <th>Arguments</th>
          </tr>
        </thead>
        <tbody>
          {processes.map((process, at) => (
            <tr key={at}>
              <td className="number">{words(process["pid"])}</td>
              <td className="path">
                <code className="text">{words(process["exe"] ?? process["path"] ?? process["name"])}</code>
              </td>
              <td>
                <Digest value={process["exe_digest"] ?? process["sha256"]} />
              </td>
              <td className="number">{words(process["uid"])}</td>
              <td>
                <Arguments text={Array.isArray(process["argv"]) ? process["argv"].join(" ") : words(process["argv"])} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Arguments({ text }: { text: string }) {
  if (text.length <= LONG_ARGUMENTS) return <code className="text">{text}</code>;
  return (
    <details>
      <summary>
        <code className="text">{text.slice(0, LONG_ARGUMENTS)}…</code>
      </summary>
      <code className="text">{text.slice(LONG_ARGUMENTS)}</code>
    </details>
  );
}

function Digest({ value }: { value: Json | undefined }) {
  if (isObject(value)) {
    const [kind = "", text] = Object.entries(value)[0] ?? [];
    if (kind === "missing") return <span className="quiet">{words(text)}</span>;
    return <Digest value={text} />;
  }
  const text = words(value);
  return (
    <code className="id" title={text}>
      {text.slice(0, 12)}
    </code>
  );
}

function words(value: Json | undefined): string {
  return value === undefined || value === null ? "–" : typeof value === "string" ? value : String(value);
}
