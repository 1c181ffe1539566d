/** What the receiver says, and how it exits, when it cannot start. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expired, issueFiles } from '../support/pki.ts'
import { type Settings, Site } from '../support/receiver.ts'
import { type Ended, ReceiverProcess } from '../support/receiver-process.ts'

let site: Site

beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

describe('a mistake in the configuration', () => {
  const launch = async (settings: Settings, patch?: (toml: string) => string): Promise<Ended> =>
    await (await ReceiverProcess.launch(site, settings, patch)).ended

  function expectOneLine({ code, stderr }: Ended, expected: number, words: RegExp): void {
    expect({ code, stderr }).toEqual({ code: expected, stderr: expect.stringMatching(words) })
    const lines = stderr.trimEnd().split('\n')
    expect(lines.filter((line) => !/^cis490-receiver: bad configuration$/.test(line))).toHaveLength(1)
    expect(stderr).not.toMatch(/^\s+at |node:internal|Error:/m)
  }

  it('that is an unknown key exits 78 and names file, line and key', async () => {
    const ended = await launch({}, (toml) => toml.replace('[limits]', '[limits]\nboodies = 3'))
    expectOneLine(ended, 78, /receiver-\d+\.toml:\d+: unknown key limits\.boodies/)
  })

  it('that opens the ops listener to the network exits 78', async () => {
    const ended = await launch({}, (toml) => toml.replace(/ops_listen = "[^"]*"/, 'ops_listen = "0.0.0.0:0"'))
    expectOneLine(ended, 78, /ops_listen: 0\.0\.0\.0:0 is not loopback/)
  })

  it('that is no TOML exits 78', async () => {
    expectOneLine(await launch({}, (toml) => `${toml}\n[limits\n`), 78, /receiver-\d+\.toml:\d+: /)
  })

  it('that is a key file which cannot be read exits 78', async () => {
    const ended = await launch({}, (toml) => toml.replace('server.key', 'none.key'))
    expectOneLine(ended, 78, /tls\.key_file: cannot read .*none\.key/)
  })

  it('that is the key of another certificate exits 78', async () => {
    const ended = await launch({}, (toml) => toml.replace('server.key', 'host.key'))
    expectOneLine(ended, 78, /host\.key is not the key of the certificate/)
  })

  it('that is a receipt key which others can write exits 78', async () => {
    const path = join(site.root, 'open.key')
    await writeFile(path, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    await chmod(path, 0o606)
    const ended = await launch({ receipts: { key_file: path } })
    expectOneLine(ended, 78, /receipts\.key_file: .*open\.key has mode 606.*chmod 600/)
  })

  it('that is an expired server certificate exits 78', async () => {
    const { dir, authority } = site.pki
    await issueFiles(dir, 'old-server', authority, {
      commonName: 'localhost',
      dnsNames: ['localhost'],
      usage: 'server',
      ...expired(1),
    })
    const ended = await launch({}, (toml) =>
      toml.replaceAll('server.crt', 'old-server.crt').replaceAll('server.key', 'old-server.key'),
    )
    expectOneLine(ended, 78, /old-server\.crt expired on/)
  })

  it('that is plain HTTP for the whole network exits 78', async () => {
    const ended = await launch({ plain: true }, (toml) => toml.replace('"127.0.0.1:0"', '"0.0.0.0:0"'))
    expectOneLine(ended, 78, /not loopback/)
  })

  it('that is a port in use exits 3', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    try {
      for (const listener of ['listen', 'ops_listen']) {
        const ended = await launch({}, (toml) => toml.replace(`${listener} = "127.0.0.1:0"`, `${listener} = "127.0.0.1:${port}"`))
        expectOneLine(ended, 3, new RegExp(`listen on 127\\.0\\.0\\.1:${port}`))
      }
    } finally {
      other.close()
    }
  })

  it('that is the store of a receiver that runs exits 3', async () => {
    const receiver = await site.start()
    expectOneLine(await launch({ stateDir: receiver.stateDir }), 3, /another cis490-receiver works in/)
  })
})
