/** The CA looks after itself while it serves, whatever fails meanwhile. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { expect, test } from 'vitest'
import { Ca } from '../../../packages/receiver/src/ca/ca.ts'
import { caPaths } from '../../../packages/receiver/src/ca/paths.ts'
import { type CaSettings, tendCa } from '../../../packages/receiver/src/ca/tend.ts'
import { tendRegularly } from '../../../packages/receiver/src/jobs/tend-ca.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { eventually } from '../../support/receiver.ts'
import { scratchDir } from '../../support/scratch.ts'

const lifetime = 3_600_000

function settings(): CaSettings {
  const stateDir = join(scratchDir(), 'state')
  const files = (name: string) => ({ cert_file: join(stateDir, `${name}.crt`), key_file: join(stateDir, `${name}.key`) })
  return { stateDir, ca: { ...files('ca'), lifetime, server_names: ['receiver.lab'] }, tls: files('server') }
}

/** A server certificate that is due now. */
async function due(made: CaSettings): Promise<Ca> {
  const before = Date.now() - 0.9 * lifetime
  await tendCa(made, before)
  return await Ca.open(made, before)
}

test('a server certificate that could not be taken up at once was served to its end', async () => {
  const made = settings()
  await using ca = await due(made)
  const captured = capturedLog()
  const tried: string[] = []
  const taken = () => {
    if (tried.push('') < 3) throw new ConfigError('tls.cert_file: cannot read it just now')
  }
  // The looks of a short lifetime, so that the test need not wait for a minute.
  await using _ = tendRegularly(ca, { lifetime: 6000, log: captured.log, taken })
  await eventually(() => tried.length >= 3)
  expect(captured.at('info').map(({ event }) => event)).toEqual(['server-certificate'])
  expect(captured.at('error')).toHaveLength(2)
})

test('tokens that cannot be cleaned up kept a new server certificate from being taken up', async () => {
  const made = settings()
  await using ca = await due(made)
  const { tokens } = caPaths(made.stateDir)
  rmSync(tokens, { recursive: true, force: true })
  writeFileSync(tokens, 'no folder')
  const captured = capturedLog()
  let taken = 0
  await using _ = tendRegularly(ca, {
    lifetime: 6000,
    log: captured.log,
    taken: () => {
      taken += 1
    },
  })
  await eventually(() => captured.at('error').length >= 2)
  expect(taken).toBe(1)
})

test('a server certificate that the command made in the same moment was not taken up', async () => {
  const made = settings()
  await using ca = await due(made)
  expect((await tendCa(made, Date.now())).events).toEqual(['server-certificate'])
  expect(await ca.tend(Date.now())).toEqual({ events: [], changed: true })
  expect(await ca.tend(Date.now())).toEqual({ events: [], changed: false })
})
