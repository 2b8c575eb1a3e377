/** Any JSON value as an indented list that can be folded. */
import { isObject, type Json } from "../verify/entry";

/** Longer texts are folded away. */
const LONG_TEXT = 400;

export function Tree({ value }: { value: Json }) {
  if (Array.isArray(value)) {
    if (value.length === 0) return <span className="quiet">none</span>;
    return <Members members={value.map((item, at) => [String(at), item])} />;
  }
  if (isObject(value)) {
    const members = Object.entries(value);
    return members.length === 0 ? <span className="quiet">empty</span> : <Members members={members} />;
  }
  return <Leaf value={value} />;
}

function Members({ members }: { members: [string, Json][] }) {
  return (
    <ul className="tree">
      {members.map(([name, value]) => (
        <li key={name}>
          {typeof value === "object" && value !== null ? (
            <details open>
              <summary>{name}</summary>
              <Tree value={value} />
            </details>
          ) : (
            <>
              <span className="name">{name}</span> <Leaf value={value} />
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function Leaf({ value }: { value: null | boolean | number | string }) {
  if (typeof value !== "string") return <code className="literal">{String(value)}</code>;
  if (value.length <= LONG_TEXT) return <code className="text">{value}</code>;
  return (
    <details className="long">
      <summary>
        <code className="text">{value.slice(0, 80)}…</code> {value.length} characters
      </summary>
      <code className="text">{value}</code>
    </details>
  );
}
