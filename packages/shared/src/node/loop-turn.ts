/** The end of this turn of the event loop: whoever else has something to do in it has done that by then. */

let next: Promise<void> | undefined

/** One promise for all who ask in the same turn. No timer: with nothing else to do it is now. */
export function endOfTurn(): Promise<void> {
  next ??= new Promise((resolve) => {
    setImmediate(() => {
      next = undefined
      resolve()
    })
  })
  return next
}
