import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { expect, it } from "vitest";
import { cycloneDx } from "./cyclonedx.ts";

/** The official schemas, as the CycloneDX project's own library carries them. */
const schemas = new URL("../../../../node_modules/@cyclonedx/cyclonedx-library/res/schema/", import.meta.url);
const schema = (name: string): object =>
  JSON.parse(readFileSync(new URL(`${name}.SNAPSHOT.schema.json`, schemas), "utf8")) as object;

it("the list of contents is what the official CycloneDX 1.6 schema asks for", () => {
  const ajv = new Ajv({
    strict: false,
    allErrors: true,
    formats: {
      "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/,
      "iri-reference": true,
      "idn-email": true,
      email: true,
    },
  });
  for (const name of ["spdx", "jsf-0.82", "cryptography-defs"]) {
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  }
  const valid = ajv.compile(schema("bom-1.6"));
  const document = cycloneDx({
    name: "shop/web",
    version: "1.4.0",
    image: `sha256:${"3f".repeat(32)}`,
    timestamp: "2026-11-20T08:00:00Z",
    tool: "0.1.0",
    distribution: { id: "debian", version: "12" },
    components: [
      { ecosystem: "npm", name: "@s/a", version: "1.0.0", license: "MIT", architecture: null, location: "a" },
      { ecosystem: "deb", name: "libc6", version: "2.36-9", license: null, architecture: "amd64", location: "b" },
      { ecosystem: "pypi", name: "Flask", version: "3.0", license: "BSD 3", architecture: null, location: "c" },
    ],
  });
  valid(document);
  expect(valid.errors).toBeNull();
  valid({ ...(document as object), components: [{ type: "nonsense" }] });
  expect(valid.errors?.length).toBeGreaterThan(0);
});
