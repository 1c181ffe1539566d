/** This machine's name as a lab host, whatever it is called. */
import { hostname } from 'node:os'
import { HostName } from '@cis490/shared/ids.ts'

export const staleHost = 'stale-host'

export function thisHost(): string {
  const parsed = HostName.safeParse(hostname().slice(0, 63))
  return parsed.success && parsed.data !== staleHost && parsed.data !== 'server' && parsed.data !== 'ca'
    ? parsed.data
    : 'lab-host'
}
