/** What a crash inside of a replacement leaves beside the file is taken away by the next start. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { expect, test } from 'vitest'
import { VersionGateConfig } from '../../../packages/receiver/src/forge/config.ts'
import { VersionGate } from '../../../packages/receiver/src/forge/version-gate.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { Reports } from '../../../packages/receiver/src/store/reports.ts'
import { settleJournals } from '../../../packages/receiver/src/store/settle-journals.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

test('half a report goes, the report before it stays', async () => {
  const layout = new StoreLayout(scratchDir())
  const report = layout.report(HostName.parse('lab-07'))
  mkdirSync(layout.reports)
  writeFileSync(report, '{"sequence":1}')
  writeFileSync(`${report}.tmp`, '{"sequ')
  await Reports.open(layout, capturedLog().log)
  expect(existsSync(`${report}.tmp`)).toBe(false)
  expect(readFileSync(report, 'utf8')).toBe('{"sequence":1}')
})

test('half a commit set goes', async () => {
  const dir = scratchDir()
  writeFileSync(join(dir, 'gate-cache.json.tmp'), '{"repo')
  const config = VersionGateConfig.parse({ repo_path: join(dir, 'none') })
  await using _gate = await VersionGate.start(config, dir, capturedLog().log)
  expect(existsSync(join(dir, 'gate-cache.json.tmp'))).toBe(false)
})

test('half a row of a journal that commands write goes, the rows before it stay', async () => {
  const layout = new StoreLayout(scratchDir())
  const row = '{"at":"2026-01-01T00:00:00.000Z"}\n'
  for (const path of [layout.prunes, layout.taints, layout.losses]) writeFileSync(path, `${row}{"at":`)
  expect(await settleJournals(layout)).toBe(3 * '{"at":'.length)
  for (const path of [layout.prunes, layout.taints, layout.losses]) expect(readFileSync(path, 'utf8')).toBe(row)
})

test('a row that a command is writing just now is left to it', async () => {
  const layout = new StoreLayout(scratchDir())
  writeFileSync(layout.prunes, '{"at":')
  using _writer = takeLock(layout.prunesLock)
  expect(await settleJournals(layout)).toBe(0)
  expect(readFileSync(layout.prunes, 'utf8')).toBe('{"at":')
})
