import { Metrics } from '@cis490/receiver/http/metrics.ts'
import { expect, test } from 'vitest'
import { codeWord, read, section, tableRows } from './documents.ts'

test('OPERATIONS.md lists every metric of the receiver, and no other', async () => {
  const metrics = new Metrics({
    connections: () => 0,
    bodies: () => 0,
    openUploads: () => 0,
    reservedBytes: () => 0,
    gateAgeS: () => 1,
    gateSize: () => 1,
    freeBytes: () => 1,
    ready: () => true,
    certificateEnd: () => 1,
  })
  const exported = [...(await metrics.registry.metrics()).matchAll(/^# HELP (cis490_\w+)/gm)].map((match) => match[1] as string)
  const documented = tableRows(section(read('OPERATIONS.md'), '## Health and metrics'), 'metric').map(([name]) => codeWord(name))
  expect(documented.toSorted()).toEqual(exported.toSorted())
})
