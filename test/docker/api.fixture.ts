import { Client } from "../../src/api/client.ts";
import { readRunning, readToken, stateDirectory } from "../../src/cli/state-directory.ts";

/** What the API of the control plane of a state directory answers. */
export async function askApi<T>(directory: string, path: string): Promise<T> {
  const at = stateDirectory(directory);
  const client = new Client({ port: readRunning(at)?.port ?? 0, token: readToken(at) });
  try {
    return await client.get<T>(path);
  } finally {
    client.close();
  }
}
