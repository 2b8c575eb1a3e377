//! Worlds with a history: the policy they have and what happens in them.

use super::{BEGIN_MS, DeviceRun, ORIGIN, World};
use cairn_event::Effect;
use cairn_event::body::{Body, ChainHead};
use cairn_policy::Bundle;
use serde_json::json;

/// `kubectl` is denied to everybody and allowed to the team infrastructure; the rest asks.
pub fn default_bundle(version: u64) -> Bundle {
    let mut bundle = Bundle::empty(ORIGIN, "security@example.com");
    bundle.version = version;
    bundle.created_ms = BEGIN_MS;
    bundle.default = Effect::Ask;
    let rule = |id: &str, effect: &str, pattern: &str, scope: serde_json::Value| json!({ "id": id, "effect": effect, "pattern": pattern, "scope": scope, "dialect": "cairn" });
    bundle.rules = serde_json::from_value(json!([
        rule(
            "no-kubectl",
            "deny",
            "Bash(kubectl *)",
            json!({ "global": true })
        ),
        rule(
            "infra-kubectl",
            "allow",
            "Bash(kubectl *)",
            json!({ "team": "infrastructure" })
        ),
        rule(
            "git-status",
            "allow",
            "Bash(git status)",
            json!({ "global": true })
        ),
    ]))
    .unwrap();
    bundle
}

/// A quiet day: one device that only beats, and several checkpoints; the device goes on.
pub fn quiet() -> (World, DeviceRun) {
    let mut world = World::new();
    world.publish();
    let mut one = world.device(1);
    world.session(&mut one, "session-1");
    for _ in 0..3 {
        world.publish();
        for _ in 0..7 {
            world.heartbeat(&mut one);
        }
    }
    (world, one)
}

/// A busy day: two devices, two chains on one of them, several checkpoints, `calls` Bash calls.
pub fn busy(calls: u32) -> World {
    let mut world = World::new();
    world.publish();
    let mut one = world.device(1);
    let mut two = world.device(2);
    world.session(&mut one, "session-1");
    world.session(&mut two, "session-2");
    world.publish();
    for call in 0..calls {
        let (run, session) = if call % 3 == 0 {
            (&mut two, "session-2")
        } else {
            (&mut one, "session-1")
        };
        let command = ["kubectl get pods", "git status", "make test"][call as usize % 3];
        world.bash(run, session, command);
        if call % 7 == 3 {
            world.heartbeat(&mut one);
        }
        if call % 10 == 9 {
            world.chained(&mut one, Body::ChainHead(ChainHead {}), None, vec![]);
            world.publish();
        }
    }
    world.start_chain(&mut one, 200);
    world.session(&mut one, "session-3");
    world.bash(&mut one, "session-3", "git status");
    world.publish();
    world
}
