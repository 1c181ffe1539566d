/** TLS sessions: a host that comes back goes on with its own, and is judged all the same. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Client } from '../../packages/agent/src/ship/client.ts'
import { loadIdentity } from '../../packages/agent/src/ship/identity.ts'
import type { Issued } from '../../packages/receiver/src/ca/authority.ts'
import { fingerprintOf, hostFiles } from '../support/pki.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { problemOf, requestHead, Wire, type WireAnswer } from '../support/wire.ts'

let site: Site
beforeAll(async () => {
  site = await Site.make()
})
afterAll(() => site[Symbol.asyncDispose]())

async function handshakes({ opsUrl }: TestReceiver): Promise<{ full: number; resumed: number }> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text()
  const count = (resumed: boolean) =>
    Number(new RegExp(`^cis490_tls_handshakes_total\\{resumed="${resumed}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return { full: count(false), resumed: count(true) }
}

function clientOf({ url }: TestReceiver, { certFile, keyFile } = site.pki.host): Client {
  const files = { ca_file: site.pki.caFile, cert_file: certFile, key_file: keyFile, token_file: '' }
  return new Client({ url, identity: loadIdentity(files, undefined), connections: 4 })
}

/** Each needs a connection of its own. */
const atOnce = (client: Client, requests: number) =>
  Promise.all(Array.from({ length: requests }, () => client.request('GET', '/v1/host-health/lab-07')))

it('the agent goes on with its session, also when the collector has been there in between', async () => {
  const receiver = await site.start()
  await using client = clientOf(receiver)
  await atOnce(client, 1)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let k = 0; k < 3; k++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  await atOnce(client, 3)
  expect(await handshakes(receiver)).toEqual({ full: 1, resumed: 2 })
})

/** A connection that goes on with a session, where it is given one. */
async function comeBack(receiver: TestReceiver, identity: Issued, session?: Buffer) {
  const { hostname, port } = new URL(receiver.url)
  const { certPem: cert, keyPem: key } = identity
  const socket = connect({
    host: hostname,
    port: Number(port),
    servername: 'localhost',
    ca: site.pki.authority.certPem,
    cert,
    key,
    session,
  })
  // Handed out with the first bytes of an answer.
  const ticket = once(socket, 'session').then(([session]) => session as Buffer)
  await once(socket, 'secureConnect')
  const wire = Wire.on(socket)
  const call = async (path: string): Promise<WireAnswer> => {
    await wire.write(requestHead('GET', path))
    return await wire.answer('GET')
  }
  return { call, resumed: socket.isSessionReused(), ticket, [Symbol.dispose]: () => socket.destroy() }
}

it('a session is judged by the list of hosts for each request, not by the handshake that began it', async () => {
  const list = join(site.root, 'hosts')
  const { host } = site.pki
  writeFileSync(list, `${fingerprintOf(host.certPem)} lab-07\n`)
  const receiver = await site.start({ auth: { hosts_file: list } })
  using first = await comeBack(receiver, host)
  expect((await first.call('/v1/host-health/lab-07')).status).toBe(404)
  using second = await comeBack(receiver, host, await first.ticket)
  expect([second.resumed, (await second.call('/v1/host-health/lab-07')).status]).toEqual([true, 404])
  writeFileSync(list, '# nobody\n')
  const kept = await eventually(
    () => second.call('/v1/host-health/lab-07'),
    ({ status }) => status === 403,
  )
  expect(problemOf(kept).code).toBe('certificate-untrusted')
  using third = await comeBack(receiver, host, await first.ticket)
  expect([third.resumed, problemOf(await third.call('/v1/host-health/lab-07')).code]).toEqual([true, 'certificate-untrusted'])
})

it('a session speaks for the host of the certificate that began it, whatever certificate is in the pocket now', async () => {
  const receiver = await site.start()
  const other = await hostFiles(site.root, 'lab-08', site.pki.authority, 'lab-08')
  using mine = await comeBack(receiver, site.pki.host)
  await mine.call('/v1/host-health/lab-07')
  using theirs = await comeBack(receiver, other, await mine.ticket)
  expect(theirs.resumed).toBe(true)
  expect((await theirs.call('/v1/host-health/lab-07')).status).toBe(404)
  expect(problemOf(await theirs.call('/v1/host-health/lab-08')).code).toBe('wrong-host')
})

it('a session does not outlive the receiver: its keys are in memory only, and the host shakes hands anew', async () => {
  const before = await site.start()
  using first = await comeBack(before, site.pki.host)
  await first.call('/v1/host-health/lab-07')
  await before.stop()
  const after = await site.start()
  using second = await comeBack(after, site.pki.host, await first.ticket)
  expect([second.resumed, (await second.call('/v1/host-health/lab-07')).status]).toEqual([false, 404])
})

it('a renewed certificate is shown at once', async () => {
  const receiver = await site.start()
  const renewed = await hostFiles(site.root, 'renewed', site.pki.authority, 'lab-07')
  for (const identity of [site.pki.host, renewed]) {
    await using client = clientOf(receiver, identity)
    await atOnce(client, 1)
  }
  expect(await handshakes(receiver)).toEqual({ full: 2, resumed: 0 })
})
