/** Some at a time, in the order they come. */

/** After a failure nothing new is begun, and what runs is waited for. @throws the first failure */
export async function inParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  let failed = false
  const worker = async () => {
    try {
      for (let next = await left.next(); !failed && !next.done; next = await left.next()) await work(next.value)
    } catch (error) {
      failed = true
      throw error
    } finally {
      await left.return?.()
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, worker))
  for (const one of ended) if (one.status === 'rejected') throw one.reason as Error
}
