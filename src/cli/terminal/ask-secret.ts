const enter = new Set(["\r", "\n", "\u0004"]);
const erase = new Set(["\u007f", "\b"]);
const interrupt = "\u0003";

/** Asks on the terminal without showing what is typed; null when it is called off with Ctrl-C. */
export async function askSecret(question: string): Promise<string | null> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8").resume();
  try {
    return await new Promise((resolve) => {
      let typed = "";
      stdin.on("data", (text: string) => {
        for (const char of text) {
          if (char === interrupt) return resolve(null);
          if (enter.has(char)) return resolve(typed);
          typed = erase.has(char) ? [...typed].slice(0, -1).join("") : typed + char;
        }
      });
    });
  } finally {
    stdin.removeAllListeners("data").setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}
