/** The frame: sign-in or navigation, and the screen of the current place. */
import { useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import { getJson } from "./api/request";
import { hasExpired, onSignIn, setSignIn, signedIn, type SignIn } from "./api/signIn";
import type { Me } from "./api/types";
import { useLoad } from "./parts/load";
import { link, useRoute, type Route } from "./route";
import { Activity } from "./screens/activity";
import { Devices } from "./screens/devices";
import { EventScreen } from "./screens/event";
import { McpServers } from "./screens/mcp";
import { OverviewScreen } from "./screens/overview";
import { People } from "./screens/people";
import { PolicyScreen } from "./screens/policy";
import { SessionScreen } from "./screens/session";
import { SessionList } from "./screens/sessions";
import { SignInScreen } from "./screens/signIn";

const PLACES: [string, string][] = [
  ["overview", "Overview"],
  ["sessions", "Sessions"],
  ["activity", "Activity"],
  ["devices", "Devices"],
  ["people", "People and teams"],
  ["mcp", "MCP servers"],
  ["policy", "Policy"],
];

/** How often it is looked whether the sign-in has ended. */
const EXPIRY_LOOK_MS = 1_000;

export function App() {
  const current = useSyncExternalStore(onSignIn, signedIn);
  const [, look] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => look((round) => round + 1), EXPIRY_LOOK_MS);
    return () => window.clearInterval(timer);
  }, []);
  return current ? <Frame signIn={current} /> : <SignInScreen expired={hasExpired()} />;
}

function Frame({ signIn }: { signIn: SignIn }) {
  const route = useRoute();
  const me = useLoad(`me ${signIn.token}`, () => getJson<Me>("/v1/me"));
  const place = route.segments[0] ?? "overview";
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [route.segments.join("/")]);
  return (
    <div className="frame">
      <a className="skip" href="#main" onClick={focusMain}>
        Skip to the content
      </a>
      <nav aria-label="Screens">
        <p className="brand">
          <Stones /> Cairn
        </p>
        <p className="organisation">{me.value?.organisation ?? " "}</p>
        <ul>
          {PLACES.map(([name, title]) => (
            <li key={name}>
              <a href={link(name)} aria-current={isPlace(name, place) ? "page" : undefined}>
                {title}
              </a>
            </li>
          ))}
        </ul>
        <div className="who">
          <span title={signIn.person}>{me.value?.email ?? signIn.person}</span>
          <span className="quiet">{signIn.roles.join(", ")}</span>
          <span className="quiet">signed in for {Math.max(1, Math.ceil((signIn.expires_ms - Date.now()) / 60_000))} min</span>
          <button type="button" onClick={() => setSignIn(null)}>
            Sign out
          </button>
        </div>
      </nav>
      <main id="main" tabIndex={-1}>
        {screenOf(place, route, signIn)}
      </main>
    </div>
  );
}

function focusMain(event: React.MouseEvent): void {
  // The address after `#` is the place in the console, so the link must not change it.
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function isPlace(name: string, place: string): boolean {
  return name === place || (name === "activity" && place === "events");
}

function screenOf(place: string, route: Route, signIn: SignIn): ReactNode {
  const detail = route.segments[1];
  switch (place) {
    case "overview":
      return <OverviewScreen />;
    case "sessions":
      return detail === undefined ? <SessionList route={route} /> : <SessionScreen session={detail} route={route} />;
    case "activity":
      return <Activity route={route} />;
    case "events":
      return <EventScreen key={detail} index={detail ?? ""} mayErase={signIn.roles.includes("admin")} />;
    case "devices":
      return <Devices />;
    case "people":
      return <People />;
    case "mcp":
      return <McpServers />;
    case "policy":
      return <PolicyScreen />;
    default:
      return (
        <>
          <h1>Nothing here</h1>
          <p>
            There is no screen at this address. <a href={link("overview")}>Go to the overview.</a>
          </p>
        </>
      );
  }
}

/** The mark: three stones on each other. */
export function Stones() {
  return (
    <svg className="stones" viewBox="0 0 32 32" aria-hidden="true">
      <ellipse cx="16" cy="25" rx="12" ry="4.6" />
      <ellipse cx="16" cy="16.6" rx="8.4" ry="4" />
      <ellipse cx="16" cy="9" rx="5.4" ry="3.4" />
    </svg>
  );
}
