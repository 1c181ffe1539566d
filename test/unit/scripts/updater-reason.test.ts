import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const basics = join(import.meta.dirname, '../../../scripts/autoupdate/basics.sh')

/** What the updater writes down of a command that said this and failed. */
function reasonOf(said: string): string {
  const script = '. "$1"; says() { printf "%s\\n" "$said"; return 1; }; attempt "the step" says; printf %s "$reason"'
  return spawnSync('bash', ['-c', script, 'bash', basics], { encoding: 'utf8', env: { ...process.env, said } }).stdout
}

test.each([
  [
    'git: and the repository exists.',
    "fatal: '/srv/x' does not appear to be a git repository\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.",
    "the step: fatal: '/srv/x' does not appear to be a git repository",
  ],
  [
    'npm: where its log lies',
    'npm ERR! code SELF_SIGNED_CERT_IN_CHAIN\nnpm ERR! request to https://registry.lab/zod failed, reason: self-signed certificate\n\nnpm ERR! A complete log of this run can be found in:\nnpm ERR!     /opt/cis490.update/npm/_logs/2026-11-22T05_02_36_104Z-debug-0.log',
    'the step: npm ERR! request to https://registry.lab/zod failed, reason: self-signed certificate',
  ],
  [
    'systemctl: where to look',
    'Job for x.service failed because the control process exited with error code.\nSee "systemctl status x.service" and "journalctl -xeu x.service" for details.',
    'the step: Job for x.service failed because the control process exited with error code.',
  ],
  ['nothing', '', 'the step'],
])('the reason of a step that failed was the last thing that was said, of %s', (_, said, reason) => {
  expect(reasonOf(said)).toBe(reason)
})
