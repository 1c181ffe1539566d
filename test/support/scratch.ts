/** A folder that is gone when the test has ended. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cis490-test-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
