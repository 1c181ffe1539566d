import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { problem } from '@cis490/shared/problems.ts'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { outcomeOf } from '../../../packages/agent/src/core/outcome.ts'
import { Client } from '../../../packages/agent/src/ship/client.ts'
import { loadIdentity } from '../../../packages/agent/src/ship/identity.ts'
import { foreignAuthority, hostFiles, issueFiles, makePki, type Pki } from '../../support/pki.ts'

const sha = 'a'.repeat(64)
const host = HostName.parse('lab-07')
const receipt = { id: 'ep-1', host, sha256: sha, bytes: 5, received_at: '2026-11-21T12:00:00.000Z' }

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cis490-client-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

function archive(bytes: Buffer | string): string {
  const path = join(folder(), 'ep-1.tar.zst')
  writeFileSync(path, bytes)
  return path
}

async function listen(server: Server | ReturnType<typeof createTcpServer>, scheme = 'http'): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function client(url: string, identity: object = { host }): Client {
  const made = new Client({ url, identity: { host, ...identity }, connections: 1, connectTimeout: 3000, idleTimeout: 5000 })
  onTestFinished(() => made[Symbol.asyncDispose]())
  return made
}

async function put(handle: RequestListener, bytes: Buffer | string = 'bytes', entry = {}) {
  const url = await listen(createServer(handle))
  let progress = 0
  const path = archive(bytes)
  const sent = { id: 'ep-1', sha256: sha, bytes: bytes.length, ...entry }
  const answer = await client(url).put(sent, path, (count) => {
    progress += count
  })
  return { answer, progress, outcome: outcomeOf({ ...sent, attempts: 0 }, answer, Date.now(), 0.5) }
}

describe('put', () => {
  test('sends the archive and what the wire asks for', async () => {
    let seen: IncomingMessage | undefined
    let body = ''
    const { outcome, progress } = await put(
      (request, response) => {
        seen = request
        request.setEncoding('utf8').on('data', (text: string) => {
          body += text
        })
        request.on('end', () => response.writeHead(201).end(JSON.stringify(receipt)))
      },
      'bytes',
      { commit: 'f'.repeat(40), schema_version: '3' },
    )
    expect(outcome.outcome).toBe('delivered')
    expect([seen?.method, seen?.url, body, progress]).toEqual(['PUT', '/v1/episodes/ep-1.tar.zst', 'bytes', 5])
    expect(seen?.headers).toMatchObject({
      'content-type': 'application/zstd',
      'content-length': '5',
      'x-content-sha256': sha,
      'x-cis490-code-commit': 'f'.repeat(40),
      'x-cis490-schema-version': '3',
      'x-cis490-host': 'lab-07',
    })
    expect(seen?.headers['user-agent']).toMatch(/^cis490-agent\/\d/)
    expect(seen?.headers).not.toHaveProperty('transfer-encoding')
  })

  test('a captive portal that says 200 with a page is no success', async () => {
    const { outcome } = await put((request, response) => request.resume().on('end', () => response.end('<html>Welcome</html>')))
    expect(outcome).toMatchObject({ outcome: 'all-wait', code: 'no-receipt' })
  })

  test('201 for other bytes is no success', async () => {
    const { outcome } = await put((request, response) =>
      request.resume().on('end', () => response.writeHead(201).end(JSON.stringify({ ...receipt, sha256: 'b'.repeat(64) }))),
    )
    expect(outcome).toMatchObject({ outcome: 'later', code: 'wrong-receipt' })
  })

  test('502 of a proxy is tried again', async () => {
    const { outcome } = await put((request, response) =>
      request.resume().on('end', () => response.writeHead(502).end('Bad Gateway')),
    )
    expect(outcome).toMatchObject({ outcome: 'later', code: 'http-502' })
  })

  test('412 with its remediation is heard while the body still flows', async () => {
    const refusal = problem('commit-not-in-window', 'too old', { remediation: 'one\ntwo', head_commit: 'e'.repeat(40) })
    const size = 64 << 20
    const { answer, progress } = await put((request, response) => {
      response.writeHead(412, { 'content-type': 'application/problem+json' }).end(JSON.stringify(refusal))
      request.resume()
    }, Buffer.alloc(size))
    expect(answer).toMatchObject({
      kind: 'answer',
      status: 412,
      problem: { code: 'commit-not-in-window', remediation: 'one\ntwo' },
    })
    expect(progress).toBeLessThan(size)
  })

  test('a problem whose code nobody knows is a stranger', async () => {
    const { answer } = await put((request, response) =>
      request
        .resume()
        .on('end', () => response.writeHead(400, { 'content-type': 'application/problem+json' }).end('{"code":"constructor"}')),
    )
    expect(answer).toMatchObject({ status: 400 })
    expect(answer).not.toHaveProperty('problem')
  })

  test('a connection that is cut half way is a fault, not an answer', async () => {
    const { answer } = await put((request) => void request.once('data', () => request.socket.destroy()), Buffer.alloc(32 << 20))
    expect(answer).toMatchObject({ kind: 'fault', code: 'connection-cut' })
  })

  test('a redirect is not followed', async () => {
    let requests = 0
    const { answer } = await put((request, response) => {
      requests += 1
      request.resume().on('end', () => response.writeHead(307, { location: '/elsewhere' }).end())
    })
    expect([requests, answer.kind === 'answer' && answer.status]).toEqual([1, 307])
  })

  test('an endless answer is read to 1 MiB and no further', async () => {
    const { answer } = await put((_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(1 << 16)));
        response.once('drain', more)
      }
      response.writeHead(200)
      more()
    })
    expect(answer).toMatchObject({ kind: 'answer', status: 200, body: '' })
  })

  test.each([
    ['shorter', 4],
    ['longer', 6],
  ])('an archive that is %s than its sidecar says is not the network', async (_, bytes) => {
    const { outcome } = await put((request, response) => request.resume().on('end', () => response.end()), 'x'.repeat(bytes), {
      bytes: 5,
    })
    expect(outcome).toEqual({ outcome: 'rehash' })
  })

  test('an archive that is gone is not the network', async () => {
    const url = await listen(createServer((request, response) => request.resume().on('end', () => response.end())))
    const answer = await client(url).put({ id: 'ep-1', sha256: sha, bytes: 5 }, '/none/here', () => undefined)
    expect(answer).toMatchObject({ kind: 'fault', code: 'archive-unreadable' })
  })

  test('a transfer that is ended from here says so', async () => {
    const ending = new AbortController()
    const url = await listen(createServer((request) => void request.once('data', () => ending.abort())))
    const path = archive(Buffer.alloc(32 << 20))
    const answer = await client(url).put({ id: 'ep-1', sha256: sha, bytes: 32 << 20 }, path, () => undefined, ending.signal)
    expect(answer).toMatchObject({ kind: 'fault', code: 'aborted' })
  })

  test('a stamp that no header can carry is left out, so that the receiver refuses and not we', async () => {
    let seen: string | undefined = 'unset'
    await put(
      (request, response) => {
        seen = request.headers['x-cis490-code-commit'] as string | undefined
        request.resume().on('end', () => response.end())
      },
      'bytes',
      { commit: 'a\r\nX-Evil: 1' },
    )
    expect(seen).toBeUndefined()
  })
})

describe('faults', () => {
  let pki: Pki
  let dir: string
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'cis490-client-pki-'))
    pki = await makePki(dir)
    return () => rmSync(dir, { recursive: true })
  })

  function tlsServer(options: object = {}): Promise<string> {
    const { certPem: cert, keyPem: key } = pki.server
    return listen(
      createTlsServer({ cert, key, ...options }, (_, response) => response.end('{}')),
      'https',
    )
  }

  test('nothing listens', async () => {
    expect(await client('http://127.0.0.1:1').gate()).toMatchObject({
      code: 'connection-refused',
      message: expect.stringContaining('cis490-receiver'),
    })
  })

  test('a name that does not resolve', async () => {
    expect(await client('http://no-such-host.invalid').gate()).toMatchObject({ code: 'name-not-found' })
  })

  test('a server certificate of an unknown CA names the key to set', async () => {
    const answer = await client(await tlsServer()).gate()
    expect(answer).toMatchObject({ code: 'server-certificate', message: expect.stringContaining('receiver.ca_file') })
  })

  test('a server certificate for another name', async () => {
    const options = { commonName: 'other.lab', dnsNames: ['other.lab'], usage: 'server' } as const
    const { certPem: cert, keyPem: key } = await issueFiles(dir, 'other', pki.authority, options)
    const answer = await client(await tlsServer({ cert, key }), { ca: pki.authority.certPem }).gate()
    expect(answer).toMatchObject({ code: 'server-certificate', message: expect.stringContaining('for another name') })
  })

  test('a certificate of a host is none for a server', async () => {
    const { certPem: cert, keyPem: key } = pki.host
    const answer = await client(await tlsServer({ cert, key }), { ca: pki.authority.certPem }).gate()
    expect(answer).toMatchObject({ code: 'server-certificate' })
  })

  test('a plain server behind an https address', async () => {
    const url = await listen(createServer((_, response) => response.end()))
    expect(await client(url.replace('http:', 'https:')).gate()).toMatchObject({ code: 'not-tls' })
  })

  test('a server that refuses our certificate closes without a word; the words are ours', async () => {
    const other = await foreignAuthority()
    const { certPem: cert, keyPem: key } = await hostFiles(dir, 'foreign', other, 'lab-07')
    const url = await tlsServer({ requestCert: true, rejectUnauthorized: true, ca: pki.authority.certPem })
    const answer = await client(url, { ca: pki.authority.certPem, cert, key }).gate()
    expect(answer).toMatchObject({ code: 'certificate-refused', message: expect.stringContaining('receiver.cert_file') })
  })

  test('with the right certificate there is an answer', async () => {
    const { certPem: cert, keyPem: key } = pki.host
    const url = await tlsServer({ requestCert: true, rejectUnauthorized: true, ca: pki.authority.certPem })
    expect(await client(url, { ca: pki.authority.certPem, cert, key }).gate()).toMatchObject({ kind: 'answer', status: 200 })
  })

  test('the certificate names the host, unless the configuration says otherwise', () => {
    const files = { ca_file: pki.caFile, cert_file: pki.host.certFile, key_file: pki.host.keyFile, token_file: '' }
    expect(loadIdentity(files, undefined).host).toBe('lab-07')
    expect(loadIdentity(files, HostName.parse('lab-08')).host).toBe('lab-08')
  })

  test('an identity that cannot be used says which key and why', () => {
    const files = { ca_file: '', cert_file: pki.host.certFile, key_file: pki.host.keyFile, token_file: '' }
    expect(() => loadIdentity({ ...files, cert_file: '/none.crt' }, undefined)).toThrow(
      /receiver\.cert_file: cannot read \/none\.crt/,
    )
    expect(() => loadIdentity({ ...files, cert_file: pki.host.keyFile }, undefined)).toThrow(/is no PEM certificate/)
    expect(() => loadIdentity({ ...files, key_file: pki.server.keyFile }, undefined)).toThrow(/does not belong to/)
    expect(() => loadIdentity({ ...files, key_file: '' }, undefined)).toThrow(/go together/)
    expect(() => loadIdentity({ ...files, cert_file: '', key_file: '' }, undefined)).toThrow(/^host\.name:/)
  })
})
