import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const script = join(import.meta.dirname, '../../../scripts/bundle.sh')

/** Of a repository with one file. @param npm what stands for npm: nothing has to be fetched */
function bundle(npm: string, ...args: string[]) {
  const dir = mkdtempSync(join(tmpdir(), 'cis490-bundle-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'file'), '1\n')
  writeFileSync(join(dir, 'npm'), `#!/bin/sh\n${npm}\n`, { mode: 0o755 })
  const commit = 'git init -q; git add file; git -c user.name=a -c user.email=a@b -c commit.gpgsign=false commit -q -m one'
  execFileSync('sh', ['-c', commit], { cwd: dir })
  const env = { ...process.env, CIS490_CHECKOUT: dir, CIS490_NPM: join(dir, 'npm') }
  return spawnSync('bash', [script, '--out', dir, ...args], { encoding: 'utf8', env })
}

test('a bundle that root made had other modes, and so other bytes', () => {
  const { status, stdout } = bundle('mkdir node_modules')
  expect(status).toBe(0)
  const listed = execFileSync('tar', ['--zstd', '-tvf', stdout.trim()], { encoding: 'utf8' })
  expect(listed.match(/^\S+(?=.* cis490\/(file|node_modules\/|)$)/gm)).toEqual(['drwxr-xr-x', '-rw-r--r--', 'drwxr-xr-x'])
})

test('npm that failed ended it without a word', () => {
  const failed = bundle('echo npm ERR! code E404; exit 1')
  expect(failed).toMatchObject({ status: 3, stdout: '', stderr: expect.stringMatching(/E404\nbundle\.sh: npm ci failed: /) })
})

test.each([
  ['--out', 2, /^bundle\.sh: --out needs a folder; --help says more\n$/],
  ['--fast', 2, /^bundle\.sh: unknown option --fast; --help says more\n$/],
  ['no-such-commit', 1, /^bundle\.sh: there is no such commit\n$/],
])('%s is said in one line', (option, status, said) => {
  expect(bundle('exit 1', option)).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(said) })
})

test('--help is no error', () => {
  expect(bundle('exit 1', '--help')).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringContaining('bundle.sh [COMMIT]'),
  })
})
