/** `lab-host.toml`: every key once, with its default. */
import { Duration } from '@cis490/shared/duration.ts'
import { HostName } from '@cis490/shared/ids.ts'
import { Wave } from '@cis490/shared/rollout.ts'
import { Size } from '@cis490/shared/size.ts'
import { z } from 'zod'
import { parseWindow } from './core/windows.ts'

const leastRate = 4 * 1024
/** Bytes a second. Slower bodies would be cut by the receiver, which asks for 1 KiB a second of each. */
const rate = Size.default(0).refine((bytes) => bytes === 0 || bytes >= leastRate, {
  error: (issue) =>
    `${issue.input} bytes a second is too slow, the receiver would cut it; write "4KiB" or more, or "0" for no limit`,
})

const windows = z.array(
  z.string({ error: 'each window is a text like "Mon..Fri 20:00..06:00"' }).superRefine((text, context) => {
    const window = parseWindow(text)
    if (typeof window === 'string') context.addIssue({ code: 'custom', message: window })
  }),
)

/** For processors none by default: a host that computes has more to run than processors all the time, and that is near 100 then. */
const percent = z.number().min(0).max(100)

/** Both loops sleep that long: zero would spin. */
const rescan = Duration.refine((ms) => ms >= 100 && ms <= 24 * 3_600_000, { error: 'from "100ms" to "24h"' })

/** More often is of no use to anybody. */
const beatEvery = Duration.refine((ms) => ms >= 1000 && ms <= 24 * 3_600_000, { error: 'from "1s" to "24h"' })

export const AgentConfig = z.strictObject({
  host: z.strictObject({ name: HostName.optional() }).prefault({}),
  receiver: z.strictObject({
    url: z.url({ protocol: /^https?$/ }),
    ca_file: z.string().default(''),
    cert_file: z.string().default(''),
    key_file: z.string().default(''),
    token_file: z.string().default(''),
    receipt_keys_file: z.string().default(''),
  }),
  paths: z
    .strictObject({
      episodes: z.string().default('/var/lib/cis490/episodes'),
      outbox: z.string().default('/var/lib/cis490/outbox'),
      state: z.string().default('/var/lib/cis490/agent'),
    })
    .prefault({}),
  ship: z
    .strictObject({
      concurrency: z.int().min(1).max(64).default(2),
      rate_limit: rate,
      windows: windows.default([]),
      rescan: rescan.prefault('30s'),
      keep_shipped: Size.default(0),
      max_pressure: z
        .strictObject({ io: percent.default(60), cpu: percent.default(0), memory: percent.default(20) })
        .prefault({}),
    })
    .prefault({}),
  quota: z
    .strictObject({
      bytes: Size.default(0),
      policy: z.enum(['stop-packing', 'drop-oldest-delivered']).default('stop-packing'),
      reserve: Size.prefault('64MiB'),
    })
    .prefault({}),
  heartbeat: z.strictObject({ every: beatEvery.prefault('60s') }).prefault({}),
  doctor: z.strictObject({ checks: z.string().default('/etc/cis490/doctor.d') }).prefault({}),
  update: z
    .strictObject({
      branch: z.string().default('main'),
      wave: Wave.default(0),
      require_signed: z.boolean().default(false),
      source: z.enum(['git', 'bundle']).default('git'),
    })
    .prefault({}),
  certs: z.strictObject({ renew_at: z.number().gt(0).lt(1).default(0.66) }).prefault({}),
})
export type AgentConfig = z.infer<typeof AgentConfig>

export const defaultConfigFile = '/etc/cis490/lab-host.toml'
