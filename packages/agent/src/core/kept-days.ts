/** Which days' reports go. */

const kept = 14

/** Days as `2026-11-22`. What is later than today is of a clock that was wrong. @param days oldest first */
export function reportsToDrop(days: readonly string[], today: string): string[] {
  const past = days.filter((day) => day < today)
  return [...past.slice(0, Math.max(0, past.length - (kept - 1))), ...days.filter((day) => day > today)]
}
