const told = new WeakMap<object, Set<string>>()

/** True once for each word in the life of `owner`: a daemon that scans every half minute says a thing once. */
export function firstTime(owner: object, word: string): boolean {
  const words = told.get(owner) ?? new Set()
  told.set(owner, words)
  if (words.has(word)) return false
  words.add(word)
  return true
}
