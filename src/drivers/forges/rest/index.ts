import type { Clock } from "../../../ports/clock.ts";
import type { OpenForge } from "../../../ports/forge.ts";
import { bitbucketForge } from "./bitbucket.ts";
import { giteaForge } from "./gitea.ts";
import { githubForge } from "./github.ts";
import { gitlabForge } from "./gitlab.ts";

const makers = { github: githubForge, gitlab: gitlabForge, gitea: giteaForge, bitbucket: bitbucketForge };

/** The four forges, each in its own words, over HTTP. Opens nothing by itself. */
export function restForges(clock: Clock): OpenForge {
  return (settings, token) => makers[settings.forge]({ settings, token, clock });
}
