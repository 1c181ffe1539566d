/** A throw-away certificate authority: no openssl needed, and nothing that any other machine would trust. */
import { join } from 'node:path'
import { createAuthority, type Issued, issueCertificate } from '@cis490/receiver/ca/authority.ts'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'

export interface CertificateFiles {
  readonly ca: string
  readonly server: { readonly cert: string; readonly key: string }
  readonly hosts: Readonly<Record<string, { readonly cert: string; readonly key: string }>>
}

/** Writes ca.crt, server.crt, server.key and a pair for each host into `dir`; the CA's own key is never written. */
export async function makeCertificates(dir: string, hosts: readonly string[]): Promise<CertificateFiles> {
  await makeDir(dir)
  const authority = await createAuthority({ name: 'cis490 throw-away CA' })
  const server = { commonName: 'localhost', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], usage: 'server' as const }
  await replaceFile(join(dir, 'ca.crt'), authority.certPem)
  const files: Record<string, { cert: string; key: string }> = {}
  for (const host of hosts) {
    files[host] = await write(
      dir,
      host,
      await issueCertificate(authority, { commonName: host, dnsNames: [host], usage: 'client' }),
    )
  }
  return { ca: join(dir, 'ca.crt'), server: await write(dir, 'server', await issueCertificate(authority, server)), hosts: files }
}

async function write(dir: string, name: string, issued: Issued): Promise<{ cert: string; key: string }> {
  const files = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
  await replaceFile(files.cert, issued.certPem)
  await replaceFile(files.key, issued.keyPem, 0o600)
  return files
}
