/** Words of a sentence, without what is no letter. */
export function words(text) {
  return text.toLowerCase().match(/\p{L}+/gu) ?? [];
}
