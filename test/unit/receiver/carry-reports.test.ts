import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { carryRowFiles } from '../../../packages/receiver/src/store/backup/row-files.ts'
import { scratchDir } from '../../support/scratch.ts'

test('a report that a power cut left empty does not replace the one of the backup before', async () => {
  const [from, to] = [scratchDir(), scratchDir()]
  mkdirSync(join(from, 'host-health'))
  const report = (sequence: number) => JSON.stringify({ sequence })
  const carried = (name: string) => readFileSync(join(to, 'host-health', name), 'utf8')
  for (const name of ['lab-07.json', 'lab-08.json']) writeFileSync(join(from, 'host-health', name), report(1))
  await carryRowFiles(from, to)
  writeFileSync(join(from, 'host-health', 'lab-07.json'), '')
  writeFileSync(join(from, 'host-health', 'lab-08.json'), report(2))
  await carryRowFiles(from, to)
  expect([carried('lab-07.json'), carried('lab-08.json')]).toEqual([report(1), report(2)])
})
