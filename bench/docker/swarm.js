// A real Swarm service on the same engine: how long an update of it takes, from the command to "completed". Start first, five
// seconds of monitoring, back on failure: what people set who want what a deployment of ours does.
const monitorNs = 5_000_000_000;
const lookMs = 50;
const mostMs = 60_000;

/** Milliseconds of each update. `ask` calls the engine's API and gives what it says. */
export async function swarmUpdates(ask, images, rounds) {
  await ask("POST", "/swarm/init", { ListenAddr: "127.0.0.1:0", AdvertiseAddr: "127.0.0.1" });
  try {
    const { ID: id } = await ask("POST", "/services/create", specOf(images[0]));
    const took = [];
    await until(async () => (await runningOf(ask, id)) === 1);
    for (let round = 0; round < rounds; round += 1) {
      const { Version, UpdateStatus: last } = await ask("GET", `/services/${id}`);
      const begun = performance.now();
      await ask("POST", `/services/${id}/update?version=${Version.Index}`, specOf(images[(round + 1) % images.length]));
      await until(async () => {
        const { UpdateStatus: now } = await ask("GET", `/services/${id}`);
        return now?.State === "completed" && now.StartedAt !== last?.StartedAt;
      });
      took.push(performance.now() - begun);
    }
    return took;
  } finally {
    await ask("POST", "/swarm/leave?force=1");
  }
}

function specOf(image) {
  return {
    Name: "web",
    TaskTemplate: { ContainerSpec: { Image: image, Env: ["PORT=3000", "HOST=0.0.0.0"], StopGracePeriod: monitorNs } },
    Mode: { Replicated: { Replicas: 1 } },
    EndpointSpec: { Mode: "dnsrr" },
    UpdateConfig: { Parallelism: 1, Order: "start-first", Monitor: monitorNs, FailureAction: "rollback" },
  };
}

async function runningOf(ask, service) {
  const tasks = await ask("GET", `/tasks?filters=${encodeURIComponent(JSON.stringify({ service: [service] }))}`);
  return tasks.filter(({ Status }) => Status.State === "running").length;
}

async function until(look) {
  const most = performance.now() + mostMs;
  while (!(await look())) {
    if (performance.now() > most) throw new Error("Swarm did not come to an end");
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}
