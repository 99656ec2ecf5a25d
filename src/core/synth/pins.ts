/** An action by its commit, with the version that people know it by. */
export type Pin = { readonly action: string; readonly commit: string; readonly version: string };

/** The commits of the newest tags of GitHub's own repositories, read there on 2026-11-26. Dependabot moves them on in the repository. */
export const pins = {
  checkout: { action: "actions/checkout", commit: "3d3c42e5aac5ba805825da76410c181273ba90b1", version: "v7.0.1" },
  setupNode: { action: "actions/setup-node", commit: "820762786026740c76f36085b0efc47a31fe5020", version: "v7.0.0" },
  setupPython: {
    action: "actions/setup-python",
    commit: "5fda3b95a4ea91299a34e894583c3862153e4b97",
    version: "v7.0.0",
  },
  uploadArtifact: {
    action: "actions/upload-artifact",
    commit: "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f",
    version: "v7.0.0",
  },
} as const satisfies Record<string, Pin>;
