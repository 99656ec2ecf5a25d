/**
 * Every expected failure, once. `exit` is the CLI's exit code (the table in the README), `http` the API's status, `retry`
 * whether the same call may succeed later without a change by a person. `hint` is the general advice; a throw site that
 * knows more gives a better one. Each code has an anchor in `docs/errors.md` (held by `test/tidy.test.ts`).
 */
type Entry = { readonly exit: number; readonly http: number; readonly retry: boolean; readonly hint: string };

const entry = (exit: number, http: number, hint: string, retry = false): Entry => ({ exit, http, retry, hint });

export const catalogue = {
  // Usage and config
  USAGE: entry(2, 400, "run: slipway --help"),
  CONFIG_NOT_FOUND: entry(2, 404, "run: slipway init"),
  CONFIG_UNREADABLE: entry(2, 400, "fix the file's syntax, then run: slipway validate"),
  CONFIG_INVALID: entry(2, 422, "fix the problems listed, then run: slipway validate"),
  CONFIG_EXISTS: entry(2, 409, "check it: slipway validate; or write it anew: slipway init --force"),
  UNKNOWN_ENVIRONMENT: entry(2, 404, "name one of the environments in the config"),
  UNKNOWN_ACCESSORY: entry(2, 404, "run: slipway accessory list"),
  UNKNOWN_SERVICE: entry(2, 404, "name one of the services in the config"),
  UNKNOWN_RELEASE: entry(2, 404, "run: slipway releases"),
  UNKNOWN_DEPLOYMENT: entry(2, 404, "run: slipway history"),
  // Source and release
  GIT_MISSING: entry(2, 424, "install git, or set PATH so that slipway finds it"),
  GIT_NOT_A_REPOSITORY: entry(2, 422, "run slipway inside a git repository, or: git init && git add -A && git commit"),
  GIT_UNKNOWN_COMMIT: entry(2, 404, "name a commit, branch or tag that exists in this repository"),
  GIT_FAILED: entry(1, 500, "run the git command shown by hand to see why"),
  TREE_DIRTY: entry(2, 409, "commit the changes, or pass --dirty to make an explicit +dirty release"),
  BUILD_FAILED: entry(1, 422, "fix the build; its last lines are shown above"),
  PIPELINE_INVALID: entry(2, 422, "fix the step in the config, or what it looks for in the repository"),
  PIPELINE_FAILED: entry(1, 422, "fix what the step says; its last lines are shown above"),
  UNKNOWN_RUN: entry(2, 404, "run: slipway runs"),
  ARTIFACT_MISSING: entry(1, 410, "make the release again from its commit: slipway deploy --commit <commit>"),
  ARTIFACT_CORRUPT: entry(1, 500, "the stored artifact was changed on disk; make the release again from its commit"),
  SECRET_UNREADABLE: entry(
    1,
    500,
    "put the state directory's secrets.key back; or set the secret anew, and make the release again",
  ),
  ARTIFACT_TOO_LARGE: entry(2, 413, "pack less: set the service's path, or ignore generated files in git"),
  // Deployment
  ENVIRONMENT_LOCKED: entry(6, 423, "run: slipway unlock <environment>, or wait for the owner"),
  ENVIRONMENT_FROZEN: entry(6, 423, 'wait, or deploy it with --override-window --reason "..."'),
  DEPLOYMENT_IN_PROGRESS: entry(6, 409, "wait for it, cancel it, or pass --busy queue", true),
  PROMOTION_REFUSED: entry(5, 409, "deploy the release to the earlier environment first"),
  NOT_AN_APPROVER: entry(5, 403, "ask one of those who may approve, or change gates.approval in the config"),
  NOTHING_TO_APPROVE: entry(1, 409, "look at what waits: slipway status"),
  WAITS_FOR_APPROVAL: entry(5, 409, "approve it: slipway approve <environment>; or: slipway reject <environment>"),
  WAITS_TO_BAKE: entry(5, 409, "look at what is missing: slipway status; it begins by itself"),
  APPROVAL_REFUSED: entry(5, 409, "see why: slipway history; then deploy what is better"),
  APPROVAL_EXPIRED: entry(5, 409, "deploy it again, and ask somebody to approve it"),
  NOTHING_TO_ROLL_BACK: entry(1, 409, "there is no earlier good release in this environment; deploy one"),
  RELEASE_KNOWN_BAD: entry(1, 409, "deploy another release; a rollback goes to this one only with --force"),
  NOT_CANCELLABLE: entry(1, 409, "the deployment has ended; to go back run: slipway rollback"),
  NOT_PAUSABLE: entry(1, 409, "only a deployment under way can be paused"),
  NOT_SCALABLE: entry(2, 409, "leave it at one instance; or take away what only one can have"),
  NO_STEP_TO_PROMOTE: entry(1, 409, "look at where it is: slipway status"),
  WAITS_FOR_PERSON: entry(
    5,
    409,
    "go on: slipway promote-step <environment>; look at it again: slipway resume <environment>; or: slipway cancel <environment>",
  ),
  PROBE_DEADLINE: entry(1, 504, "read the service's log lines above; raise health.deadline if it only needs longer"),
  HEALTH_LOST: entry(3, 502, "read the service's log lines; the previous release is live again"),
  ERROR_RATIO: entry(3, 502, "read the service's log lines; the previous release is live again"),
  LATENCY: entry(3, 502, "see what became slow; the previous release is live again"),
  RULE_FIRED: entry(3, 502, "see what the rule saw: slipway history; the previous release is live again"),
  NOTIFIER_FAILED: entry(1, 502, "check the webhook's address, in the variable that urlFrom names", true),
  JOB_FAILED: entry(1, 502, "read the job's log lines; nothing was switched"),
  CANCELLED: entry(1, 409, "it was cancelled by a person; the stable release is live"),
  ACCESSORY_RESTORED: entry(3, 502, "read the accessory's log lines; the one before it runs again"),
  ACCESSORY_DOWN: entry(4, 502, "read the accessory's log lines: slipway logs --service <accessory>; it does not run"),
  // Secrets
  SECRET_MISSING: entry(2, 409, "run: slipway secret list, then: slipway secret set <name> -e <environment>"),
  // Hosts, images, registries
  HOST_AWAY: entry(1, 503, "check that the host is up and reachable: slipway server check <host>", true),
  HOST_KEY_UNKNOWN: entry(
    2,
    424,
    "compare the fingerprint with the host's own, then: ssh-keyscan <host> >> ~/.ssh/known_hosts",
  ),
  HOST_DENIED: entry(2, 403, "check the user, the key and the agent: ssh <host> true"),
  SERVER_REFUSED: entry(2, 409, "see what is refused: slipway server check <host>"),
  SERVER_STEP_FAILED: entry(1, 502, "run it again: what is done is not done twice", true),
  ENGINE_TOO_OLD: entry(2, 424, "upgrade Docker on the host to 20.10 or newer"),
  IMAGE_MISSING: entry(1, 410, "check the image's name, or make the release again from its commit"),
  IMAGE_WRONG_PLATFORM: entry(2, 422, "build the image for the host's platform: set image.platforms"),
  ROOT_REFUSED: entry(2, 422, "give the image a USER, or the service a user; or set rootUser to warn"),
  REGISTRY_DENIED: entry(1, 403, "check the registry's user and password, and what they may do"),
  REGISTRY_AWAY: entry(1, 503, "check that the registry is up and reachable", true),
  // Target and edge
  START_FAILED: entry(1, 500, "check the service's command and its working directory"),
  CRASH_LOOP: entry(1, 502, "read the service's log lines; it exits again and again"),
  INSTANCE_NOT_FOUND: entry(2, 404, "run: slipway status, for the instances that run"),
  EXEC_FAILED: entry(1, 502, "check the command and that the instance runs"),
  STOP_FAILED: entry(1, 502, "look at what is named here, then run it again: slipway down --all", true),
  PORT_TAKEN: entry(1, 409, "stop the other program or choose another port"),
  PORTS_EXHAUSTED: entry(1, 507, "widen the port range, or stop something"),
  EDGE_UNREACHABLE: entry(1, 503, "run: slipway doctor", true),
  EDGE_REFUSED_TABLE: entry(1, 422, "this is a bug in the planner; the routes in force are unchanged"),
  EDGE_TOO_OLD: entry(2, 424, "install a newer version of the edge; Debian stable's Caddy 2.6.2 is too old"),
  EDGE_DIED: entry(1, 503, "run: slipway doctor", true),
  SUPERVISOR_UNREACHABLE: entry(1, 503, "run: slipway doctor", true),
  // Engine and store
  STORE_LOCKED: entry(6, 423, "another control plane uses this state directory; stop it or use another --state-dir"),
  STORE_CORRUPT: entry(1, 500, "restore the newest copy: slipway state restore <file>"),
  STORE_TOO_NEW: entry(1, 500, "this state was written by a newer slipway; upgrade this one"),
  STORE_FAILED: entry(1, 500, "check the disk: space, permissions, hardware", true),
  DISK_FULL: entry(1, 507, "free space on the disk that holds the state directory", true),
  BACKUP_INVALID: entry(2, 422, "name a file made by: slipway state backup"),
  STORE_DIFFERS: entry(1, 500, "another build of slipway made this state; use the one that wrote it"),
  PAYLOAD_TOO_LARGE: entry(1, 413, "keep large content in a file or an artifact, and pass its name"),
  WORKFLOW_UNKNOWN: entry(
    1,
    500,
    "this state holds work of a kind this slipway does not know; use the version that wrote it",
  ),
  WORKFLOW_DIVERGED: entry(1, 500, "the code of a workflow changed under work in flight; this is a bug"),
  // Control plane and API
  CONTROL_PLANE_DOWN: entry(1, 503, "run: slipway up", true),
  CONTROL_PLANE_START: entry(1, 500, "read the control plane's log, named above"),
  UNAUTHORIZED: entry(2, 401, "use the token in the state directory's token file"),
  NOT_FOUND: entry(2, 404, "run: slipway --help"),
  BODY_TOO_LARGE: entry(2, 413, "send less"),
  TIMED_OUT: entry(124, 504, "it goes on without you; look at: slipway status"),
  INTERRUPTED: entry(130, 499, "look at: slipway status; to call it off: slipway cancel <environment>"),
  INTERNAL: entry(1, 500, "this is a bug in slipway; please report it with the lines above"),
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof catalogue;
