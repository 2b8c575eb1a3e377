/** Sign-in: an address, then the six digits from the mail. */
import { useState, type FormEvent } from "react";
import { postJson, type Problem } from "../api/request";
import { setSignIn } from "../api/signIn";
import { Stones } from "../app";
import { asProblem, Trouble } from "../parts/load";

interface TokenAnswer {
  access_token: string;
  expires_in: number;
  person: string;
  roles: string[];
}

export function SignInScreen({ expired }: { expired: boolean }) {
  const [email, setEmail] = useState("");
  const [code, setCode] = useState("");
  const [login, setLogin] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  async function attempt(action: () => Promise<void>): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      await action();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  function askForCode(event: FormEvent): void {
    event.preventDefault();
    void attempt(async () => setLogin((await postJson<{ login: string }>("/v1/login/email", { email: email.trim() })).login));
  }

  function giveCode(event: FormEvent): void {
    event.preventDefault();
    void attempt(async () => {
      const answer = await postJson<TokenAnswer>("/v1/login/code", { login, code });
      const expires_ms = Date.now() + answer.expires_in * 1_000;
      setSignIn({ token: answer.access_token, person: answer.person, roles: answer.roles, expires_ms });
    });
  }

  function startAgain(): void {
    setLogin(undefined);
    setCode("");
    setProblem(undefined);
  }

  return (
    <main className="sign-in">
      <p className="brand">
        <Stones /> Cairn
      </p>
      <h1>Sign in</h1>
      {expired && !problem && <p className="notice">Your sign-in has ended. Sign in again to go on where you were.</p>}
      {problem && <Trouble problem={problem} />}
      {login === undefined ? (
        <form onSubmit={askForCode}>
          <label>
            E-mail address
            <input type="email" name="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />
          </label>
          <button type="submit" className="main" disabled={busy}>
            {busy ? "Sending…" : "Send me a code"}
          </button>
        </form>
      ) : (
        <form onSubmit={giveCode}>
          <p>
            If <strong>{email}</strong> may sign in here, a mail with six digits is on its way. They are good for ten minutes.
          </p>
          <label>
            Six digits
            <input
              key="code"
              name="code"
              inputMode="numeric"
              autoComplete="one-time-code"
              pattern="[0-9]{6}"
              maxLength={6}
              required
              autoFocus
              className="code"
              value={code}
              onChange={(event) => setCode(event.target.value.replace(/\D/g, ""))}
            />
          </label>
          <button type="submit" className="main" disabled={busy || code.length !== 6}>
            {busy ? "Checking…" : "Sign in"}
          </button>
          <button type="button" onClick={startAgain}>
            Use another address or ask for a new code
          </button>
        </form>
      )}
    </main>
  );
}
