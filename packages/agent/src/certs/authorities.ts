/** `ca_file`: every CA that the receiver's certificate may come from, the successor of one that ends too. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { fingerprintOf } from './issued.ts'

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** Those that are in the file; none where there is no file. @throws Error where one cannot be read */
export async function readAuthorities(path: string): Promise<X509Certificate[]> {
  const text = path === '' ? '' : await readFile(path, 'utf8').catch(() => '')
  return (text.match(block) ?? []).map((pem) => new X509Certificate(pem))
}

/** Both lists, each once, without what has expired as long as anything is left. */
export function joined(present: readonly X509Certificate[], told: readonly X509Certificate[], now: number): X509Certificate[] {
  const all = [...new Map([...present, ...told].map((one) => [fingerprintOf(one), one])).values()]
  const good = all.filter((one) => one.validToDate.getTime() > now)
  return good.length > 0 ? good : all
}

/** @returns whether the file changed. The site's own file, where `path` is empty, is the system's */
export async function keepAuthorities(path: string, wanted: readonly X509Certificate[]): Promise<boolean> {
  if (path === '') return false
  const prints = (list: readonly X509Certificate[]) => list.map(fingerprintOf).join()
  if (prints(await readAuthorities(path).catch(() => [])) === prints(wanted)) return false
  await replaceFile(path, pemOf(wanted), 0o644)
  return true
}

export function pemOf(authorities: readonly X509Certificate[]): string {
  return authorities.map((one) => one.toString()).join('')
}
