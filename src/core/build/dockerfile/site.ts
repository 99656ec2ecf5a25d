import { nodeBuildStage } from "./node.ts";
import { readManifest } from "./node-packages.ts";
import { type FoundFiles, healthcheck, isPlainPath, ownDirectory, type Recipe, type RecipeWishes } from "./recipe.ts";

/** As the server of the `process` target answers it. */
export const siteHealthPath = "/.slipway/health";
const defaultPort = 8080;
/** The user `nginx` of the official image. */
const nginxUser = "101:101";
const confPath = `${ownDirectory}/nginx.conf`;

/**
 * Files, served by nginx: a tenth of the memory and the size of a server in Node, with the same manners (hashed names are kept
 * for a year, everything else is asked for again; unknown paths are 404 or the fallback).
 */
export function siteRecipe(files: FoundFiles, wishes: RecipeWishes): Recipe {
  const { directory, fallback } = wishes.site ?? { directory: ".", fallback: null };
  if (!isPlainPath(directory) || (fallback !== null && !isPlainPath(fallback))) {
    return {
      is: "refused",
      why: "the names of a site's directory and fallback file hold letters, digits and . _ - / only",
      hint: "rename them, or write a Dockerfile",
    };
  }
  const port = wishes.port ?? defaultPort;
  const manifest = readManifest(files.text("package.json"));
  const isBuilt = manifest?.scripts.build !== undefined;
  const dockerfile = [
    ...(isBuilt && manifest !== null ? [...nodeBuildStage(files, manifest, wishes), ""] : []),
    `FROM ${wishes.bases.site}`,
    // Its entry point rewrites files as root; there is nothing to rewrite here.
    "ENTRYPOINT []",
    `COPY ${confPath} /etc/nginx/nginx.conf`,
    isBuilt ? `COPY --from=build /app/${directory} /site` : `COPY ${directory} /site`,
    `USER ${nginxUser}`,
    `EXPOSE ${port}`,
    "STOPSIGNAL SIGQUIT",
    healthcheck(["wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${port}${siteHealthPath}`]),
    'CMD ["nginx", "-g", "daemon off;"]',
    "",
  ].join("\n");
  return { is: "made", dockerfile, files: { [confPath]: nginxConf(port, fallback) } };
}

function nginxConf(port: number, fallback: string | null): string {
  return `# The whole configuration: nothing is written but below /tmp, nothing listens below port 1024.
worker_processes 2;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;

events { worker_connections 1024; }

http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  # The edge writes the access log.
  access_log off;
  server_tokens off;
  sendfile on;
  tcp_nopush on;
  # Longer than the edge's pools keep a connection, so that it is always the edge that closes an idle one.
  keepalive_timeout 65s;
  absolute_redirect off;
  gzip on;
  gzip_vary on;
  gzip_min_length 1024;
  gzip_types text/css text/plain text/xml application/javascript text/javascript application/json application/xml
             image/svg+xml application/manifest+json application/wasm font/ttf;

  # A digest of the content in the name: hexadecimal anywhere, other alphabets where bundlers put them.
  map $uri $kept {
    default no-cache;
    "~[.-](?=[a-f]*[0-9])(?=[0-9]*[a-f])[a-f0-9]{8,64}\\.[A-Za-z0-9]+(\\.map)?$" "public,max-age=31536000,immutable";
    "~/(assets|static|_next|_app|chunks)/.*[.-](?=[^./]*[0-9])(?=[^./]*[A-Za-z])[A-Za-z0-9_-]{8,12}\\.[A-Za-z0-9]+(\\.map)?$" "public,max-age=31536000,immutable";
  }

  server {
    listen ${port};
    root /site;
    add_header Cache-Control $kept;
    add_header X-Content-Type-Options nosniff always;

    location = ${siteHealthPath} {
      default_type text/plain;
      add_header Cache-Control no-store;
      return 200 "ok\\n";
    }
    location ^~ /.well-known/ { }
    # Hidden names are no pages.
    location ~ /\\. { return 404; }
    location / { try_files $uri $uri.html $uri/index.html ${fallback === null ? "=404" : "@fallback"}; }
${
  fallback === null
    ? ""
    : `
    # A page of the program in the browser; what has an extension was meant as a file.
    location @fallback {
      if ($uri ~ \\.[^/]+$) { return 404; }
      rewrite ^ /${fallback.replace(/^\/+/, "")} break;
    }
`
}  }
}
`;
}
