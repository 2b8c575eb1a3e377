/** The trust policy this browser checks with: where it came from, whether the server still says the same, and how to set it. */
import { useState } from "react";
import { setTrusted, trusted } from "../api/memory";
import { parseTrustPolicy } from "../verify/trustPolicy";

export function TrustPanel({ served, onChange }: { served: string; onChange: () => void }) {
  const held = trusted();
  const [text, setText] = useState("");
  const [reason, setReason] = useState("");

  async function use(next: string, source: "served" | "given"): Promise<void> {
    const policy = await parseTrustPolicy(next);
    if (typeof policy === "string") {
      setReason(policy);
      return;
    }
    setTrusted({ text: next, source });
    setReason("");
    setText("");
    onChange();
  }

  const differs = held !== null && held.text !== served;
  const origin = held?.source === "given" ? "You entered it." : "It was taken from this server on your first visit and remembered.";
  return (
    <>
      {differs && (
        <div className="notice warn">
          <p>
            {held.source === "given" ? "The server’s own copy of the trust policy differs from yours. Yours is used." : "The server now serves another trust policy than on your first visit. The first one is used."}
          </p>
          <button type="button" onClick={() => void use(served, "served")}>
            Use the server’s policy from now on
          </button>
        </div>
      )}
      <details className="trust">
        <summary>Trust policy used for these checks. {origin}</summary>
        <pre>{held?.text ?? served}</pre>
        <label>
          Use the trust policy you were given elsewhere
          <textarea rows={5} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
        </label>
        {reason !== "" && (
          <p className="notice bad" role="alert">
            Not a trust policy: {reason}.
          </p>
        )}
        <button type="button" disabled={text.trim() === ""} onClick={() => void use(text.endsWith("\n") ? text : `${text}\n`, "given")}>
          Use it
        </button>
      </details>
    </>
  );
}
