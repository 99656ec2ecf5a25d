// The worker: has something to do every second, and says so in Redis.
import { openRedis } from "./redis.js";

const redis = openRedis({ host: "redis", port: 6379 });
console.log("worker works");
setInterval(() => {
  redis.increment("worker:beats").catch((error) => console.error(error.message));
}, 1000);
process.on("SIGTERM", () => process.exit(0));
