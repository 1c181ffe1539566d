/** Tells the journal: one WARNING for each alert that fires, one notice for each that is over. */
import type { AlertRow } from '@cis490/shared/alert.ts'
import type { Logger } from '@cis490/shared/node/log.ts'

export function announce(log: Logger, row: AlertRow): void {
  const { host, symptom, state, id, severity, hour_bucket, since, text, remedy, inhibits, duration_s } = row
  if (state === 'firing')
    log.warn(
      { event: 'alert', host, symptom, state, id, severity, hour_bucket, since, text, remedy, inhibits },
      'alert is firing',
    )
  else log.info({ event: 'alert', host, symptom, state, id, since, duration_s, text }, 'alert is resolved')
}
