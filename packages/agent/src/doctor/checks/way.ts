/** The first steps of the way to the receiver: its name, and a port that answers. */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Check } from '../check.ts'

function place(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (protocol === 'https:' ? 443 : 80)) }
}

export function receiverResolves(url: string): Check {
  const { host } = place(url)
  return {
    code: 'receiver-resolves',
    title: "The receiver's name resolves",
    severity: 'critical',
    timeout: 10_000,
    depends_on: [],
    remedy: `getent hosts ${host}; correct receiver.url, or the DNS of this host (/etc/resolv.conf, /etc/hosts)`,
    run: async () => {
      try {
        const addresses = (await lookup(host, { all: true })).map(({ address }) => address)
        return { outcome: 'pass', text: `${host} is ${addresses.join(', ')}`, data: { host, addresses } }
      } catch (error) {
        return { outcome: 'fail', text: `${host} does not resolve (${messageOf(error)})`, data: { host } }
      }
    },
  }
}

export function receiverConnects(url: string): Check {
  const { host, port } = place(url)
  return {
    code: 'receiver-connects',
    title: "The receiver's port answers",
    severity: 'critical',
    timeout: 10_000,
    depends_on: ['receiver-resolves'],
    remedy: 'on the receiver: systemctl status cis490-receiver; then the port in receiver.url and the firewalls between',
    run: async (signal) => {
      const began = performance.now()
      const refused = await tryPort(host, port, signal)
      const data = { host, port }
      if (refused !== undefined) return { outcome: 'fail', text: `nothing answers at ${host}:${port} (${refused})`, data }
      const ms = Math.round(performance.now() - began)
      return {
        outcome: 'pass',
        text: `${host}:${port} answers (${ms} ms)`,
        data: { ...data, connect_ms: ms },
        perfdata: [`connect=${ms}ms`],
      }
    },
  }
}

/** @returns undefined when something accepts, else why not */
async function tryPort(host: string, port: number, signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = connect({ host, port, signal, timeout: 8000 })
  socket.once('connect', () => resolve(undefined))
  socket.once('timeout', () => resolve('no answer within 8 s'))
  socket.once('error', (error) => resolve(messageOf(error)))
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}
