/**
 * Why a text cannot be stored exactly, as a sentence: it has NUL, which PostgreSQL cannot store, or a lone surrogate,
 * which UTF-8 cannot encode. `undefined` when it can.
 *
 * @param name the beginning of the sentence
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
