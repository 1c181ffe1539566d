/** A certificate authority and certificates on disk, for tests and the demo over real TLS. */
import 'reflect-metadata'
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Extension, type JsonName, X509CertificateGenerator } from '@peculiar/x509'
import {
  type Authority,
  type CertificateOptions,
  createAuthority,
  type Issued,
  issueCertificate,
} from '../../packages/receiver/src/ca/authority.ts'

const day = 86_400_000

export interface IssuedFiles extends Issued {
  readonly certFile: string
  readonly keyFile: string
}

export interface Pki {
  readonly dir: string
  readonly authority: Authority
  readonly caFile: string
  /** server.crt, server.key: localhost and 127.0.0.1. */
  readonly server: IssuedFiles
  /** host.crt, host.key: the client certificate of `hostName`. */
  readonly host: IssuedFiles
  readonly hostName: string
}

/** Writes ca.crt, ca.key, server.crt, server.key, host.crt and host.key into an existing folder. */
export async function makePki(dir: string, hostName = 'lab-07'): Promise<Pki> {
  const authority = await createAuthority({ name: 'cis490 test CA', notBefore: new Date(Date.now() - 400 * day) })
  const caFile = join(dir, 'ca.crt')
  await writeFile(caFile, authority.certPem)
  await writeFile(join(dir, 'ca.key'), authority.keyPem, { mode: 0o600 })
  const server = await issueFiles(dir, 'server', authority, {
    commonName: 'localhost',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
    usage: 'server',
  })
  return { dir, authority, caFile, server, host: await hostFiles(dir, 'host', authority, hostName), hostName }
}

/** `<name>.crt` and `<name>.key` for a host. */
export async function hostFiles(
  dir: string,
  name: string,
  authority: Authority,
  hostName: string,
  validity: Pick<CertificateOptions, 'notBefore' | 'notAfter'> = {},
): Promise<IssuedFiles> {
  return await issueFiles(dir, name, authority, { ...validity, commonName: hostName, dnsNames: [hostName], usage: 'client' })
}

export async function issueFiles(
  dir: string,
  name: string,
  authority: Authority,
  options: CertificateOptions,
): Promise<IssuedFiles> {
  return await writeIssued(dir, name, await issueCertificate(authority, options))
}

export async function writeIssued(dir: string, name: string, issued: Issued): Promise<IssuedFiles> {
  const certFile = join(dir, `${name}.crt`)
  const keyFile = join(dir, `${name}.key`)
  await writeFile(certFile, issued.certPem)
  await writeFile(keyFile, issued.keyPem, { mode: 0o600 })
  return { ...issued, certFile, keyFile }
}

/** Dates of a certificate that ended `daysAgo` days before now. */
export function expired(daysAgo: number): { notBefore: Date; notAfter: Date } {
  const notAfter = new Date(Date.now() - daysAgo * day)
  return { notBefore: new Date(notAfter.getTime() - 30 * day), notAfter }
}

/** Dates of a certificate that begins tomorrow. */
export function notYetValid(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() + day), notAfter: new Date(Date.now() + 30 * day) }
}

/** An authority that the receiver does not know. */
export async function foreignAuthority(): Promise<Authority> {
  return await createAuthority({ name: 'some other CA', notBefore: new Date(Date.now() - 400 * day) })
}

/** The name of a known authority over another key: only the signature tells them apart. */
export async function sameNameAuthority(original: Authority): Promise<Authority> {
  const name = original.certificate.subjectName.getField('CN')[0] ?? ''
  return await createAuthority({ name, notBefore: original.certificate.notBefore })
}

/** Name and key identifier of a known authority, signing with another key: nothing but the signature itself tells them apart. */
export async function impostorAuthority(original: Authority): Promise<Authority> {
  const { privateKey, keyPem } = await foreignAuthority()
  return { ...original, privateKey, keyPem }
}

/** A client certificate with exactly this subject and these extensions. */
export async function oddCertificate(authority: Authority, subject: JsonName, extensions: Extension[]): Promise<Issued> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = await X509CertificateGenerator.create({
    serialNumber: '0102030405060708',
    subject,
    issuer: authority.certificate.subjectName,
    extensions,
    publicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    signingKey: authority.privateKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + day),
  })
  return { certPem: `${certificate.toString('pem')}\n`, keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

export function unknownExtension(critical: boolean): Extension {
  return new Extension('1.2.3.4', critical, new Uint8Array([5, 0]))
}

/** Lower-case hex SHA-256 of the DER, without colons. */
export function fingerprintOf(certPem: string): string {
  return createHash('sha256').update(new X509Certificate(certPem).raw).digest('hex')
}
