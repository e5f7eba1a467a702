/**
 * What keeps a text from being stored exactly as it is, as a sentence: NUL, which PostgreSQL cannot hold, and lone
 * surrogates, which UTF-8 cannot. `undefined` when nothing does.
 *
 * @param name of the text, as the sentence is to begin
 */
export function textProblem(name: string, text: string): string | undefined {
  if (text.includes('\0')) return `${name} must not contain the NUL character.`;
  if (!text.isWellFormed()) return `${name} must be well-formed Unicode (it contains half of a surrogate pair).`;
  return undefined;
}

/** Whether a text has more than `limit` characters, counted as Unicode code points. */
export function isLonger(text: string, limit: number): boolean {
  // A code point is one or two UTF-16 code units: most texts need no count.
  return text.length > limit && (text.length > 2 * limit || [...text].length > limit);
}
