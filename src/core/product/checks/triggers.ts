import { nearest } from "../guess.ts";
import type { ProductInput } from "../input.ts";
import type { Path } from "../problems.ts";
import { environmentNames } from "../resolve.ts";
import { error, type Finding, warning } from "./finding.ts";

/** What is deployed to is there, and what is mapped can be heard of. */
export function checkTriggers(product: ProductInput): readonly Finding[] {
  const { triggers } = product;
  if (triggers === undefined) return [];
  const environments: readonly string[] = environmentNames(product);
  const all = (["branches", "tags", "schedules"] as const).flatMap((kind) =>
    Object.entries(triggers[kind] ?? {}).map(([key, { deploy }]) => ({ at: ["triggers", kind, key], deploy })),
  );
  const pulls = triggers.pullRequests;
  if (pulls !== undefined) all.push({ at: ["triggers", "pullRequests"], deploy: pulls.deploy });
  const lost = all.flatMap(({ at, deploy }) =>
    deploy === undefined || environments.includes(deploy)
      ? []
      : [unknownEnvironment([...at, "deploy"], deploy, environments)],
  );
  const mapped = pulls !== undefined || Object.keys({ ...triggers.branches, ...triggers.tags }).length > 0;
  const heard = triggers.webhook !== undefined || triggers.poll !== undefined;
  const refused = all.flatMap(({ at, deploy = "" }) => {
    const before = product.environments?.[deploy]?.promoteFrom;
    return before === undefined
      ? []
      : [
          warning(
            [...at, "deploy"],
            `${deploy} takes only what has succeeded in ${before}; deploy there, and promote`,
            {
              because: [["environments", deploy, "promoteFrom"]],
            },
          ),
        ];
  });
  return [
    ...lost,
    ...refused,
    ...checkReport(triggers),
    ...checkCi(triggers, environments),
    ...checkListen(triggers),
    ...(mapped && !heard
      ? [
          warning(["triggers"], "nobody tells of pushes: add a webhook, or poll", {
            because: [
              ["triggers", "webhook"],
              ["triggers", "poll"],
            ],
          }),
        ]
      : []),
    ...(heard && !mapped
      ? [
          warning(["triggers"], "no branch and no tag is named, so no push begins anything", {
            because: [
              ["triggers", "branches"],
              ["triggers", "tags"],
            ],
          }),
        ]
      : []),
  ];
}

/** Claims of which one says whose job it is. Without it every repository of the issuer could deploy. */
const naming = [
  "sub",
  "repository",
  "repository_id",
  "repository_owner",
  "repository_owner_id",
  "project_path",
  "project_id",
  "namespace_path",
  "namespace_id",
  "oidc.circleci.com/project-id",
];

function checkCi(
  { ci = [], url }: NonNullable<ProductInput["triggers"]>,
  known: readonly string[],
): readonly Finding[] {
  return ci.flatMap(({ audience, claims, environments }, index) => {
    const at = ["triggers", "ci", index];
    const named = Object.entries(claims).filter(([name]) => naming.includes(name));
    const isAnybody = ([, wanted]: (typeof named)[number]): boolean => [wanted].flat().some((one) => /^\**$/.test(one));
    const lost = environments.findIndex((name) => !known.includes(name));
    return [
      ...(audience === undefined && url === undefined
        ? [error([...at, "audience"], "nobody knows for whom the token must be; set audience, or triggers.url")]
        : []),
      ...(named.length === 0 || named.some(isAnybody)
        ? [
            error(
              [...at, "claims"],
              `every repository of the issuer could deploy; say which, by one of ${naming.join(", ")}`,
            ),
          ]
        : []),
      ...(lost < 0 ? [] : [unknownEnvironment([...at, "environments", lost], environments[lost] ?? "", known)]),
    ];
  });
}

function checkListen({ listen, webhook }: NonNullable<ProductInput["triggers"]>): readonly Finding[] {
  if (listen === undefined || webhook?.listen === undefined || `${listen}` === `${webhook.listen}`) return [];
  const because = [["triggers", "webhook", "listen"]];
  return [
    error(["triggers", "listen"], "webhooks come in at another place; there is one for both, so leave one out", {
      because,
    }),
  ];
}

/** To whom is what told? */
function checkReport({ report, webhook, repository }: NonNullable<ProductInput["triggers"]>): readonly Finding[] {
  if (report === undefined) return [];
  const at = ["triggers", "report"];
  const forge = report.forge ?? webhook?.forge;
  const owner = repository?.split("/") ?? [];
  return [
    ...(forge === undefined ? [error(at, "nobody knows which forge is told; set forge")] : []),
    ...(repository === undefined
      ? [
          error(at, "nobody knows of which repository; set triggers.repository", {
            because: [["triggers", "repository"]],
          }),
        ]
      : []),
    ...(repository !== undefined && (owner.length < 2 || owner.includes("") || (forge !== "gitlab" && owner.length > 2))
      ? [error(["triggers", "repository"], `"${repository}" is not how a forge names a repository; use owner/name`)]
      : []),
    ...(forge === "gitea" && report.api === undefined
      ? [
          error(
            [...at, "api"],
            "Gitea is everybody's own; say where its API is, such as https://git.example.com/api/v1",
          ),
        ]
      : []),
    ...(forge !== undefined && forge !== "github" && report.app !== undefined
      ? [error([...at, "app"], `only GitHub has apps, and the forge is ${forge}`)]
      : []),
  ];
}

function unknownEnvironment(at: Path, seen: string, environments: readonly string[]): Finding {
  const near = nearest(seen, environments);
  const advice = near === null ? `the environments are ${environments.join(", ")}` : `did you mean "${near}"?`;
  return error(at, `there is no environment "${seen}"; ${advice}`, near === null ? {} : { guess: near });
}
