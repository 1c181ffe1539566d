/** The client certificate and its key: there, readable, a pair, and good for a while yet; the key private; and the daemon uses it. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { fits, readPair } from '@cis490/shared/node/key-pair.ts'
import type { Check, Finding } from '../check.ts'
import { judgeLifetime, lifetimeData } from '../lifetime.ts'

export interface CertificateFiles {
  readonly cert_file: string
  readonly key_file: string
  readonly now: () => number
  /** Attempts to renew it that failed, and nothing since. */
  readonly renewal?: () => RenewalTrouble | undefined
}

export interface RenewalTrouble {
  /** SHA-256 of the certificate that is to be renewed, lower-case hexadecimal. */
  readonly fingerprint: string
  readonly since: string
  readonly code: string
  readonly message: string
}

export function certificate({ cert_file, key_file, now, renewal }: CertificateFiles): Check {
  return {
    code: 'certificate',
    title: 'The client certificate is valid',
    severity: 'critical',
    timeout: 5000,
    depends_on: [],
    remedy: 'sudo cis490-agent fetch-cert --now',
    run: async () => {
      if (!cert_file && !key_file) return { outcome: 'skip', text: 'no client certificate is configured' }
      if (!cert_file || !key_file)
        return {
          outcome: 'fail',
          text: 'receiver.cert_file and receiver.key_file go together',
          remedy: 'sudoedit /etc/cis490/lab-host.toml and set both',
        }
      const read = async (path: string) => readFile(path, 'utf8').catch((error: unknown) => new Error(messageOf(error)))
      const [cert, key] = [await read(cert_file), await read(key_file)]
      if (cert instanceof Error) return { outcome: 'fail', text: `cannot read the certificate: ${cert.message}` }
      if (key instanceof Error) return { outcome: 'fail', text: `cannot read the key: ${key.message}` }
      // Between two renames the certificate that fits stands beside.
      const pair = fits({ cert, key }) ? { cert, key } : readPair({ cert_file, key_file })
      return judgeRenewal(judgeCertificate(pair.cert, pair.key, now(), { cert_file, key_file }), pair.cert, renewal?.())
    },
  }
}

function judgeCertificate(cert: string, key: string, now: number, files: { cert_file: string; key_file: string }): Finding {
  let parsed: X509Certificate
  try {
    parsed = new X509Certificate(cert)
  } catch {
    return { outcome: 'fail', text: `${files.cert_file} is no PEM certificate` }
  }
  const life = { from: parsed.validFromDate.getTime(), to: parsed.validToDate.getTime() }
  const data = { ...files, ...lifetimeData(life, now) }
  try {
    if (!parsed.checkPrivateKey(createPrivateKey(key)))
      return { outcome: 'fail', text: `${files.key_file} does not belong to ${files.cert_file}`, data }
  } catch {
    return { outcome: 'fail', text: `${files.key_file} is no private key`, data }
  }
  if (now > life.to) return { outcome: 'fail', text: `the certificate expired on ${data.not_after}`, data }
  if (now < life.from)
    return {
      outcome: 'fail',
      text: `the certificate is valid from ${parsed.validFromDate.toISOString()} only`,
      data,
      remedy: 'check the clock of this host: timedatectl status',
    }
  return { ...judgeLifetime('the certificate', life, now, files), perfdata: [`cert_days=${data.days_left}`] }
}

/** While it is good for long yet, a renewal that fails would be seen by nobody. */
function judgeRenewal(found: Finding, cert: string, trouble: RenewalTrouble | undefined): Finding {
  if (found.outcome === 'fail' || !trouble) return found
  if (createHash('sha256').update(new X509Certificate(cert).raw).digest('hex') !== trouble.fingerprint) return found
  const { since, code, message } = trouble
  const data = { ...found.data, renewal_code: code, renewal_failing_since: since }
  return { ...found, outcome: 'warn', text: `${found.text}; its renewal fails since ${since}: ${message}`, data }
}

export function keyMode({ key_file }: Pick<CertificateFiles, 'key_file'>): Check {
  return {
    code: 'key-mode',
    title: 'The key is private',
    severity: 'warning',
    timeout: 5000,
    depends_on: ['certificate'],
    remedy: `sudo chmod 600 ${key_file}`,
    run: async () => {
      if (!key_file) return { outcome: 'skip', text: 'no key is configured' }
      const mode = (await stat(key_file)).mode & 0o777
      const data = { key_file, key_mode: mode.toString(8) }
      // Group-readable is how packages share a key with a service; others have no business with it.
      if (mode & 0o007) return { outcome: 'warn', text: `everybody on this host can use the key (mode ${data.key_mode})`, data }
      return { outcome: 'pass', text: `mode ${data.key_mode}`, data }
    },
  }
}

/** @param inUse when the certificate that the daemon uses ends, RFC 3339; undefined: no daemon, or it has not said */
export function certificateInUse(cert_file: string, inUse: () => Promise<string | undefined>): Check {
  return {
    code: 'certificate-in-use',
    title: 'The daemon uses the certificate that is on disk',
    severity: 'warning',
    timeout: 5000,
    depends_on: ['certificate'],
    remedy: 'sudo systemctl reload cis490-orchestrator',
    run: async () => {
      if (!cert_file) return { outcome: 'skip', text: 'no client certificate is configured' }
      const used = Date.parse((await inUse()) ?? '')
      if (Number.isNaN(used)) return { outcome: 'skip', text: 'no daemon says which one it uses' }
      const onDisk = new X509Certificate(await readFile(cert_file)).validToDate.getTime()
      const data = { in_use_not_after: new Date(used).toISOString(), on_disk_not_after: new Date(onDisk).toISOString() }
      if (onDisk === used) return { outcome: 'pass', text: 'it does', data }
      const which = onDisk > used ? 'a newer one' : 'another one'
      return {
        outcome: 'warn',
        text: `on disk is ${which} than the daemon uses, whose last day is ${data.in_use_not_after}`,
        data,
      }
    },
  }
}
