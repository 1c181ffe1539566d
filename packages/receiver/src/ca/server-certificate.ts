/** The receiver's own certificate, signed by its own CA. The key stays over renewals: one file is replaced, and no crash leaves two that do not fit. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { parsePemFile, readPemFileIfThere } from '@cis490/shared/node/pem-file.ts'
import { backdated, type ServerFacts } from '../core/ca-plan.ts'
import { type Authority, certify, newKeyPem } from './authority.ts'
import type { AuthorityFiles, KnownAuthority } from './authority-files.ts'

/** @returns undefined where certificate or key is missing. @throws ConfigError for files that are something else */
export function serverFacts(
  files: AuthorityFiles,
  authorities: readonly KnownAuthority[],
): (ServerFacts & { readonly pin: string | undefined; readonly fingerprint: string }) | undefined {
  const cert = readPemFileIfThere(files.cert_file, 'tls.cert_file')
  const key = readPemFileIfThere(files.key_file, 'tls.key_file')
  if (cert === undefined) return undefined
  const certificate = parsePemFile(() => new X509Certificate(cert), files.cert_file, 'a certificate')
  const issuer = authorities.find(({ x509 }) => certificate.checkIssued(x509) && certificate.verify(x509.publicKey))
  return {
    validFrom: certificate.validFromDate.getTime(),
    validTo: certificate.validToDate.getTime(),
    ours: issuer !== undefined,
    pin: issuer?.pin,
    fingerprint: certificate.fingerprint256,
    fits:
      key !== undefined &&
      certificate.checkPrivateKey(parsePemFile(() => createPrivateKey(key), files.key_file, 'a private key')),
    names: namesOf(certificate),
  }
}

/** @throws ConfigError for a place that cannot be written */
export async function makeServerCertificate(
  files: AuthorityFiles,
  authority: Authority,
  names: readonly string[],
  validity: { readonly now: number; readonly lifetime: number },
): Promise<void> {
  try {
    for (const path of [files.key_file, files.cert_file]) await makeDir(dirname(path))
    const publicKey = createPublicKey(await serverKey(files.key_file))
    const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
    const authorityEnd = authority.certificate.notAfter.getTime()
    const pem = await certify(
      authority,
      {
        commonName: names[0] ?? 'cis490-receiver',
        dnsNames: names.filter((name) => isIP(name) === 0),
        ipAddresses: names.filter((name) => isIP(name) !== 0),
        usage: 'server',
        notBefore: new Date(backdated(validity.now, validity.lifetime)),
        notAfter: new Date(Math.min(validity.now + validity.lifetime, authorityEnd)),
      },
      spki,
    )
    await replaceFile(files.cert_file, pem, 0o644)
  } catch (error) {
    if (error instanceof ConfigError || !isErrno(error, 'EACCES', 'EROFS', 'EPERM', 'ENOTDIR')) throw error
    throw new ConfigError(`tls: cannot write the server certificate: ${messageOf(error)}`)
  }
}

/** The key that is there, or a new one. */
async function serverKey(path: string): Promise<KeyObject> {
  const there = readPemFileIfThere(path, 'tls.key_file')
  if (there !== undefined) return parsePemFile(() => createPrivateKey(there), path, 'a private key')
  const pem = await newKeyPem()
  await replaceFile(path, pem, 0o600)
  return createPrivateKey(pem)
}

/** As the configuration writes them. */
function namesOf(certificate: X509Certificate): string[] {
  const text = certificate.subjectAltName ?? ''
  return text.split(', ').flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1]?.toLowerCase() ?? [])
}
