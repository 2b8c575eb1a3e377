/** Devices: posture, protection, isolation, acknowledged policy and gaps. */
import { getJson, rows } from "../api/request";
import type { DeviceView, Overview } from "../api/types";
import { Mark, Name } from "../parts/badge";
import { Empty, Show, useLoad } from "../parts/load";
import { PostureLine } from "../parts/posture";
import { ago, count, dateTime, duration } from "../parts/words";
import { link } from "../route";

const PROTECTION: Record<string, string> = {
  software: "A sealed file: whoever is root on the device can copy the key.",
  "tpm-unattested": "A TPM that could not be shown to be real hardware.",
  "tpm-virtual": "A virtual TPM: its host can copy the key.",
  "tpm-attested": "A TPM whose endorsement key chains to a manufacturer.",
};

const ISOLATION: Record<string, string> = {
  "self-asserted": "The daemon runs as the developer’s own user, so its evidence is self-asserted.",
  "separate-user": "The daemon runs as another user whose files the developer cannot write.",
};

export function Devices() {
  const load = useLoad("devices", async () => {
    const [devices, overview] = await Promise.all([getJson<DeviceView[]>("/v1/devices"), getJson<Overview>("/v1/overview")]);
    return { devices: rows(devices, "devices"), newest: overview.policy_version };
  });
  return (
    <>
      <h1>Devices</h1>
      <Show of={load}>
        {({ devices, newest }) =>
          devices.length === 0 ? (
            <Empty>No device is enrolled. A developer enrols one with “cairn enroll”.</Empty>
          ) : (
            <Table devices={devices} newest={newest} />
          )
        }
      </Show>
    </>
  );
}

function Table({ devices, newest }: { devices: DeviceView[]; newest: number | undefined }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th>Device</th>
            <th>Person</th>
            <th>Last seen</th>
            <th>Posture</th>
            <th>Key</th>
            <th>Isolation</th>
            <th className="number">Policy</th>
            <th className="number">Gaps</th>
            <th>Admitted</th>
          </tr>
        </thead>
        <tbody>
          {devices.map((device) => (
            <Row key={device.device} device={device} newest={newest} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The version that a device acknowledged, where it says so, and whether that is the newest. */
function Acknowledged({ device, newest }: { device: DeviceView; newest: number | undefined }) {
  const version = device.policy_version;
  const at = device.policy_acknowledged_at;
  const age = device.policy_age_ms;
  return (
    <>
      {version === undefined ? <span className="quiet">none</span> : at === undefined ? version : <a href={link("events", at)}>{version}</a>}
      {device.revoked_at === undefined && newest !== undefined && version !== newest && (
        <>
          {" "}
          <Mark tone="warn" title={`Version ${newest} is in force; this device has not acknowledged it.`}>
            behind
          </Mark>
        </>
      )}
      {age !== undefined && (
        <>
          {" "}
          <Mark tone="warn" title={`When it last wrote, it had last known its policy to be the newest ${duration(age)} before.`}>
            old
          </Mark>
        </>
      )}
    </>
  );
}

function Row({ device, newest }: { device: DeviceView; newest: number | undefined }) {
  return (
    <tr className={device.revoked_at === undefined ? "" : "gone"}>
      <td>
        <a href={`${link("sessions")}?device=${encodeURIComponent(device.device)}`}>
          <Name text={device.host} id={device.device} />
        </a>{" "}
        {device.revoked_at !== undefined && <Mark tone="bad">revoked</Mark>}
      </td>
      <td>
        <Name text={device.email} id={device.person} />
      </td>
      <td>{device.last_seen_ms === undefined ? <span className="quiet">never</span> : <span title={dateTime(device.last_seen_ms)}>{ago(device.last_seen_ms)}</span>}</td>
      <td className="marks">
        <PostureLine posture={device.posture} />
      </td>
      <td>
        <Mark tone={device.protection === "tpm-attested" ? "good" : "plain"} title={PROTECTION[device.protection] ?? ""}>
          {device.protection}
        </Mark>
      </td>
      <td>
        <Mark tone={device.isolation === "separate-user" ? "good" : "warn"} title={ISOLATION[device.isolation] ?? ""}>
          {device.isolation}
        </Mark>
      </td>
      <td className="number">
        <Acknowledged device={device} newest={newest} />
      </td>
      <td className="number">{device.gaps > 0 ? <Mark tone="bad">{count(device.gaps)}</Mark> : "0"}</td>
      <td>
        <a href={link("events", device.admitted_at)}>entry {device.admitted_at}</a>
        {device.revoked_at !== undefined && (
          <>
            , <a href={link("events", device.revoked_at)}>revoked in {device.revoked_at}</a>
          </>
        )}
      </td>
    </tr>
  );
}
