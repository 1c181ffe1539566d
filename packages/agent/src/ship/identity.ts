/** Who this host is to the receiver: certificate, key, token and the name that goes with them. Read anew on SIGHUP. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { HostName } from '@cis490/shared/ids.ts'
import { ConfigError, readSecret } from '@cis490/shared/node/config-file.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { readPair } from '@cis490/shared/node/key-pair.ts'

export interface IdentityFiles {
  readonly ca_file: string
  readonly cert_file: string
  readonly key_file: string
  readonly token_file: string
}

export interface Identity {
  readonly host: HostName
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly token?: string
}

/** @throws ConfigError when a file cannot be read or used, or nothing names the host */
export function loadIdentity(files: IdentityFiles, name: HostName | undefined): Identity {
  if (files.cert_file && files.key_file) assertJoined(files.cert_file)
  const ca = files.ca_file ? { ca: certificateText(files.ca_file, 'receiver.ca_file') } : {}
  const token = files.token_file ? { token: readSecret(files.token_file, 'receiver.token_file') } : {}
  if (!files.cert_file && !files.key_file) {
    if (!name)
      throw new ConfigError('host.name: no client certificate names this host; set host.name, or receiver.cert_file and key_file')
    return { host: name, ...ca, ...token }
  }
  if (!files.cert_file || !files.key_file) throw new ConfigError('receiver.cert_file and receiver.key_file go together: set both')
  certificateText(files.cert_file, 'receiver.cert_file')
  readSecret(files.key_file, 'receiver.key_file')
  const { cert, key } = readPair(files)
  assertPair(cert, key, files)
  return { host: name ?? certificateHost(cert, files.cert_file), cert, key, ...ca, ...token }
}

/** The first DNS name of the SAN, else the CN. @throws ConfigError when it has neither */
export function certificateHost(cert: string, path: string): HostName {
  const { subjectAltName, subject } = new X509Certificate(cert)
  const dns = subjectAltName?.split(', ').find((entry) => entry.startsWith('DNS:'))
  const name = dns?.slice(4) ?? /^CN=(.+)$/m.exec(subject ?? '')?.[1]
  const host = HostName.safeParse(name)
  if (host.success) return host.data
  throw new ConfigError(`receiver.cert_file: ${path} names no host (neither a DNS name nor a CN that is one); set host.name`)
}

/** A new host has no certificate, and no CA to begin with. */
function assertJoined(path: string): void {
  try {
    statSync(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) return
    const cure = 'put it there, or get it from the receiver: sudo cis490-agent fetch-cert --token TOKEN'
    throw new ConfigError(`receiver.cert_file: cannot read ${path}: it is not there; ${cure}`)
  }
}

function certificateText(path: string, key: string): string {
  const text = readSecret(path, key)
  try {
    new X509Certificate(text)
  } catch {
    throw new ConfigError(`${key}: ${path} is no PEM certificate`)
  }
  return text
}

function assertPair(cert: string, key: string, files: IdentityFiles): void {
  let fits: boolean
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch (error) {
    throw new ConfigError(`receiver.key_file: ${files.key_file} is no private key: ${messageOf(error)}`)
  }
  if (!fits) throw new ConfigError(`receiver.key_file: ${files.key_file} does not belong to ${files.cert_file}`)
}
