/**
 * A whole organisation made of the real programs in a folder of its own: server, administrators,
 * one enrolled device with its daemon, and a session of recorded actions.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { codeFromNewMail, mailsIn } from "./mail.mjs";

/** Milliseconds to wait for a program or a mail. */
const PATIENCE_MS = 60_000;

const POLICY = {
  schema: 1,
  default: "no-opinion",
  mode: "enforce",
  max_posture_age_ms: 600_000,
  spool_full: "deny",
  prompts: "hash",
  contact: "security@example.com",
  rules: [
    { id: "no-kubectl", effect: "deny", pattern: "Bash(kubectl *)", scope: { global: true }, dialect: "cairn" },
    { id: "platform-kubectl", effect: "allow", pattern: "Bash(kubectl get *)", scope: { team: "platform" }, dialect: "cairn" },
    { id: "ask-push", effect: "ask", pattern: "Bash(git push *)", scope: { global: true }, dialect: "cairn" },
  ],
  mcp: { default: "block" },
};

/** Programs that run until the organisation ends. */
const running = [];

/** Stops the device's daemon, which runs apart from the command that started it. */
let stopDaemon = () => {};

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: "utf8", timeout: PATIENCE_MS, ...options });
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${done.status}\n${done.stdout}\n${done.stderr}`);
  return done.stdout;
}

/** Starts a program and resolves with the first match in its output. */
function start(program, args, pattern, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  running.push(child);
  const lines = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${program} did not say ${pattern}:\n${lines.join("\n")}`)), PATIENCE_MS);
    const look = (line) => {
      lines.push(line);
      const found = pattern.exec(line);
      if (!found) return;
      clearTimeout(timer);
      resolve({ child, found });
    };
    createInterface(child.stdout).on("line", look);
    createInterface(child.stderr).on("line", look);
    child.once("exit", (code) => reject(new Error(`${program} ended with ${code}:\n${lines.join("\n")}`)));
  });
}

/** Ends every program and waits for it. */
export async function end() {
  stopDaemon();
  for (const child of running.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await gone;
  }
}

/** Makes the organisation; resolves with where its server is and who its administrator is. */
export async function found(folder, programs, browser) {
  const program = (name) => join(programs, name);
  const data = join(folder, "data");
  const outbox = join(data, "outbox");
  const admin = join(folder, "admin");
  const email = "ann@example.com";
  run(program("cairn-server"), ["init", "--data", data, "--origin", "log.example.com/console", "--listen", "127.0.0.1:0"]);
  const keys = join(data, "server-keys.json");
  run(program("cairn"), ["org", "create", "--server-keys", keys, "--name", "Example Works", "--out", admin]);
  mkdirSync(outbox, { recursive: true });
  const trust = join(folder, "trust-policy");
  writeFileSync(trust, await startWitness(program("cairn-witness"), join(folder, "witness"), JSON.parse(readFileSync(keys, "utf8")).log_key));
  const serve = ["serve", "--data", data, "--genesis", join(admin, "genesis.frame"), "--trust-policy", trust];
  const { found: address } = await start(program("cairn-server"), serve, /listening (http:\S+)/);
  const server = address[1];
  const by = ["--admin", admin, "--server", server];
  run(program("cairn"), ["org", "team-add", ...by, "--team", "platform", "--name", "Platform"]);
  run(program("cairn"), ["org", "person-add", ...by, "--email", email, "--role", "admin", "--role", "developer", "--team", "platform"]);
  const bundle = join(folder, "policy.json");
  writeFileSync(bundle, JSON.stringify(POLICY));
  run(program("cairn"), ["policy", "apply", ...by, bundle]);
  const home = join(folder, "home");
  mkdirSync(home);
  const env = { ...process.env, CAIRN_HOME: home };
  stopDaemon = () => spawnSync(program("cairn"), ["daemon", "stop"], { env, timeout: PATIENCE_MS });
  // The last step of an enrolment starts the daemon.
  await enrol(program("cairn"), server, email, outbox, browser, env);
  work(programs, home, env, folder);
  return { server, email, outbox };
}

/** Starts a witness for the log and resolves with the trust policy that requires it. */
async function startWitness(witness, folder, logKey) {
  const key = run(witness, ["init", "--name", "witness.example.com/1", "--out", folder]).trim();
  const args = ["serve", "--listen", "127.0.0.1:0", "--key", join(folder, "witness.key"), "--db", join(folder, "state"), "--new-state", "--log", logKey];
  const { found: address } = await start(witness, args, /listening (http:\S+)/);
  return `log ${logKey}\nwitness harbour ${key} ${address[1]}\nquorum harbour\n`;
}

/** Enrols the device: the command in a terminal, the page in the browser, the code by mail. */
async function enrol(cairn, server, email, outbox, browser, env) {
  const args = ["enroll", "--server", server, "--no-browser"];
  const { child, found: address } = await start(cairn, args, /(http:\S*\/enroll\/\S+)/, { env });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const page = await browser.newPage();
  const before = mailsIn(outbox);
  await page.goto(address[1]);
  await page.getByRole("textbox").fill(email);
  await page.keyboard.press("Enter");
  await page.locator('input[name="code"]').waitFor();
  await page.locator('input[name="code"]').fill(await codeFromNewMail(outbox, before, PATIENCE_MS));
  await page.keyboard.press("Enter");
  const code = await ended;
  await page.close();
  if (code !== 0) throw new Error(`the enrolment ended with ${code}`);
}

/** A session as an agent would have it: what it asked through the hooks, and what became of it. */
function work(programs, home, env, folder) {
  const socket = join(home, "daemon.sock");
  const session_id = "3f0d6f1e-52a9-4c0b-9f0c-6d1a2b3c4d5e";
  const hook = (event, more) => {
    const input = JSON.stringify({ session_id, transcript_path: join(folder, "t.jsonl"), cwd: folder, hook_event_name: event, ...more });
    return run(join(programs, "cairn-hook"), [event, "--socket", socket], { env, input });
  };
  hook("SessionStart", { source: "startup" });
  hook("UserPromptSubmit", { prompt: "Which pods run in staging?" });
  const bash = (tool_use_id, command) => ({ tool_name: "Bash", tool_input: { command }, tool_use_id });
  const answer = (call) => ({ ...call, tool_response: { stdout: "", stderr: "", interrupted: false } });
  const allowed = bash("toolu_console_1", "kubectl get pods --namespace staging");
  hook("PreToolUse", allowed);
  hook("PostToolUse", answer(allowed));
  hook("PreToolUse", bash("toolu_console_2", "kubectl delete namespace production"));
  hook("PreToolUse", bash("toolu_console_3", "git push origin main"));
  const listed = bash("toolu_console_4", "ls");
  hook("PreToolUse", listed);
  hook("PostToolUse", answer(listed));
  hook("SessionEnd", { reason: "exit" });
  untilUploaded(join(programs, "cairn"), env);
}

/** Asks the daemon until every record has its receipt. */
function untilUploaded(cairn, env) {
  const latest = Date.now() + PATIENCE_MS;
  for (;;) {
    const { daemon } = JSON.parse(run(cairn, ["status", "--json"], { env }));
    if (daemon?.spool_records === 0) return;
    if (Date.now() > latest) throw new Error(`records were not uploaded: ${JSON.stringify(daemon)}`);
  }
}
