/** pino to a stream: `<N>` before each line under the journal, readable text on a terminal, bare JSON else. */
import { styleText } from 'node:util'
import { type Logger, pino } from 'pino'
import { printable, printableLines } from '../printable.ts'
import { isJournal } from './journal-stream.ts'
import { JournalTeller } from './journal-teller.ts'

export type { Logger } from 'pino'

const journalPriority: Record<number, number> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 }

export type LogStyle = 'journal' | 'text' | 'json'

/** @param stream where the lines go: a daemon's stdout, a one-shot command's stderr */
export function logStyle(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env): LogStyle {
  if (isJournal(stream, env)) return 'journal'
  return stream.isTTY ? 'text' : 'json'
}

/**
 * Synchronous, so that the last line before a crash is there.
 * Messages are static; data goes into fields. `event` names a state change for scripts.
 * @param gathers lines of one turn of the loop go out together: for a daemon that may have many in one; a bad one goes out at once
 */
export function makeLogger(
  stream: NodeJS.WriteStream,
  level = 'info',
  style: LogStyle = logStyle(stream),
  gathers = false,
): Logger {
  // Whoever read the log went away; what is logged about must go on.
  if (stream.listenerCount('error') === 0) stream.on('error', () => undefined)
  // On a terminal a progress bar may stand on this line; it is drawn again below.
  const clear = style === 'text' && stream.isTTY ? '\r\u001b[K' : ''
  const gather = gathers ? gatherer(stream) : undefined
  const teller = style === 'journal' ? new JournalTeller() : undefined
  const destination = {
    write: (line: string) => {
      gather?.(line)
      stream.write(clear + dress(line, style))
      if (line.startsWith('{"level":"error"')) teller?.tell(JSON.parse(line) as Record<string, unknown>)
    },
  }
  return pino(
    {
      level,
      base: null,
      timestamp: style === 'journal' ? false : pino.stdTimeFunctions.isoTime,
      formatters: { level: (label, number) => ({ level: label, priority: journalPriority[number] ?? 6 }) },
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    destination,
  )
}

/** @returns told of each line before it is written */
function gatherer(stream: NodeJS.WriteStream): (line: string) => void {
  let gathering = false
  const flush = () => {
    if (gathering) stream.uncork()
    gathering = false
  }
  process.on('exit', flush)
  return (line) => {
    if (!line.startsWith('{"level":"info"')) return flush()
    if (gathering) return
    gathering = true
    stream.cork()
    setImmediate(flush)
  }
}

function dress(line: string, style: LogStyle): string {
  if (style === 'json') return line
  const { priority, level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  if (style === 'journal') return `<${priority}>${line}`
  return readable(String(level), String(time), String(msg ?? ''), fields)
}

function readable(level: string, time: string, message: string, fields: Record<string, unknown>): string {
  const colour = level === 'error' || level === 'fatal' ? 'red' : level === 'warn' ? 'yellow' : 'green'
  const data = Object.entries(fields).map(
    ([key, value]) => `${key}=${printable(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))}`,
  )
  return `${styleText('gray', time.slice(11, 19))} ${styleText(colour, level.padEnd(5))} ${message}${data.length > 0 ? `  ${styleText('gray', data.join(' '))}` : ''}\n`
}

/** Raw lines that a person copies from the journal: never JSON, each with its own priority, control characters stripped. */
export function writeRawLines(stream: NodeJS.WriteStream, text: string, style: LogStyle = logStyle(stream)): void {
  const prefix = style === 'journal' ? '<3>' : ''
  for (const line of printableLines(text)) stream.write(`${prefix}${line}\n`)
}
