/** Erasure of an event's confidential members by an administrator: which, why, and a second look before it happens. */
import { useState } from "react";
import { postJson, type Problem } from "../api/request";
import type { DisclosureView, ErasureAnswer } from "../api/types";
import { asProblem, Trouble } from "./load";

/** Shortest reason: a person reads it years later, and one letter tells nothing. */
const REASON_MIN = 8;

interface Props {
  index: number;
  list: DisclosureView[];
  onErased: (erasureIndex: number) => void;
}

export function Erasure({ index, list, onErased }: Props) {
  const open = list.filter(({ state }) => state !== "erased");
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set());
  const [reason, setReason] = useState("");
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const chosen = open.filter(({ digest }) => !kept.has(digest));

  function toggle(digest: string): void {
    const next = new Set(kept);
    if (!next.delete(digest)) next.add(digest);
    setKept(next);
  }

  async function erase(): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      const digests = chosen.map(({ digest }) => digest);
      const answer = await postJson<ErasureAnswer>(`/v1/events/${index}/erasure`, { reason: reason.trim(), digests });
      setAsking(false);
      setReason("");
      onErased(answer.erasure_index);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  if (open.length === 0) return null;
  return (
    <section className="erasure" aria-labelledby="erasure-title">
      <h2 id="erasure-title">Erase</h2>
      <p>
        Erasure destroys the content for good, backups included. The entry, its signature and its proof stay as they are, and the
        erasure itself becomes an entry with your name and reason.
      </p>
      {problem && <Trouble problem={problem} />}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setAsking(true);
        }}
      >
        <fieldset disabled={asking || busy}>
          {open.map((disclosure) => (
            <label key={disclosure.digest} className="check">
              <input type="checkbox" checked={!kept.has(disclosure.digest)} onChange={() => toggle(disclosure.digest)} />
              {disclosure.name ?? <code>{disclosure.digest.slice(0, 12)}…</code>}
            </label>
          ))}
          <label>
            Reason
            <input name="reason" required minLength={REASON_MIN} maxLength={500} value={reason} placeholder="for example: request by the person, ticket 1234" onChange={(event) => setReason(event.target.value)} />
          </label>
          <button type="submit" disabled={chosen.length === 0}>
            Erase…
          </button>
        </fieldset>
        {asking && (
          <div className="notice bad" role="alertdialog" aria-labelledby="confirm-title">
            <strong id="confirm-title">
              Destroy {chosen.map(({ name, digest }) => name ?? digest.slice(0, 8)).join(", ")} of entry {index}? Nobody can undo this.
            </strong>
            <div className="choices">
              <button type="button" className="danger" disabled={busy} autoFocus onClick={() => void erase()}>
                {busy ? "Erasing…" : "Yes, destroy it"}
              </button>
              <button type="button" disabled={busy} onClick={() => setAsking(false)}>
                No, keep it
              </button>
            </div>
          </div>
        )}
      </form>
    </section>
  );
}
