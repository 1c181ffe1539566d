import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { expect, test } from 'vitest'
import { WatchedFile } from '../../../packages/receiver/src/http/watched-file.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

function bed() {
  const path = join(scratchDir(), 'list')
  writeFileSync(path, 'one')
  const captured = capturedLog()
  const parse = (text: string) => {
    if (text === 'bad') throw new ConfigError('this is bad')
    return text
  }
  return { path, captured, file: new WatchedFile(path, parse, captured.log) }
}

/** This process may open no file more. @returns what lets it again */
function useUpFiles(): () => void {
  const limit = (soft: string) =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`], { stdio: 'ignore' })
  const before = execFileSync('prlimit', ['--pid', String(process.pid), '--nofile', '-o', 'SOFT', '--noheadings'])
    .toString()
    .trim()
  limit(String(Math.max(...readdirSync('/proc/self/fd').map(Number)) + 8))
  const taken: number[] = []
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'))
  } catch (error) {
    if (!isErrno(error, 'EMFILE')) throw error
  }
  return () => {
    for (const fd of taken) closeSync(fd)
    limit(before)
  }
}

test('a change that came while no file could be opened was never taken up', () => {
  const { path, captured, file } = bed()
  expect(file.get(0)).toBe('one')
  writeFileSync(path, 'the second')
  const free = useUpFiles()
  try {
    expect([file.get(1000), file.get(2000)]).toEqual(['one', 'one'])
  } finally {
    free()
  }
  expect(captured.lines.map(({ reason }) => reason)).toEqual([expect.stringContaining('EMFILE')])
  expect(file.get(3000)).toBe('the second')
})

test('a file that cannot even be looked at failed each request', () => {
  const { path, captured, file } = bed()
  unlinkSync(path)
  symlinkSync(path, path)
  expect([file.get(1000), file.get(2000)]).toEqual(['one', 'one'])
  expect(captured.lines.map(({ reason }) => reason)).toEqual([expect.stringContaining('ELOOP')])
  writeFileSync(`${path}.new`, 'two')
  renameSync(`${path}.new`, path)
  expect(file.get(3000)).toBe('two')
})

test('what is wrong or gone leaves the last good content in force, and is told once a change', () => {
  const { path, captured, file } = bed()
  writeFileSync(path, 'bad')
  expect([file.get(1000), file.get(2000)]).toEqual(['one', 'one'])
  unlinkSync(path)
  expect([file.get(3000), file.get(4000)]).toEqual(['one', 'one'])
  writeFileSync(path, 'good again')
  expect(file.get(5000)).toBe('good again')
  expect(captured.lines.map(({ event, reason }) => event ?? reason)).toEqual([
    'this is bad',
    expect.stringContaining('ENOENT'),
    'file-reloaded',
  ])
})
