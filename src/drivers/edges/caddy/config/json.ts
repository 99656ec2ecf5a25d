/** The part of Caddy's JSON config that is written here (https://caddyserver.com/docs/json/), 2.8 and newer. */
export type Handler = { readonly handler: string; readonly [option: string]: unknown };
export type Matcher = Readonly<Record<string, unknown>>;
export type Route = { readonly match?: readonly Matcher[]; readonly handle: readonly Handler[] };

/** Caddy reads durations as text with a unit. */
export const ms = (value: number): string => `${value}ms`;

export const subroute = (routes: readonly Route[], errors: readonly Route[] | null = null): Handler => ({
  handler: "subroute",
  routes,
  ...(errors === null ? {} : { errors: { routes: errors } }),
});

/** The error that is being handled goes on to the next who handles errors. Without it the request would count as served. */
export const failOn: Handler = {
  handler: "error",
  status_code: "{http.error.status_code}",
  error: "{http.error.message}",
};

export const setVars = (values: Readonly<Record<string, string>>): Handler => ({ handler: "vars", ...values });

/** A field of the request's log line; a placeholder is read when everything after it is done. */
export const logged = (key: string, value: string): Handler => ({ handler: "log_append", key, value });

/** Applied when the answer's head is written, so after what the service has set; the outermost has the last word. */
export const answerHeaders = (
  changes: { readonly set?: Readonly<Record<string, string>>; readonly delete?: readonly string[] },
  unlessSet: string | null = null,
): Handler => ({
  handler: "headers",
  response: {
    deferred: true,
    ...(unlessSet === null ? {} : { require: { headers: { [unlessSet]: null } } }),
    ...(changes.set === undefined ? {} : { set: listed(changes.set) }),
    ...(changes.delete === undefined ? {} : { delete: changes.delete }),
  },
});

export const requestHeaders = (changes: {
  readonly set?: Readonly<Record<string, string>>;
  readonly delete?: readonly string[];
}): Handler => ({
  handler: "headers",
  request: {
    ...(changes.set === undefined ? {} : { set: listed(changes.set) }),
    ...(changes.delete === undefined ? {} : { delete: changes.delete }),
  },
});

export const invoke = (name: string): Handler => ({ handler: "invoke", name });

export const stripPrefix = (prefix: string): Handler => ({ handler: "rewrite", strip_path_prefix: prefix });

export const not = (...matchers: readonly Matcher[]): Matcher => ({ not: matchers });

/** Text in which braces are braces, not placeholders. */
export const literal = (text: string): string => text.replace(/[{}]/g, "\\$&");

/** In a regular expression of Go (RE2), this text and nothing else. */
export const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

function listed(values: Readonly<Record<string, string>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]]));
}
