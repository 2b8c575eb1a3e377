/** Loading something and saying so: one hook, and what is shown while waiting, on failure and when empty. */
import { useCallback, useEffect, useState, type ReactNode } from "react";
import { Problem } from "../api/request";

/** What is known of something that is loaded. The value stays while it is loaded again. */
export interface Loaded<T> {
  value: T | undefined;
  problem: Problem | undefined;
  loading: boolean;
  reload: () => void;
}

/** Turns whatever was thrown into a problem that can be shown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem("Something went wrong in this page", error instanceof Error ? error.message : String(error), 0, "page");
}

/** Loads on first show, whenever `key` changes, and on `reload`. */
export function useLoad<T>(key: string, load: () => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string; value?: T; problem?: Problem; loading: boolean }>({ key, loading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let wanted = true;
    setState((old) => (old.key === key ? { ...old, loading: true } : { key, loading: true }));
    load().then(
      (value) => wanted && setState({ key, value, loading: false }),
      (error: unknown) => wanted && setState({ key, problem: asProblem(error), loading: false }),
    );
    return () => {
      wanted = false;
    };
    // `load` is made anew on every render; `key` says when what it loads is another thing.
  }, [key, round]);
  const reload = useCallback(() => setRound((old) => old + 1), []);
  const fresh = state.key === key;
  return { value: fresh ? state.value : undefined, problem: fresh ? state.problem : undefined, loading: !fresh || state.loading, reload };
}

/** Shows what was loaded, or why it is not there. */
export function Show<T>({ of, children }: { of: Loaded<T>; children: (value: T) => ReactNode }) {
  if (of.value !== undefined) return <>{children(of.value)}</>;
  if (of.problem) return <Trouble problem={of.problem} retry={of.reload} />;
  return (
    <p className="waiting" role="status">
      Loading…
    </p>
  );
}

/** A problem in words, with a way to try again. */
export function Trouble({ problem, retry }: { problem: Problem; retry?: () => void }) {
  const forbidden = problem.status === 403;
  return (
    <div className="notice bad" role="alert">
      <strong>{problem.title}</strong>
      {problem.detail !== "" && <p>{problem.detail}</p>}
      {retry && !forbidden && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** A plain sentence where a list is empty. */
export function Empty({ children }: { children: ReactNode }) {
  return <p className="empty">{children}</p>;
}
