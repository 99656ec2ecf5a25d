import { engineRequest, type Reachable } from "../../src/testing/hosts/engine-request.ts";

export type FoundContainer = {
  readonly name: string;
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly imageId: string;
};

/** Every container of an engine, whoever made it. */
export async function containersOf(engine: Reachable): Promise<readonly FoundContainer[]> {
  type Listed = { Names: string[]; State: string; Labels: Record<string, string>; ImageID: string };
  const listed = JSON.parse(await engineRequest(engine, "GET", "/containers/json?all=1")) as Listed[];
  return listed.map(({ Names, State, Labels, ImageID }) => ({
    name: Names[0]?.slice(1) ?? "",
    state: State,
    labels: Labels,
    imageId: ImageID,
  }));
}

/** Networks besides the engine's own three. */
export async function networksOf(engine: Reachable): Promise<readonly string[]> {
  const listed = JSON.parse(await engineRequest(engine, "GET", "/networks")) as { Name: string }[];
  return listed
    .map(({ Name }) => Name)
    .filter((name) => !["bridge", "host", "none"].includes(name))
    .toSorted();
}

/** Names that images have, of those that begin so. */
export async function imagesOf(engine: Reachable, prefix: string): Promise<readonly string[]> {
  const listed = JSON.parse(await engineRequest(engine, "GET", "/images/json")) as { RepoTags: string[] | null }[];
  return listed
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .filter((name) => name.startsWith(prefix))
    .toSorted();
}
