/**
 * When shipping is allowed, in the words of systemd's calendar:
 *
 *     [days] [date] [time]        each may be left out, not all of them
 *     Mon..Fri 20:00..06:00       days, and a span of time; over midnight it belongs to the day on which it begins
 *     Sat,Sun                     without a time: the whole day
 *     *-*-01..07 22:00..24:00     year-month-day
 *     Mon..Fri 20..23:*           hours and minutes as lists, spans and * : every minute that matches
 */

export interface LocalTime {
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly day: number
  /** 0 is Monday. */
  readonly weekday: number
  readonly hour: number
  readonly minute: number
}

type Field = ReadonlySet<number> | 'any'

export interface Window {
  readonly text: string
  readonly weekdays: Field
  readonly year: Field
  readonly month: Field
  readonly day: Field
  /** A span in minutes of the day, `to` exclusive; over midnight where it ends before it begins. */
  readonly span?: { readonly from: number; readonly to: number }
  readonly hours?: Field
  readonly minutes?: Field
}

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const longNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
const allowed = 'write it like "Mon..Fri 20:00..06:00", "22:00..06:00", "Sat,Sun" or "*-*-* 01:00..05:00"'

/** @returns the window, or why the text is none */
export function parseWindow(text: string): Window | string {
  const words = text.trim().split(/\s+/).filter(Boolean)
  const refuse = (why: string) => `"${text}" is no window: ${why}; ${allowed}`
  const rest = [...words]
  const take = (fits: (word: string) => boolean) => (rest[0] !== undefined && fits(rest[0]) ? rest.shift() : undefined)
  const days = take((word) => /^[a-z]/i.test(word))
  const date = take((word) => !word.includes(':') && word.includes('-'))
  const time = take((word) => word.includes(':'))
  if (words.length === 0) return refuse('it is empty')
  if (rest.length > 0) return refuse(`"${rest[0]}" is not understood here`)
  const weekdays = days === undefined ? 'any' : parseField(days, 0, 6, dayNumber)
  if (weekdays === undefined) return refuse(`"${days}" names no days${spanHint(days)}`)
  const parts = (date ?? '*-*-*').split('-')
  const [year, month, day] = [parseField(parts[0], 1970, 9999), parseField(parts[1], 1, 12), parseField(parts[2], 1, 31)]
  if (year === undefined || month === undefined || day === undefined || parts.length > 3)
    return refuse(`"${date}" is no date; write ${hourSpan(date) ?? 'year-month-day, * for any'}`)
  const dayPart = { text, weekdays, year, month, day }
  if (time === undefined) return { ...dayPart, span: { from: 0, to: 24 * 60 } }
  const when = parseSpan(time) ?? parseClock(time)
  return typeof when === 'string' ? refuse(when) : { ...dayPart, ...when }
}

/** `Mon-Fri` is what many write. */
function spanHint(days: string | undefined): string {
  const [from, to, ...more] = days?.split('-') ?? []
  return from && to && more.length === 0 ? `, write ${from}..${to}` : ''
}

/** `22-06` was meant as hours. */
function hourSpan(date: string | undefined): string | undefined {
  const hours = /^(\d{1,2})-(\d{1,2})$/.exec(date ?? '')
  return hours ? `${hours[1]?.padStart(2, '0')}:00..${hours[2]?.padStart(2, '0')}:00` : undefined
}

function dayNumber(word: string): number {
  const name = word.toLowerCase()
  return Math.max(dayNames.indexOf(name), longNames.indexOf(name))
}

function wholeNumber(word: string): number {
  return /^\d{1,4}$/.test(word) ? Number(word) : -1
}

/** `*`, `a`, `a..b`, `a,b..c`; a span may go round the end: Fri..Mon. */
function parseField(
  text: string | undefined,
  least: number,
  most: number,
  read: (word: string) => number = wholeNumber,
): Field | undefined {
  if (text === undefined) return undefined
  if (text === '*') return 'any'
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const [from, to = from, ...more] = part.split('..').map(read)
    const good = (value: number | undefined): value is number => value !== undefined && value >= least && value <= most
    if (!good(from) || !good(to) || more.length > 0) return undefined
    for (let value = from; ; value = value === most ? least : value + 1) {
      values.add(value)
      if (value === to) break
    }
  }
  return values
}

/** `HH:MM..HH:MM`, or with `-` or a dash between. @returns undefined when it is no span at all */
function parseSpan(text: string): Pick<Window, 'span'> | string | undefined {
  const match = /^(\d{1,2}):(\d{2})(?::00)?(?:\.\.|-|–)(\d{1,2}):(\d{2})(?::00)?$/.exec(text)
  if (!match) return undefined
  const [fromHour, fromMinute, toHour, toMinute] = match.slice(1).map(Number) as [number, number, number, number]
  const [from, to] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute]
  if (fromMinute > 59 || toMinute > 59 || from >= 24 * 60 || to > 24 * 60) return `"${text}" is no time of a day`
  if (from === to) return `"${text}" begins and ends at once, leave the time out for a whole day`
  return { span: { from, to } }
}

/** `20..23:*`: every minute whose hour and minute match. */
function parseClock(text: string): Pick<Window, 'hours' | 'minutes'> | string {
  const [hour, minute, second, ...more] = text.split(':')
  const hours = parseField(hour, 0, 23)
  const minutes = parseField(minute, 0, 59)
  if (hours === undefined || minutes === undefined || more.length > 0 || (second !== undefined && !['*', '00'].includes(second)))
    return `"${text}" is no span of time`
  if (/^\d+:\d+(:00)?$/.test(text)) return `"${text}" is a moment, and a window has a beginning and an end`
  return { hours, minutes }
}

/** @param yesterday the local time a day earlier: a span over midnight belongs to the day on which it begins */
export function isInside(window: Window, now: LocalTime, yesterday: LocalTime): boolean {
  const { span, hours, minutes } = window
  if (span === undefined) return onDay(window, now) && has(hours, now.hour) && has(minutes, now.minute)
  const at = now.hour * 60 + now.minute
  if (span.from < span.to) return onDay(window, now) && at >= span.from && at < span.to
  return (onDay(window, now) && at >= span.from) || (onDay(window, yesterday) && at < span.to)
}

function onDay(window: Window, { year, month, day, weekday }: LocalTime): boolean {
  return has(window.weekdays, weekday) && has(window.year, year) && has(window.month, month) && has(window.day, day)
}

function has(field: Field | undefined, value: number): boolean {
  return field === undefined || field === 'any' || field.has(value)
}

/** The day before, by the calendar. */
export function dayBefore(time: LocalTime): LocalTime {
  const date = new Date(Date.UTC(time.year, time.month - 1, time.day - 1))
  return {
    ...time,
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: (time.weekday + 6) % 7,
  }
}

/** No windows: always. @param local the wall clock of this host, for epoch milliseconds */
export function isAllowed(windows: readonly Window[], now: number, local: (ms: number) => LocalTime): boolean {
  if (windows.length === 0) return true
  const time = local(now)
  const yesterday = dayBefore(time)
  return windows.some((window) => isInside(window, time, yesterday))
}

const minuteMs = 60_000
const furthest = 8 * 24 * 60

/** @returns when the next window begins, epoch milliseconds; undefined when none does within eight days */
export function nextOpening(windows: readonly Window[], now: number, local: (ms: number) => LocalTime): number | undefined {
  const start = Math.floor(now / minuteMs) * minuteMs
  for (let k = 1; k <= furthest; k++) if (isAllowed(windows, start + k * minuteMs, local)) return start + k * minuteMs
  return undefined
}
