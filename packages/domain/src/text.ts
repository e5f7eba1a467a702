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

/**
 * Characters that show nothing: white space, controls, format characters, fillers. As ranges, because JSON Schema has no
 * names for them.
 */
export const INVISIBLE =
  '\\s\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f' +
  '\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb';

const VISIBLE = new RegExp(`[^${INVISIBLE}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]`, 'u');

/** Whether a text shows anything. */
export function isVisible(text: string): boolean {
  return VISIBLE.test(text);
}

/**
 * A text without the differences that a search ignores: full case folding of Unicode, and canonically equivalent spellings
 * are the same. Only for comparing.
 */
export function folded(text: string): string {
  // Lower case first, because there is an upper case ß; then upper case, because lower case depends on the place in a word.
  return text.normalize('NFD').toLowerCase().toUpperCase().normalize('NFD');
}

/** Whether a text has more than `limit` characters, counted as Unicode code points. */
export function isLonger(text: string, limit: number): boolean {
  // A code point is one or two UTF-16 code units: most texts need no count.
  return text.length > limit && (text.length > 2 * limit || [...text].length > limit);
}
