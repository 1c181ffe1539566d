/** A machine that is host and receiver at once: both change over together, or neither does. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Trial } from './trial.ts'
import type { Lack } from './without.ts'

const nothing = () => undefined
/** The doctor's part is tried with others. */
const brief = { CIS490_TRIAL_BRIEF: 'yes' }

/** The receiver beside the agent runs what the checkout holds. @param soon it was told to start, and nobody has waited for it */
export async function receiverFaults(trial: Trial, soon = false): Promise<string[]> {
  if (soon && !trial.systemctl('start', 'cis490-receiver')) return ['the receiver does not start']
  const deadline = performance.now() + (soon ? 5000 : 0)
  let told = await trial.told()
  while (told === undefined && performance.now() < deadline) {
    await sleep(20)
    told = await trial.told()
  }
  return told === trial.head() ? [] : [`the receiver runs ${told}, the checkout is at ${trial.head()}`]
}

/** For a trial that has such a receiver. */
export const besides: readonly Lack[] = [
  {
    name: 'the new version does not start as receiver',
    outcome: 'rolled-back',
    reason: /does not start as cis490-receiver/,
    begin: async (trial) => {
      trial.publish({ broken: ['serve'] })
      return { env: brief, end: nothing }
    },
  },
  {
    name: 'the new receiver runs and does not answer',
    outcome: 'rolled-back',
    reason: /^cis490-receiver does not answer at 127\.0\.0\.1:\d+ that it runs/,
    begin: async (trial) => {
      trial.publish({ broken: ['dumb'] })
      return { env: { ...brief, CIS490_PATIENCE: '0' }, end: nothing }
    },
  },
  {
    name: 'the new receiver does not take its configuration',
    outcome: 'refused',
    reason: /^check-config of (fleet|receiver) by \w{12}: this version cannot check-config/,
    begin: async (trial) => {
      trial.publish({ broken: ['check-config'] })
      return { env: brief, end: nothing }
    },
  },
  {
    name: 'nobody could judge the receiver',
    outcome: 'refused',
    reason: /^cis490-receiver runs from this checkout too, and could not be judged: it does not tell at 127\.0\.0\.1:1 /,
    begin: async (trial) => {
      trial.publish()
      const path = join(trial.dir, 'beside.toml')
      const before = readFileSync(path)
      writeFileSync(path, 'ops_listen = "127.0.0.1:1"\n')
      return { env: brief, end: () => writeFileSync(path, before) }
    },
  },
  {
    name: 'the fleet is being judged, for ever',
    outcome: 'held',
    reason: /^cis490-fleet has run for more than 1 s/,
    begin: async (trial) => {
      trial.publish()
      const errand = join(trial.dir, 'errand')
      writeFileSync(errand, '\n'.repeat(1000))
      return { env: { ...brief, CIS490_LULL: '1' }, end: () => rmSync(errand) }
    },
  },
]
