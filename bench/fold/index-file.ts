/** An index of any length: rows as uploads over mutual TLS leave them, a few a second, from as many hosts as a laboratory has. */
import { closeSync, openSync, writeSync } from 'node:fs'

export const hostCount = 500
const beginning = Date.parse('2026-01-01T00:00:00Z')
const apartMs = 2500
const flushAt = 4 << 20

/** The moment after the last of so many rows. */
export function endOf(rows: number): string {
  return new Date(beginning + (rows + 1) * apartMs).toISOString()
}

/** @param k from 0. Every fiftieth has no commit. */
export function indexRow(k: number): string {
  const hash = digits(k)
  const commit = k % 50 === 49 ? '' : `"commit":"${hash.slice(0, 40)}",`
  return (
    `{"id":"ep-${String(k).padStart(10, '0')}","host":"lab-${String((k * 7919) % hostCount).padStart(3, '0')}","sha256":"${hash}",` +
    `"bytes":${1_000_000 + ((k * 7907) % 900_001)},${commit}"received_at":"${new Date(beginning + k * apartMs).toISOString()}",` +
    `"gate_position":3,"schema_version":"2","dirty":false,"cert_fingerprint":"${hash}","agent_version":"0.1.0",` +
    `"seq":${k + 1},"prev":"${hash}"}`
  )
}

/** 64 hexadecimal digits: no hash, but as good as one to whoever reads. */
function digits(k: number): string {
  const part = (salt: number) => (Math.imul(k + salt, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
  return part(1) + part(2) + part(3) + part(4) + part(5) + part(6) + part(7) + part(8)
}

/** Appends the rows `from` to `to`, exclusive. */
export function appendRows(path: string, from: number, to: number): void {
  const fd = openSync(path, 'a')
  try {
    let text = ''
    for (let k = from; k < to; k++) {
      text += `${indexRow(k)}\n`
      if (text.length < flushAt) continue
      writeSync(fd, text)
      text = ''
    }
    if (text !== '') writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}
