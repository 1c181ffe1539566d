import { execFile, execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { read, section } from './documents.ts'

const folder = mkdtempSync(join(tmpdir(), 'cis490-certificates-'))
afterAll(() => rmSync(folder, { recursive: true }))

const openssl = (() => {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
})()

test.skipIf(!openssl)('the openssl lines of OPERATIONS.md make a CA, a server certificate and a client certificate', async () => {
  const script = /```\n([\s\S]*?)```/.exec(section(read('OPERATIONS.md'), '## Certificates'))?.[1] as string
  await promisify(execFile)('sh', ['-e', '-c', script], { cwd: folder })

  const certificate = (name: string) => new X509Certificate(readFileSync(join(folder, name)))
  const authority = certificate('ca.crt')
  expect(authority.ca).toBe(true)
  for (const [name, usage] of [
    ['receiver.lab', '1.3.6.1.5.5.7.3.1'],
    ['lab-07', '1.3.6.1.5.5.7.3.2'],
  ] as const) {
    const issued = certificate(`${name}.crt`)
    expect(issued.checkIssued(authority) && issued.verify(authority.publicKey)).toBe(true)
    expect(issued.checkHost(name, { subject: 'never' })).toBe(name)
    expect(issued.keyUsage).toEqual([usage])
    expect(readFileSync(join(folder, `${name}.key`), 'utf8')).toContain('PRIVATE KEY')
  }
})
