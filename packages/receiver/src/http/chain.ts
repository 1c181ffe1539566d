/** The authorities that clients may come from, and the chains that lead to them by signature. Dates are the verdict's. */
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { inDate } from '../core/certificate-verdict.ts'
import { type Certificate, parsePem } from './certificate.ts'

/** The authorities above a leaf, the nearest first; the last is one of client_ca_file. */
export type Path = readonly Certificate[]

/** A peer can send any number of intermediates that sign each other; four keep the search small. */
export const maxIntermediates = 4
const maxRemembered = 4096
const maxMiddles = 32

export class ClientAuthorities {
  readonly #anchors: readonly Certificate[]
  /** Proven chains by leaf: not to check signatures for every request. */
  readonly #proven = new Map<string, readonly Path[]>()
  /** Intermediates of proven chains. Needed, not only quick: a resumed TLS session brings the leaf without them. */
  readonly #middles = new Map<string, Certificate>()

  /**
   * @param known intermediates that were of use before; they prove nothing by themselves
   * @throws ConfigError when the text holds no usable CA certificate
   */
  constructor(pem: string, known: Iterable<Certificate> = []) {
    for (const middle of known) this.#middles.set(middle.fingerprint, middle)
    const all = parsePem(pem)
    if (all === undefined) throw new ConfigError('auth.client_ca_file: no readable certificate; PEM is expected')
    this.#anchors = all.filter((certificate) => certificate.isAuthority)
    if (this.#anchors.length === 0)
      throw new ConfigError('auth.client_ca_file: no certificate in it is that of an authority (CA:TRUE)')
    const odd = this.#anchors.find((anchor) => anchor.unknownCritical !== undefined)
    if (odd)
      throw new ConfigError(
        `auth.client_ca_file: critical extension ${odd.unknownCritical} of ${odd.x509.subject} is not supported`,
      )
  }

  get intermediates(): Iterable<Certificate> {
    return this.#middles.values()
  }

  /** Every chain from the leaf to an authority that verifies by signature; empty for a foreign one. */
  paths(leaf: Certificate, sent: readonly Certificate[], now: number): readonly Path[] {
    const known = this.#proven.get(leaf.fingerprint)
    if (known?.some((path) => inDate(path, now))) return known
    const own = search(leaf, sent.slice(0, maxIntermediates), this.#anchors, 0)
    const found = own.length > 0 ? own : search(leaf, [...this.#middles.values()], this.#anchors, 0)
    if (found.length === 0) return known ?? []
    this.#remember(leaf.fingerprint, found)
    return found
  }

  /** Only what an authority signed gets in here, so strangers cannot push hosts out. */
  #remember(fingerprint: string, paths: readonly Path[]): void {
    this.#proven.delete(fingerprint)
    this.#proven.set(fingerprint, paths)
    for (const middle of paths.flatMap((path) => path.slice(0, -1)))
      if (this.#middles.size < maxMiddles) this.#middles.set(middle.fingerprint, middle)
    const oldest = this.#proven.keys().next().value
    if (this.#proven.size > maxRemembered && oldest !== undefined) this.#proven.delete(oldest)
  }
}

/** @param below how many intermediates stand between `subject` and the leaf, itself included */
function search(subject: Certificate, sent: readonly Certificate[], anchors: readonly Certificate[], below: number): Path[] {
  const ends = anchors.filter((anchor) => signed(anchor, subject, below)).map((anchor) => [anchor])
  const through = sent
    .filter((middle) => middle.isAuthority && middle.forClients && middle.unknownCritical === undefined)
    .filter((middle) => signed(middle, subject, below))
    .flatMap((middle) => {
      const rest = sent.filter((other) => other !== middle)
      return search(middle, rest, anchors, below + 1).map((path) => [middle, ...path])
    })
  return [...ends, ...through]
}

function signed(issuer: Certificate, subject: Certificate, below: number): boolean {
  if (issuer.pathLength !== undefined && issuer.pathLength < below) return false
  try {
    return subject.x509.checkIssued(issuer.x509) && subject.x509.verify(issuer.x509.publicKey)
  } catch {
    return false // a key or signature of a kind that OpenSSL does not know
  }
}
