import type { Digest, Json } from "../../ids.ts";
import { type Component, type Distribution, inOrder, packageUrl } from "./component.ts";

export const cycloneDxMediaType = "application/vnd.cyclonedx+json";

export type SbomFacts = {
  /** What the image is called: product and service. */
  readonly name: string;
  readonly version: string;
  readonly image: Digest;
  /** RFC 3339; the commit's time, so that the same image has the same document. */
  readonly timestamp: string;
  readonly tool: string;
  readonly distribution: Distribution | null;
  readonly components: readonly Component[];
};

/** A CycloneDX 1.6 document (ECMA-424) of what is in an image. */
export function cycloneDx(facts: SbomFacts): Json {
  const root = `pkg:oci/${encodeURIComponent(facts.name.split("/").at(-1) ?? "")}@${encodeURIComponent(facts.image)}`;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(facts.image)}`,
    version: 1,
    metadata: {
      timestamp: facts.timestamp,
      tools: { components: [{ type: "application", name: "slipway", version: facts.tool }] },
      component: { type: "container", "bom-ref": root, name: facts.name, version: facts.version, purl: root },
    },
    components: [
      ...(facts.distribution === null
        ? []
        : [
            {
              type: "operating-system",
              "bom-ref": `os:${facts.distribution.id}`,
              name: facts.distribution.id,
              version: facts.distribution.version,
            },
          ]),
      ...inOrder(facts.components).map((each) => entryOf(each, facts.distribution)),
    ],
  };
}

function entryOf(component: Component, distribution: Distribution | null): Json {
  const purl = packageUrl(component, distribution);
  const [, scope, name] = /^(@[^/]+)\/(.+)$/.exec(component.ecosystem === "npm" ? component.name : "") ?? [];
  return {
    type: "library",
    "bom-ref": purl,
    ...(scope !== undefined && { group: scope }),
    name: name ?? component.name,
    version: component.version,
    ...(component.license !== null && { licenses: [{ license: { name: component.license } }] }),
    purl,
    properties: [{ name: "slipway:location", value: component.location }],
  };
}

/** One that follows from the image, in the form of RFC 9562's version 8, which leaves the digits to us. */
function uuidOf(digest: Digest): string {
  const hex = digest.slice("sha256:".length);
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
