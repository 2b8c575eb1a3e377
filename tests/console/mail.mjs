/** Reads sign-in codes from the folder into which the server writes its mails. */
import { readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";

/** Names of the mails that are there. */
export function mailsIn(folder) {
  return new Set(readdirSync(folder).filter((name) => name.endsWith(".eml")));
}

/** Waits for a mail that was not there before and returns the six digits in its subject. */
export function codeFromNewMail(folder, before, patienceMs) {
  const look = () => {
    for (const name of mailsIn(folder)) {
      if (before.has(name)) continue;
      const code = /^Subject:[^\r\n]*?\b(\d{6})\b/im.exec(readFileSync(join(folder, name), "utf8"))?.[1];
      if (code) return code;
    }
    return undefined;
  };
  return new Promise((resolve, reject) => {
    const watcher = watch(folder, () => done(look()));
    const timer = setTimeout(() => done(undefined, new Error("no mail with a code arrived")), patienceMs);
    const done = (code, error) => {
      if (!code && !error) return;
      clearTimeout(timer);
      watcher.close();
      if (code) resolve(code);
      else reject(error);
    };
    done(look());
  });
}
