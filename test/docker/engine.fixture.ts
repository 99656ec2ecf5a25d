import { engineRequest, type Reachable } from "../../src/testing/hosts/engine-request.ts";

export type FoundContainer = {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly imageId: string;
  /** Names of the volumes that it has, also of those that its image asked for. */
  readonly volumes: readonly string[];
};

/** Every container of an engine, whoever made it. */
export async function containersOf(engine: Reachable): Promise<readonly FoundContainer[]> {
  type Listed = {
    Id: string;
    Names: string[];
    State: string;
    Labels: Record<string, string>;
    ImageID: string;
    Mounts: { Type: string; Name?: string }[] | null;
  };
  const listed = JSON.parse(await engineRequest(engine, "GET", "/containers/json?all=1")) as Listed[];
  return listed.map(({ Id, Names, State, Labels, ImageID, Mounts }) => ({
    id: Id,
    name: Names[0]?.slice(1) ?? "",
    state: State,
    labels: Labels,
    imageId: ImageID,
    volumes: (Mounts ?? []).flatMap(({ Type, Name }) => (Type === "volume" && Name !== undefined ? [Name] : [])),
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

/** Every volume of an engine, also those without a name of their own. */
export async function volumesOf(engine: Reachable): Promise<readonly string[]> {
  const { Volumes } = JSON.parse(await engineRequest(engine, "GET", "/volumes")) as {
    Volumes: { Name: string }[] | null;
  };
  return (Volumes ?? []).map(({ Name }) => Name).toSorted();
}

/** Names that images have, of those that begin so. */
export async function imagesOf(engine: Reachable, prefix: string): Promise<readonly string[]> {
  const listed = JSON.parse(await engineRequest(engine, "GET", "/images/json")) as { RepoTags: string[] | null }[];
  return listed
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .filter((name) => name.startsWith(prefix))
    .toSorted();
}

/** All images of an engine, also those without a name. */
export async function allImagesOf(
  engine: Reachable,
): Promise<readonly { readonly id: string; readonly names: readonly string[] }[]> {
  type Listed = { Id: string; RepoTags: string[] | null; RepoDigests: string[] | null };
  const listed = JSON.parse(await engineRequest(engine, "GET", "/images/json")) as Listed[];
  return listed.map(({ Id, RepoTags, RepoDigests }) => ({
    id: Id,
    names: [...(RepoTags ?? []), ...(RepoDigests ?? [])],
  }));
}

export async function imageIdsOf(engine: Reachable): Promise<readonly string[]> {
  return (await allImagesOf(engine)).map(({ id }) => id);
}
