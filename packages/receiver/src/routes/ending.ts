/** What ends a body from outside: the receiver's own end, or a newer request. */

export interface Ending extends Disposable {
  readonly controller: AbortController
}

/** @param cut when it aborts, this one does, with its reason */
export function endingWith(cut: AbortSignal): Ending {
  const controller = new AbortController()
  const onCut = () => controller.abort(cut.reason)
  if (cut.aborted) onCut()
  cut.addEventListener('abort', onCut)
  return { controller, [Symbol.dispose]: () => cut.removeEventListener('abort', onCut) }
}
