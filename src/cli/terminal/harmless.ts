/** What has not ended by then is no sequence: a step may print the beginning of one and nothing more. */
const longestSequence = 4_096;

/** Of what a terminal obeys, tabs, new lines, returns to the beginning of a line, and colours stay. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const colour = /^\u001b\[[0-9;:]*m$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const obeyed = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
/**
 * A whole sequence: CSI; OSC, DCS, SOS, PM and APC with their text; any other; else one sign, also an ESC of no sequence. Looked for in
 * one go: nothing new comes of what is left on both sides of one.
 */
const sequence =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[ -/]*[0-OQ-WYZ\\`-~]|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;
/** The beginning of one, at the end of a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const begun = /\u001b(?:\[[0-?]*[ -/]*|[\]PX^_][^\u0007\u001b]*\u001b?|[ -/]*)$/;

/**
 * What a program has printed, as somebody else's terminal may be given it: with its colours, and without what would move the
 * cursor, clear the screen, write the clipboard or the title, or answer as if somebody had typed. Takes a text piece by piece.
 */
export class HarmlessText {
  #rest = "";

  take(piece: string): string {
    const text = this.#rest + piece;
    this.#rest = "";
    if (!obeyed.test(text)) return text;
    const at = begun.exec(text)?.index ?? text.length;
    if (text.length - at <= longestSequence) this.#rest = text.slice(at);
    const whole = this.#rest === "" ? text : text.slice(0, at);
    return whole.replace(sequence, (found) => (colour.test(found) ? found : ""));
  }
}

/** One line of a program, whole: a colour ends with it, and nothing of it goes back over what stands before it. */
export function harmlessLine(text: string): string {
  const line = new HarmlessText().take(text.replaceAll("\r", ""));
  return line.includes("\u001b") ? `${line}\u001b[0m` : line;
}
