/** A logger whose lines a test can read. */
import { Writable } from 'node:stream'
import { type Logger, makeLogger } from '@cis490/shared/node/log.ts'

export interface CapturedLog {
  readonly log: Logger
  readonly lines: Record<string, unknown>[]
  /** The lines of one level. */
  at(level: 'info' | 'warn' | 'error'): Record<string, unknown>[]
}

export function capturedLog(): CapturedLog {
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      lines.push(JSON.parse(line) as Record<string, unknown>)
      done()
    },
  })
  const log = makeLogger(stream as unknown as NodeJS.WriteStream, 'info', 'json')
  return { log, lines, at: (level) => lines.filter((line) => line['level'] === level) }
}
