/** The end of a waiver, as a person writes it in TOML. */
import { z } from 'zod'

const dayMs = 86_400_000

/** A time with its offset, or a day, which counts to its end in UTC; as a TOML date or as text. @returns epoch milliseconds */
export const Until = z.union([z.string(), z.instanceof(Date)]).transform((value, context) => {
  // The parser's dates are Dates whose text tells what was written: a bare day has no time.
  const text = typeof value === 'string' ? value : value.toISOString()
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    const day = Date.parse(`${text}T00:00:00Z`)
    if (!Number.isNaN(day)) return day + dayMs
  }
  // A time without an offset would mean another moment on another machine.
  const instant = /(?:Z|[+-]\d{2}:\d{2})$/i.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(instant)) return instant
  context.addIssue({ code: 'custom', message: 'write a day like 2026-12-01 or a time like 2026-12-01T12:00:00Z' })
  return z.NEVER
})
