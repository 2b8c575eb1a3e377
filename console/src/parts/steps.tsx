/** The steps of a proof, each with its mark and its reason. */
import type { Step } from "../verify/eventProof";

const SIGNS: Record<Step["state"], [string, string]> = {
  ok: ["✓", "passed"],
  failed: ["✗", "failed"],
  unchecked: ["?", "not checked"],
  note: ["–", "note"],
};

export function Steps({ steps }: { steps: Step[] }) {
  return (
    <ol className="steps">
      {steps.map((step) => {
        const [sign, word] = SIGNS[step.state];
        return (
          <li key={step.id} className={step.state} data-step={step.id} data-state={step.state}>
            <span className="sign" aria-hidden="true">
              {sign}
            </span>
            <div>
              <strong>{step.title}</strong> <span className="visually-hidden">{word}</span>
              <p>{step.detail}</p>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/** What nobody should forget when the code that checks comes from the party that is checked. */
export function Caveat() {
  return (
    <p className="caveat">
      These checks ran in your browser, but the code came from this server, and a server that lies could
      serve code that lies. The independent check is <code>cairn-audit</code>, from a source you trust, with
      a trust policy you did not get here. It also replays who was entitled to sign, and every decision.
    </p>
  );
}
