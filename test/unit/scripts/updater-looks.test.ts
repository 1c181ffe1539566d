import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const swap = join(import.meta.dirname, '../../../scripts/autoupdate/swap.sh')
/** Those of the updater's unit: enough to list the files of a process of another user, not to read which they are. */
const capabilities = '-all,+dac_override,+chown,+fowner,+setuid,+setgid'

test.skipIf(process.getuid?.() !== 0)(
  'a daemon whose files can be counted and not read was taken for one without a transfer',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cis490-looks-'))
    onTestFinished(() => rmSync(dir, { recursive: true }))
    writeFileSync(join(dir, 'run-1.tar.zst'), '')
    const hold = `exec 3<"$1"; exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'echo up; read -r _'`
    const daemon = spawn('bash', ['-c', hold, 'bash', join(dir, 'run-1.tar.zst')], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void daemon.kill())
    await once(daemon.stdout, 'data')
    const look = (pattern: string, ...as: string[]) => {
      const command = ['bash', '-c', '. "$1"; has_open "$2" "$3"', 'bash', swap, String(daemon.pid), pattern]
      return spawnSync('setpriv', [...as, ...command]).status
    }
    expect([look('*.tar.zst'), look('*.tar.gz')]).toEqual([0, 1])
    expect(look('*', `--bounding-set=${capabilities}`, '--inh-caps=-all')).toBe(1)
  },
)
