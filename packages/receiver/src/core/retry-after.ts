/** When the refused may come back: never all at once. Pure. */

/**
 * Between half of the time and all of it.
 * @param seconds the longest wait
 * @param random 0 to 1
 */
export function jittered(seconds: number, random: number): number {
  return Math.max(1, Math.ceil(seconds * (0.5 + random / 2)))
}
