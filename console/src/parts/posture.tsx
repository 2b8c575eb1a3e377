/** Device posture: each value with how well it is known and how old it is. */
import type { Posture } from "../api/types";
import { Mark, type Tone } from "./badge";
import { duration } from "./words";

const TONES: Record<string, Tone> = { on: "good", off: "bad", partial: "warn", unknown: "warn" };

export function PostureTable({ posture }: { posture: Posture }) {
  const fields = Object.entries(posture);
  if (fields.length === 0) return <p className="quiet">No posture was recorded.</p>;
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>Field</th>
            <th>Value</th>
            <th title="0: a name only. 5: the vendor’s own health statement, checked.">Evidence</th>
            <th>Source</th>
            <th>Age</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(([name, field]) => (
            <tr key={name}>
              <td>{name.replaceAll("_", " ")}</td>
              <td>
                <Mark tone={TONES[field.value] ?? "plain"}>{field.value}</Mark>
              </td>
              <td>{field.evidence} of 5</td>
              <td>{field.source}</td>
              <td>{duration(field.age_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Posture in a table cell: only the switches, with their values. */
export function PostureLine({ posture }: { posture: Posture | undefined }) {
  const switches = Object.entries(posture ?? {}).filter(([, field]) => field.value in TONES);
  if (switches.length === 0) return <span className="quiet">not known</span>;
  return switches.map(([name, field]) => (
    <Mark key={name} tone={TONES[field.value] ?? "plain"} title={`evidence ${field.evidence} of 5, ${field.source}`}>
      {name.replaceAll("_", " ")} {field.value}
    </Mark>
  ));
}
