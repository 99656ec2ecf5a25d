import { basename } from "node:path";
import { dockerfileDraft } from "./docker.ts";
import { readNode } from "./node.ts";
import { readPython } from "./python.ts";
import { type Draft, nothing, type Reading, type Sources, sourcesIn } from "./sources.ts";

/** Directories of directories, by habit. */
const roomsOfMany = new Set(["apps", "services", "packages", "projects"]);
/** What is there for people and tools, not to be run. */
const aside =
  /^(?:\.|node_modules$|dist$|build$|vendor$|examples?$|tests?$|e2e$|docs?$|scripts?$|tools?$|infra$|deploy$)/;
const maxFolders = 50;

/**
 * A repository of several programs that nothing ties together: each directory with a package.json, Python's files or a Dockerfile is
 * a service. For a repository whose top says nothing.
 */
export function readFolders(sources: Sources): Reading {
  const top = sources.folders(".").filter((name) => !aside.test(name));
  const folders = top.flatMap((name) =>
    roomsOfMany.has(name)
      ? sources.folders(name).flatMap((each) => (aside.test(each) ? [] : [`${name}/${each}`]))
      : [name],
  );
  const readings = folders.slice(0, maxFolders).map((folder) => readFolder(sources, folder));
  return { drafts: readings.flatMap(({ drafts }) => drafts), notes: readings.flatMap(({ notes }) => notes) };
}

function readFolder(sources: Sources, folder: string): Reading {
  const inside = sourcesIn(sources, folder);
  const readings = [readNode(inside), readPython(inside)].filter(({ drafts }) => drafts.length > 0);
  const drafts = readings.flatMap((reading) => reading.drafts);
  const name = basename(folder);
  const dockerfile = `${folder}/Dockerfile`;
  const image = sources.has(dockerfile) ? { dockerfile } : {};
  if (drafts.length === 0) {
    const draft = dockerfileDraft(sources, folder);
    return draft === null ? nothing : { drafts: [{ ...draft, name }], notes: [] };
  }
  const moved = drafts.map((draft): Draft => {
    const { path } = draft.service;
    return {
      ...draft,
      ...(draft.dockerfile === undefined ? image : { dockerfile: `${folder}/${draft.dockerfile}` }),
      name: drafts.length === 1 ? name : `${name}-${draft.name}`,
      from: `${folder}/${draft.from}`,
      service: { ...draft.service, path: path === undefined ? folder : `${folder}/${path}` },
    };
  });
  return { drafts: moved, notes: readings.flatMap(({ notes }) => notes.map((note) => `${folder}: ${note}`)) };
}
