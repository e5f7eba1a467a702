/** The most characters of the texts of a task, as the API has it. */
export const MOST = { title: 255, description: 1000 };

/** How many characters before its limit a text begins to be counted. */
const NEAR = 30;

/** What is to be said of the length of a text; nothing while it is far from its limit. */
export function lengthNote(text: string, most: number): string {
  // Code points, as the API counts: an emoji is one.
  const length = [...text].length;
  if (length > most) return `${length} of ${most} characters: ${length - most} too many.`;
  return length > most - NEAR ? `${length} of ${most} characters.` : '';
}

/** Whether a text has more characters than it may have. */
export function isTooLong(text: string, most: number): boolean {
  return [...text].length > most;
}
