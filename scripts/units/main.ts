/** Prints the exposure of every unit in etc/systemd: 0 all within their limits, 1 not, 3 nobody can tell here. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { exposureOf } from './exposure.ts'

const folder = join(import.meta.dirname, '../../etc/systemd')

try {
  const services = readdirSync(folder).filter((name) => name.endsWith('.service'))
  const found = await Promise.all(services.map((name) => exposureOf(join(folder, name))))
  for (const { unit, exposure, limit, open, unexplained } of found) {
    process.stdout.write(`${unit.padEnd(30)} ${exposure.toFixed(1)} of at most ${limit.toFixed(1)}; open: ${open.join(', ')}\n`)
    if (unexplained.length > 0) process.stdout.write(`${' '.repeat(31)}without a reason in the unit: ${unexplained.join(', ')}\n`)
  }
  process.exitCode = found.some((one) => one.exposure > one.limit || one.unexplained.length > 0) ? 1 : 0
} catch (error) {
  process.stderr.write(`units: ${messageOf(error).split('\n')[0]}; it takes systemd-analyze of systemd 250 or newer\n`)
  process.exitCode = 3
}
