/** The client certificate and its key: there, readable, a pair, private, and good for a while yet. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Check, Finding } from '../check.ts'

const day = 86_400_000

export interface CertificateFiles {
  readonly cert_file: string
  readonly key_file: string
  readonly now: () => number
}

export function certificate({ cert_file, key_file, now }: CertificateFiles): Check {
  return {
    code: 'certificate',
    title: 'The client certificate is valid',
    severity: 'critical',
    timeout: 5000,
    depends_on: [],
    remedy: 'fetch a new certificate for this host, then: sudo systemctl reload cis490-orchestrator',
    run: async () => {
      if (!cert_file && !key_file) return { outcome: 'skip', text: 'no client certificate is configured' }
      if (!cert_file || !key_file)
        return { outcome: 'fail', text: 'receiver.cert_file and receiver.key_file go together', remedy: 'set both' }
      const read = async (path: string) => readFile(path, 'utf8').catch((error: unknown) => new Error(messageOf(error)))
      const [cert, key] = [await read(cert_file), await read(key_file)]
      if (cert instanceof Error) return { outcome: 'fail', text: `cannot read the certificate: ${cert.message}` }
      if (key instanceof Error) return { outcome: 'fail', text: `cannot read the key: ${key.message}` }
      return judgeCertificate(cert, key, (await stat(key_file)).mode & 0o777, now(), { cert_file, key_file })
    },
  }
}

function judgeCertificate(
  cert: string,
  key: string,
  mode: number,
  now: number,
  files: { cert_file: string; key_file: string },
): Finding {
  let parsed: X509Certificate
  try {
    parsed = new X509Certificate(cert)
  } catch {
    return { outcome: 'fail', text: `${files.cert_file} is no PEM certificate` }
  }
  const [from, to] = [parsed.validFromDate.getTime(), parsed.validToDate.getTime()]
  const daysLeft = Math.floor((to - now) / day)
  const data = { ...files, not_after: parsed.validToDate.toISOString(), days_left: daysLeft, key_mode: mode.toString(8) }
  try {
    if (!parsed.checkPrivateKey(createPrivateKey(key)))
      return { outcome: 'fail', text: `${files.key_file} does not belong to ${files.cert_file}`, data }
  } catch {
    return { outcome: 'fail', text: `${files.key_file} is no private key`, data }
  }
  if (now > to) return { outcome: 'fail', text: `the certificate expired on ${data.not_after}`, data }
  if (now < from)
    return {
      outcome: 'fail',
      text: `the certificate is valid from ${parsed.validFromDate.toISOString()} only`,
      data,
      remedy: 'check the clock of this host',
    }
  // A renewed certificate never gets here: renewal comes at two thirds of the lifetime.
  if (to - now < Math.min(7 * day, (to - from) / 4))
    return { outcome: 'warn', text: `the certificate expires in ${daysLeft} days`, data }
  // Group-readable is how packages share a key with a service; others have no business with it.
  if (mode & 0o007)
    return {
      outcome: 'warn',
      text: `everybody on this host can use the key (mode ${data.key_mode})`,
      data,
      remedy: `sudo chmod 600 ${files.key_file}`,
    }
  return { outcome: 'pass', text: `valid for ${daysLeft} more days`, data }
}
