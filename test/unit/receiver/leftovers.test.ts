/** What a crash inside of a replacement leaves beside the file is taken away by the next start. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { VersionGateConfig } from '../../../packages/receiver/src/forge/config.ts'
import { VersionGate } from '../../../packages/receiver/src/forge/version-gate.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { Reports } from '../../../packages/receiver/src/store/reports.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

test('half a report goes, the report before it stays', async () => {
  const layout = new StoreLayout(scratchDir())
  const report = layout.report(HostName.parse('lab-07'))
  mkdirSync(layout.reports)
  writeFileSync(report, '{"sequence":1}')
  writeFileSync(`${report}.tmp`, '{"sequ')
  await Reports.open(layout)
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
