/** Which of the known names somebody may have meant. */

/** @returns the closest first, at most `count`; none that is far off */
export function nearest(text: string, known: Iterable<string>, count = 3): string[] {
  const wanted = text.toLowerCase()
  const far = Math.max(2, Math.floor(wanted.length / 4))
  const scored: { name: string; score: number }[] = []
  for (const name of new Set(known)) {
    const other = name.toLowerCase()
    const score = wanted.length > 2 && other.includes(wanted) ? 0.5 : distance(wanted, other, far)
    if (score <= far && score < wanted.length) scored.push({ name, score })
  }
  return scored
    .sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name)
}

/** Letters to change, add or leave out (Levenshtein); more than `most` is told as Infinity. */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, k) => k)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    if (Math.min(...next) > most) return Number.POSITIVE_INFINITY
    row = next
  }
  return row[b.length] as number
}
