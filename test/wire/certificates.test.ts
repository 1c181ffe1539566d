/** Who may speak: every fault of a client certificate is told as problem JSON over the very connection. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority, issueCertificate, selfSigned } from '../../packages/receiver/src/ca/authority.ts'
import { episode } from '../support/archives.ts'
import { expired, foreignAuthority, hostFiles, impostorAuthority, notYetValid, sameNameAuthority } from '../support/pki.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { ask, type Identity, problemOf, put, type WireAnswer } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start({ auth: { client_ca_file: site.pki.caFile, readers: ['reader-1'] } })
})
afterAll(() => site[Symbol.asyncDispose]())

const client = { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'client' } as const
const upload = (identity: Identity) => put(receiver, 'x', episode('x', site.head), { commit: site.head, identity })
const report = (identity: Identity, host = 'lab-07') =>
  ask(receiver, `/v1/host-health/${host}`, { method: 'PUT', body: '{}', ...(identity !== undefined && { identity }) })

function expectForbidden(answer: WireAnswer, code: string): void {
  expect([answer.status, problemOf(answer).code]).toEqual([403, code])
  expect(problemOf(answer).remediation?.length).toBeGreaterThan(0)
}

describe('a client certificate', () => {
  it('is required on every route', async () => {
    expectForbidden(await upload(null), 'certificate-missing')
    expectForbidden(await report(null), 'certificate-missing')
    for (const target of ['/v1/episodes/x.tar.zst', '/v1/gate', '/v1/host-health', '/v1/host-health/lab-07', '/v1/nothing'])
      expectForbidden(await ask(receiver, target, { identity: null }), 'certificate-missing')
  })

  it('that has expired gets 403 certificate-expired for an upload and for reading', async () => {
    const late = await hostFiles(site.pki.dir, 'late', site.pki.authority, 'lab-07', expired(2))
    expectForbidden(await upload(late), 'certificate-expired')
    expectForbidden(await ask(receiver, '/v1/gate', { identity: late }), 'certificate-expired')
    expectForbidden(await ask(receiver, '/v1/host-health/lab-07', { identity: late }), 'certificate-expired')
  })

  it('that is not valid yet gets certificate-untrusted, with a word about the clock', async () => {
    const early = await issueCertificate(site.pki.authority, { ...client, ...notYetValid() })
    const answer = await upload(early)
    expectForbidden(answer, 'certificate-untrusted')
    expect(problemOf(answer).detail).toContain('clock')
  })

  it('behind an intermediate is taken when its chain comes along, and not without', async () => {
    const since = new Date(Date.now() - 86_400_000)
    const root = await createAuthority({ name: 'a root', notBefore: since, pathLength: 1 })
    const middle = await createAuthority({ name: 'a middle CA', notBefore: since, issuedBy: root })
    const caFile = join(site.pki.dir, 'root.crt')
    await writeFile(caFile, root.certPem)
    const layered = await site.start({ auth: { client_ca_file: caFile } })
    const leaf = await issueCertificate(middle, client)
    const send = (chain: string) =>
      put(layered, 'x', episode('x', site.head), { commit: site.head, identity: { ...leaf, chain } })
    expectForbidden(await send(''), 'certificate-untrusted')
    expect((await send(middle.certPem)).status).toBe(201)
  })
})

describe('the grace for a report', () => {
  it('is for a certificate of our authority that expired less than 30 days ago', async () => {
    const late = await hostFiles(site.pki.dir, 'late-29', site.pki.authority, 'lab-07', expired(29))
    expect((await report(late)).status).toBe(204)
    const tooLate = await hostFiles(site.pki.dir, 'late-31', site.pki.authority, 'lab-07', expired(31))
    expectForbidden(await report(tooLate), 'certificate-expired')
  })

  it('does not let it report for another host', async () => {
    const late = await hostFiles(site.pki.dir, 'late-other', site.pki.authority, 'lab-07', expired(2))
    expectForbidden(await report(late, 'lab-08'), 'wrong-host')
  })

  it('is no way in: foreign, same-name, impostor and self-signed certificates, each expired, are untrusted', async () => {
    const ownAuthority = await createAuthority({ name: 'lab-07', ...expired(2) })
    const forged = await Promise.all(
      [await foreignAuthority(), await sameNameAuthority(site.pki.authority), await impostorAuthority(site.pki.authority)].map(
        (authority) => issueCertificate(authority, { ...client, ...expired(2) }),
      ),
    )
    for (const identity of [...forged, ownAuthority, await selfSigned({ ...client, ...expired(2) })]) {
      expectForbidden(await report(identity), 'certificate-untrusted')
      expectForbidden(await upload(identity), 'certificate-untrusted')
    }
  })

  it('is no way in for the same certificates while they are valid either', async () => {
    for (const authority of [await foreignAuthority(), await impostorAuthority(site.pki.authority)])
      expectForbidden(await report(await issueCertificate(authority, client)), 'certificate-untrusted')
  })
})

describe('what a host may not do with its certificate', () => {
  it('report for another host', async () => {
    expectForbidden(await report(undefined, 'lab-08'), 'wrong-host')
  })

  it('read the episodes and reports of others; a reader may', async () => {
    const other = await hostFiles(site.pki.dir, 'lab-08', site.pki.authority, 'lab-08')
    const reader = await hostFiles(site.pki.dir, 'reader-1', site.pki.authority, 'reader-1')
    const bytes = episode('private', site.head)
    expect((await put(receiver, 'private', bytes, { commit: site.head })).status).toBe(201)
    await report(undefined)
    const path = '/v1/episodes/private.tar.zst'
    expect((await ask(receiver, path)).body).toEqual(bytes)
    const mine = await ask(receiver, path, { identity: other })
    expect([mine.status, problemOf(mine).code]).toEqual([404, 'not-found'])
    const theirs = await ask(receiver, `${path}?host=lab-07`, { identity: other })
    expect([theirs.status, problemOf(theirs).code]).toEqual([403, 'wrong-host'])
    expect((await ask(receiver, `${path}?host=lab-07`, { identity: reader })).body).toEqual(bytes)
    const health = await ask(receiver, '/v1/host-health/lab-07', { identity: other })
    expect([health.status, problemOf(health).code]).toEqual([403, 'wrong-host'])
    expect((await ask(receiver, '/v1/host-health/lab-07', { identity: reader })).status).toBe(200)
    const all = async (identity: Identity) =>
      Object.keys(JSON.parse((await ask(receiver, '/v1/host-health', { identity })).body.toString()).hosts)
    expect(await all(other)).toEqual([])
    expect(await all(reader)).toEqual(['lab-07'])
  })

  it('take the name of another host in X-Cis490-Host', async () => {
    const headers = { 'X-Cis490-Host': 'lab-08' }
    const answer = await put(receiver, 'x', episode('x', site.head), { commit: site.head, headers })
    expectForbidden(answer, 'wrong-host')
    expect(problemOf(answer).remediation).toContain('lab-07')
  })
})
