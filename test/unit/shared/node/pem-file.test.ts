import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { parsePemFile, readPemFile, readPemFileIfThere } from '@cis490/shared/node/pem-file.ts'
import { expect, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'

test('a PEM file is read, may be missing where that is said, and is one line where it cannot be read', () => {
  const dir = scratchDir()
  const [there, missing, folder] = ['there', 'missing', 'folder'].map((name) => join(dir, name)) as [string, string, string]
  writeFileSync(there, 'text')
  mkdirSync(folder)
  expect([readPemFile(there, 'k'), readPemFileIfThere(there, 'k'), readPemFileIfThere(missing, 'k')]).toEqual([
    'text',
    'text',
    undefined,
  ])
  expect(() => readPemFile(missing, 'tls.key_file')).toThrow(
    new ConfigError(`tls.key_file: cannot read ${missing}: ENOENT: no such file or directory`),
  )
  expect(() => readPemFileIfThere(folder, 'tls.key_file')).toThrow(new RegExp(`^tls.key_file: cannot read ${folder}: `))
})

test('what is in it and cannot be parsed is told with the file', () => {
  const fail = () => {
    throw new Error('asn1 encoding routines')
  }
  expect(() => parsePemFile(fail, '/etc/x.crt', 'a certificate')).toThrow(
    new ConfigError('/etc/x.crt: this is not a certificate in PEM form'),
  )
  expect(parsePemFile(() => 7, '', '')).toBe(7)
})
