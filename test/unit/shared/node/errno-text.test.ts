import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { explainErrno } from '@cis490/shared/node/errno-text.ts'
import { expect, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'

const told = (act: () => unknown): string | undefined => {
  try {
    act()
  } catch (error) {
    return explainErrno(error)
  }
  throw new Error('it did not fail')
}

test('what the system says of a path is said in words, with the path and a step', () => {
  const dir = scratchDir()
  const file = join(dir, 'file')
  writeFileSync(file, '')
  expect(told(() => readFileSync(join(dir, 'none', 'x.tmp')))).toBe(
    `cannot open ${dir}/none/x.tmp: it is not there, or the folder that it is in is not`,
  )
  expect(told(() => mkdirSync(file))).toBe(`cannot make the folder ${file}: it is there and is no folder`)
  expect(told(() => mkdirSync('/proc/bak/x'))).toBe(
    'cannot make the folder /proc/bak/x: the folder that it would be in is not there',
  )
  expect(told(() => readdirSync(file))).toBe(`cannot read the folder ${file}: a part of this path is a file and no folder`)
  expect(told(() => readFileSync(dir))).toBe('a folder was named where a file is wanted')
  const denied = Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'scandir', path: '/var/x' })
  expect(explainErrno(denied)).toBe('cannot read the folder /var/x: no permission; run it as the user of the service, or as root')
  expect(explainErrno(new Error('something else'))).toBeUndefined()
})
