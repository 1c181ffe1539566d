/** `fleet.toml`: every key once, with its default. */
import { Duration } from '@cis490/shared/duration.ts'
import { z } from 'zod'

const positive = (text: string) => Duration.refine((ms) => ms > 0, 'must be longer than nothing').prefault(text)

export const FleetConfig = z.strictObject({
  state_dir: z.string().min(1).default('/var/lib/cis490'),
  listen: z.string().default('127.0.0.1:8080'),
  token_file: z.string().default(''),
  ingest_token_files: z.array(z.string()).default([]),
  inventory_file: z.string().default(''),
  registry_file: z.string().default(''),
  monitor: z
    .strictObject({
      silent_after: positive('30m'),
      active_within: positive('24h'),
      repeat_interval: positive('1h'),
      stale_report_after: positive('26h'),
    })
    .prefault({})
    .refine((monitor) => monitor.active_within > monitor.silent_after, 'active_within must be longer than silent_after'),
})
export type FleetConfig = z.infer<typeof FleetConfig>

/** Limits in milliseconds. */
export type MonitorConfig = FleetConfig['monitor']

export const defaultConfigFile = '/etc/cis490/fleet.toml'
