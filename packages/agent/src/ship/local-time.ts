/** The wall clock of a time zone, daylight saving time included. */
import type { LocalTime } from '../core/windows.ts'

const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** @param timeZone left out: this host's. @returns from epoch milliseconds */
export function wallClock(timeZone?: string): (ms: number) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    ...(timeZone === undefined ? {} : { timeZone }),
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', weekday: 'short', hour: 'numeric', minute: 'numeric' },
    hourCycle: 'h23',
  })
  return (ms) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]))
    const number = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type))
    return {
      year: number('year'),
      month: number('month'),
      day: number('day'),
      weekday: weekdays.indexOf(parts.get('weekday') ?? ''),
      hour: number('hour'),
      minute: number('minute'),
    }
  }
}
