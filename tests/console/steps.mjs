/** Runs the steps of the suite one after another and counts them. */

let passed = 0;
let failed = 0;

/** Runs one step; a step that throws has failed, and the suite goes on. */
export async function step(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error?.message ?? error).replaceAll("\n", "\n        ")}`);
  }
}

/** Ends the step as failed. */
export function fail(reason) {
  throw new Error(reason);
}

/** Ends the step as failed unless the condition holds. */
export function isTrue(condition, reason) {
  if (!condition) fail(reason);
}

export const countPassed = () => passed;
export const countFailed = () => failed;
