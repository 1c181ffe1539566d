/**
 * The CA's certificate and key files. Each may hold several: the present authority, and in its last year the successor. Who reads them
 * finds the pairs by the keys themselves, and a key is written before its certificate, so no crash leaves a certificate that cannot sign.
 */
import { createPrivateKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { dirname } from 'node:path'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { readPemFileIfThere } from '@cis490/shared/node/pem-file.ts'
import { backdated } from '../core/ca-plan.ts'
import { type Authority, createAuthority, loadAuthority } from './authority.ts'

const tenYears = 3650 * 86_400_000

export interface AuthorityFiles {
  readonly cert_file: string
  readonly key_file: string
}

export interface KnownAuthority {
  readonly certPem: string
  readonly x509: X509Certificate
  /** Lower-case hex SHA-256 of the DER. */
  readonly pin: string
  readonly validFrom: number
  readonly validTo: number
  readonly hasKey: boolean
  /** With its key: it can sign. */
  readonly authority?: Authority
}

interface Pem {
  readonly certs: readonly string[]
  readonly keys: readonly string[]
}

/** None where there is no file yet. @throws ConfigError */
export async function loadAuthorities(files: AuthorityFiles): Promise<KnownAuthority[]> {
  const { certs, keys } = readBoth(files)
  const privateKeys = keys.map((pem) => ({ pem, key: parse(() => createPrivateKey(pem), 'ca.key_file', files.key_file) }))
  return await Promise.all(certs.map((pem) => known(pem, privateKeys, files)))
}

/** Adds an authority of ten years beside those that are there, or takes up one whose certificate a crash kept from being written. */
export async function addAuthority(files: AuthorityFiles, now: number): Promise<void> {
  const { certs, keys } = readBoth(files)
  const all = await loadAuthorities(files)
  const used = new Set(all.flatMap(({ authority }) => (authority ? [authority.keyPem] : [])))
  const spare = keys.find((pem) => !used.has(pem))
  const validFrom = new Date(backdated(now, tenYears))
  const name = `cis490 CA ${new Date(now).toISOString().slice(0, 10)} ${randomBytes(2).toString('hex')}`
  const made = await createAuthority({
    name,
    notBefore: validFrom,
    notAfter: new Date(now + tenYears),
    ...(spare !== undefined && { keyPem: spare }),
  })
  await makeFolders(files)
  if (spare === undefined) await replaceFile(files.key_file, [...keys, made.keyPem].join(''), 0o600)
  await replaceFile(files.cert_file, [...certs, made.certPem].join(''), 0o644)
}

/** Takes out authorities that have ended: first the certificate, then its key. */
export async function keepAuthorities(files: AuthorityFiles, kept: readonly KnownAuthority[]): Promise<void> {
  await replaceFile(files.cert_file, kept.map(({ certPem }) => certPem).join(''), 0o644)
  const keys = kept.flatMap(({ authority }) => (authority ? [authority.keyPem] : []))
  await replaceFile(files.key_file, keys.join(''), 0o600)
}

async function makeFolders({ cert_file, key_file }: AuthorityFiles): Promise<void> {
  for (const [key, path] of Object.entries({ cert_file, key_file }))
    await makeDir(dirname(path)).catch((error: unknown) => {
      throw new ConfigError(`ca.${key}: cannot make ${dirname(path)}: ${messageOf(error).split(',')[0]}`)
    })
}

async function known(
  certPem: string,
  keys: readonly { readonly pem: string; readonly key: KeyObject }[],
  { cert_file, key_file }: AuthorityFiles,
): Promise<KnownAuthority> {
  const x509 = parse(() => new X509Certificate(certPem), 'ca.cert_file', cert_file)
  if (!x509.ca) throw new ConfigError(`ca.cert_file: ${cert_file} has a certificate that is not that of an authority (CA:TRUE)`)
  const pair = keys.find(({ key }) => x509.checkPrivateKey(key))
  const authority = pair && (await loadAuthority(certPem, pair.pem).catch((error: unknown) => notOurs(key_file, error)))
  return {
    certPem,
    x509,
    pin: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    validFrom: x509.validFromDate.getTime(),
    validTo: x509.validToDate.getTime(),
    hasKey: authority !== undefined,
    ...(authority && { authority }),
  }
}

function notOurs(path: string, error: unknown): never {
  throw new ConfigError(`ca.key_file: ${path} has a key that cannot be used; a P-256 key is expected: ${messageOf(error)}`)
}

function readBoth({ cert_file, key_file }: AuthorityFiles): Pem {
  const certs = blocks(cert_file, 'ca.cert_file', /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  const keys = blocks(key_file, 'ca.key_file', /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^-]+-----END \1PRIVATE KEY-----/g)
  return { certs, keys }
}

/** @throws ConfigError for a file that holds something else */
function blocks(path: string, key: string, pattern: RegExp): string[] {
  const text = readPemFileIfThere(path, key)
  const found = (text?.match(pattern) ?? []).map((block) => `${block}\n`)
  if (text !== undefined && found.length === 0 && text.trim() !== '')
    throw new ConfigError(`${key}: ${path} is not in PEM form; restore it from the backup`)
  return found
}

function parse<T>(read: () => T, key: string, path: string): T {
  try {
    return read()
  } catch {
    throw new ConfigError(`${key}: ${path} has a block that cannot be read; restore it from the backup`)
  }
}
