/**
 * A certificate and its key as two files that are replaced one after the other: key first. Between the two the certificate
 * that fits stands under its new name, and whoever reads takes it from there; so there is no moment without a pair.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface PairFiles {
  readonly cert_file: string
  readonly key_file: string
}

/** Under this name a file waits to take its place. */
export function newName(path: string): string {
  return `${path}.new`
}

export interface PairText {
  readonly cert: string
  readonly key: string
}

/** PEM texts that fit where any do. @throws the error of the first file that cannot be read */
export function readPair(files: PairFiles): PairText {
  let pair = readTexts(files)
  // A second look: both may have been replaced between two reads.
  for (let look = 0; look < 2 && !fits(pair); look += 1) {
    const waiting = { ...pair, cert: textOf(newName(files.cert_file)) }
    if (fits(waiting)) return waiting
    pair = readTexts(files)
  }
  return pair
}

/** @returns false also for what is no certificate, or no key */
export function fits({ cert, key }: PairText): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

function readTexts({ cert_file, key_file }: PairFiles): PairText {
  return { cert: readFileSync(cert_file, 'utf8').trim(), key: readFileSync(key_file, 'utf8').trim() }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
