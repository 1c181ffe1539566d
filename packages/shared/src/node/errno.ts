/** Tells a system error of one of these codes from everything else. */
export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** What a call of the system was answered with, whatever it was. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** What went wrong in one line, for a person. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  return error.message || error.name
}

/** What a failure goes back to: the innermost cause; of a failed clean-up after a failure, the failure. */
export function rootCause(error: unknown): unknown {
  let root = error
  for (;;) {
    if (root instanceof SuppressedError) root = root.suppressed
    else if (root instanceof Error && root.cause !== undefined) root = root.cause
    else return root
  }
}
